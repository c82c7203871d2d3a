/** What metrics tell of JetStream: the exporter's names, and what stands still and why. */
import { connect } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { MemoryDisk } from "../../src/store/memory-disk.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Exposition } from "../support/exposition.ts";
import { lacksPrometheus, promtool } from "../support/prometheus.ts";
import { cleanup, start, type Monitored } from "./monitored.ts";
import { PATIENT } from "../support/patience.ts";

/** What the public dashboards for JetStream read. */
const DASHBOARDS = `
  server_total_streams server_total_consumers server_total_messages server_total_message_bytes server_max_memory server_max_storage
  server_jetstream_disabled account_max_memory account_max_storage account_storage_used account_memory_used
  stream_total_messages stream_total_bytes stream_first_seq stream_last_seq stream_consumer_count stream_subject_count
  stream_limit_bytes stream_limit_messages
  consumer_delivered_consumer_seq consumer_delivered_stream_seq consumer_num_ack_pending consumer_num_redelivered
  consumer_num_waiting consumer_num_pending consumer_ack_floor_stream_seq consumer_ack_floor_consumer_seq
  consumer_last_delivery_seconds`;

/** What they read of the server itself, and the public dashboard for servers with them. */
const SERVER_DASHBOARDS = `
  connections cpu in_bytes in_msgs mem out_bytes out_msgs slow_consumers subscriptions
  jetstream_config_max_memory jetstream_config_max_storage jetstream_stats_memory jetstream_stats_storage`;

const STREAM = { account: "$G", stream_name: "orders" };

async function keeper(): Promise<{ server: Monitored; scrape: () => Promise<Exposition> }> {
  const server = await start({ jetStream: { isEnabled: true } }, new MemoryDisk());
  const client = await connect({ servers: server.url });
  cleanup.push(() => client.close());
  const api = async (subject: string, payload: object): Promise<void> => {
    const answer = await client.request(`$JS.API.${subject}`, JSON.stringify(payload), PATIENT);
    expect(answer.json()).not.toHaveProperty("error");
  };
  await api("STREAM.CREATE.orders", { name: "orders", subjects: ["orders.>"], max_msgs: 100 });
  const consumers = {
    pulled: { ack_policy: "explicit", description: "by hand" },
    full: { ack_policy: "explicit", max_ack_pending: 1 },
    pushed: { ack_policy: "none", deliver_subject: "nobody.here" },
    paused: { ack_policy: "none", pause_until: "2999-01-01T00:00:00Z" },
  };
  for (const [name, config] of Object.entries(consumers)) {
    await api(`CONSUMER.CREATE.orders.${name}`, {
      stream_name: "orders",
      config: { ...config, name, durable_name: name },
    });
  }
  for (let i = 0; i < 3; i++) await client.request(`orders.${i}`, "four", PATIENT);
  // a delivery shows the subject of the message, by which a shared inbox cannot tell whose answer it is
  await client.request("$JS.API.CONSUMER.MSG.NEXT.orders.full", "", { noMux: true, timeout: 20_000 });
  return { server, scrape: () => Exposition.scrape(`${server.base}/metrics`) };
}

/** Scrapes until it is so. */
async function waitForMetrics(
  scrape: () => Promise<Exposition>,
  isThere: (seen: Exposition) => boolean,
): Promise<Exposition> {
  let seen = await scrape();
  await waitFor("the figures", async () => isThere((seen = await scrape())));
  return seen;
}

describe("metrics of JetStream", () => {
  it("have the names and labels of prometheus-nats-exporter", async () => {
    const { scrape } = await keeper();
    const seen = await scrape();
    const names = [
      ...DASHBOARDS.trim()
        .split(/\s+/)
        .map((name) => `jetstream_${name}`),
      ...SERVER_DASHBOARDS.trim()
        .split(/\s+/)
        .map((name) => `nats_varz_${name}`),
    ];
    expect(names.filter((name) => seen.of(name).length === 0)).toEqual([]);
    expect(seen.value("jetstream_server_total_streams")).toBe(1);
    expect(seen.value("jetstream_server_total_consumers")).toBe(4);
    expect(seen.value("jetstream_stream_total_messages", STREAM)).toBe(3);
    expect(seen.value("jetstream_stream_last_seq", STREAM)).toBe(3);
    expect(seen.value("jetstream_stream_subject_count", STREAM)).toBe(3);
    expect(seen.value("jetstream_stream_limit_messages", STREAM)).toBe(100);
    const pulled = {
      ...STREAM,
      consumer_name: "pulled",
      consumer_desc: "by hand",
      is_consumer_leader: "true",
    };
    expect(seen.value("jetstream_consumer_num_pending", pulled)).toBe(3);
    const full = { ...STREAM, consumer_name: "full" };
    expect(seen.value("jetstream_consumer_num_ack_pending", full)).toBe(1);
    expect(seen.value("jetstream_consumer_delivered_stream_seq", full)).toBe(1);
  });

  it("tell why consumers deliver nothing", async () => {
    const { scrape } = await keeper();
    const seen = await scrape();
    const reasons = ["no_waiting_pulls", "max_ack_pending", "no_interest", "paused"];
    const counts = reasons.map((reason) => seen.value("nats_jetstream_idle_consumers", { reason }));
    expect(counts).toEqual([1, 1, 1, 1]);
  });

  it("count dead letters by reason, and attempts to keep one that nobody takes", async () => {
    const { server, scrape } = await keeper();
    const client = await connect({ servers: server.url });
    cleanup.push(() => client.close());
    const make = async (name: string, deadLetter: string): Promise<void> => {
      const config = { name, ack_policy: "explicit", metadata: { "shoal.dead_letter": deadLetter } };
      const payload = JSON.stringify({ stream_name: "orders", config });
      const answer = await client.request(`$JS.API.CONSUMER.CREATE.orders.${name}`, payload, PATIENT);
      expect(answer.json()).not.toHaveProperty("error");
    };
    await client.request("$JS.API.STREAM.CREATE.dead", '{"name":"dead","subjects":["dead"]}', PATIENT);
    await make("letters", "dead");
    await make("homeless", "nobody.takes.it");
    for (const name of ["letters", "homeless"]) {
      const options = { noMux: true, timeout: 20_000 };
      const message = await client.request(`$JS.API.CONSUMER.MSG.NEXT.orders.${name}`, "", options);
      message.respond("+TERM");
    }
    const seen = await waitForMetrics(scrape, (one) => {
      const refused = one.value("nats_jetstream_dead_letters_refused_total");
      return refused > 0 && one.value("nats_jetstream_dead_letters_total", { reason: "terminated" }) === 1;
    });
    expect(seen.value("nats_jetstream_dead_letters_total", { reason: "max_deliver" })).toBe(0);
  });

  it("tell of mirrors and sources as the exporter does, by the prefix that is configured", async () => {
    const jetStream = { isEnabled: true };
    const server = await start({ jetStream, metrics: { jetStreamPrefix: "nats" } }, new MemoryDisk());
    const client = await connect({ servers: server.url });
    cleanup.push(() => client.close());
    for (const config of [
      { name: "orders", subjects: ["orders"] },
      { name: "copy", mirror: { name: "orders" } },
      { name: "all", sources: [{ name: "orders" }, { name: "grün" }] },
    ]) {
      const payload = JSON.stringify(config);
      const answer = await client.request(`$JS.API.STREAM.CREATE.${config.name}`, payload, PATIENT);
      expect(answer.json()).not.toHaveProperty("error");
    }
    const scrape = (): Promise<Exposition> => Exposition.scrape(`${server.base}/metrics`);
    const seen = await waitForMetrics(
      scrape,
      (one) =>
        one.value("nats_stream_mirror_active_duration_ns", { stream_name: "copy", mirror_name: "orders" }) >=
        0,
    );
    const labels = { stream_name: "all", source_name: "grün", source_api: "", source_deliver: "" };
    expect(seen.value("nats_stream_source_lag", labels)).toBe(0);
    expect(seen.value("nats_stream_source_active_duration_ns", labels)).toBe(-1);
    expect(seen.value("nats_stream_mirror_lag", { stream_name: "copy" })).toBe(0);
    expect(seen.value("nats_server_total_streams")).toBe(3);
    expect(seen.names.filter((name) => name.startsWith("jetstream_"))).toEqual([]);
  });

  it("count syncs, requests and those that were refused", async () => {
    const { scrape, server } = await keeper();
    const client = await connect({ servers: server.url });
    cleanup.push(() => client.close());
    await client.request("$JS.API.STREAM.INFO.nobody", "", PATIENT);
    const seen = await scrape();
    expect(seen.value("nats_jetstream_syncs_total")).toBeGreaterThan(2);
    expect(seen.value("nats_jetstream_request_errors_total")).toBe(1);
    expect(seen.value("nats_jetstream_requests_total")).toBe(6);
  });

  it("are not there where no streams are kept", async () => {
    const server = await start({});
    const { names } = await Exposition.scrape(`${server.base}/metrics`);
    expect(names.filter((name) => name.includes("jetstream"))).toEqual([]);
  });

  it.skipIf(lacksPrometheus)("are well-formed", async () => {
    const { server } = await keeper();
    const text = await (await fetch(`${server.base}/metrics`)).text();
    expect(promtool(["check", "metrics"], text)).not.toContain("jetstream_lost");
  });
});
