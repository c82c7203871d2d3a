/**
 * A real Prometheus scrapes servers that keep streams, and is asked what the public dashboards for JetStream ask, in both of their spellings,
 * and what the dashboard and the alert rules that ship with shoal ask.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { within } from "../cluster/process-mesh.ts";
import { startInProcess } from "../support/in-process-server.ts";
import { freePort } from "../support/free-port.ts";
import { PATIENT } from "../support/patience.ts";
import { lacksPrometheus } from "../support/prometheus.ts";
import { MemoryDisk } from "../../src/store/memory-disk.ts";
import { alertRules, dashboardQueries, isAboutStreams, metricsOf, rulesFile } from "./queries.ts";

const RATE_INTERVAL = "15s";
const CHOSEN = 'server_id=~".*",stream_name=~".*"';
const CONSUMER = `${CHOSEN},consumer_name=~".*"`;

/** Queries of the dashboards beside prometheus-nats-exporter: `varz` and `streams` are what names begin with. */
function publicQueries(varz: string, streams: string): string[] {
  const server = 'server_id=~".*"';
  const rate = (metric: string, labels: string): string =>
    `rate(${streams}_${metric}{${labels}}[${RATE_INTERVAL}])`;
  const delivered = rate("consumer_delivered_consumer_seq", CONSUMER);
  return [
    `sum(${varz}_varz_jetstream_stats_storage{${server}})/sum(${varz}_varz_jetstream_config_max_storage{${server}})`,
    `sum(${varz}_varz_jetstream_stats_memory{${server}})/sum(${varz}_varz_jetstream_config_max_memory{${server}})`,
    `sum(${varz}_varz_connections{${server}})`,
    `sum(${streams}_server_total_consumers{${server}})`,
    `sum(${streams}_stream_total_bytes) by (stream_name)`,
    `sum(${streams}_stream_total_messages) by (stream_name)`,
    `sum(${rate("stream_last_seq", CHOSEN)}) by (stream_name)`,
    `sum(${rate("consumer_num_pending", CONSUMER)}+${delivered}) by (consumer_name)`,
    `- sum(${delivered}) by (consumer_name)`,
    `sum(${streams}_consumer_delivered_consumer_seq{${CONSUMER}}) by (consumer_name)`,
    `sum(${streams}_consumer_num_pending{${CONSUMER}}) by (consumer_name)`,
    `sum(${streams}_consumer_num_ack_pending{${CONSUMER}}) by (consumer_name)`,
    // what their variables list
    `group by (server_id) (${streams}_server_total_streams)`,
    `group by (stream_name) (${streams}_stream_last_seq)`,
    `group by (consumer_name) (${streams}_consumer_num_pending)`,
    // what the exporter tells of mirrors and sources
    `${streams}_stream_mirror_lag{mirror_name="orders"}`,
    `${streams}_stream_source_active_duration_ns{source_name="orders"}`,
  ];
}

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
}

describe.skipIf(lacksPrometheus)("Prometheus and a server that keeps streams", () => {
  let port = 0;

  async function query(expr: string): Promise<readonly Sample[]> {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expr)}`);
    const { data, error } = (await response.json()) as { data: { result: Sample[] }; error?: string };
    if (error !== undefined) throw new Error(`${expr}: ${error}`);
    return data.result;
  }

  const lacking = async (queries: readonly string[]): Promise<string[]> => {
    const empty: string[] = [];
    for (const expr of queries) if ((await query(expr)).length === 0) empty.push(expr);
    return empty;
  };

  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), "prometheus-"));
    const servers = await Promise.all([
      keeper("nats", "jetstream"),
      keeper("nats", "nats"),
      keeper("gnatsd", "jetstream"),
    ]);
    port = await freePort();
    const targets = servers.map(({ server }) => `127.0.0.1:${server.monitorPort}`);
    const config = {
      global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
      rule_files: [rulesFile],
      scrape_configs: [{ job_name: "shoal", static_configs: [{ targets }] }],
    };
    writeFileSync(join(folder, "prometheus.yml"), stringify(config));
    const options = [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=error",
    ];
    const prometheus = spawn("prometheus", options, { stdio: ["ignore", "inherit", "inherit"] });
    const closed = new Promise((resolve) => prometheus.once("close", resolve));
    const scraped = "count(count_over_time(up[1m]) >= 4 and up == 1) == 3";
    const isScraped = async (): Promise<boolean> => (await query(scraped).catch(() => [])).length > 0;
    await within("some scrapes of all servers", isScraped, () => "they have not come");
    return async () => {
      prometheus.kill("SIGKILL");
      await closed;
      for (const server of servers) await server[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    };
  }, 120_000);

  it.each([
    ["as they come with the exporter", "gnatsd", "jetstream"],
    ["as the NATS chart has them", "nats", "nats"],
    ["with names of the server's own", "nats", "jetstream"],
  ])("has series for every query of the public dashboards, %s", async (_, varz, streams) => {
    await within(
      "series for all",
      async () => (await lacking(publicQueries(varz, streams))).length === 0,
      () => "some queries have none",
    );
    expect(await lacking(publicQueries(varz, streams))).toEqual([]);
  });

  it("has what the dashboard of shoal asks about streams, but for what only trouble brings", async () => {
    const queries = dashboardQueries(RATE_INTERVAL).filter(({ expr }) => isAboutStreams(expr));
    expect(queries.length).toBeGreaterThan(15);
    const calm = queries.filter(({ expr }) => !expr.endsWith("> 0"));
    expect(await lacking(calm.map(({ expr }) => expr))).toEqual([]);
  });

  it("has every metric of the alert rules about streams, but for those that only trouble brings", async () => {
    const names = new Set(
      alertRules()
        .flatMap(({ expr }) => metricsOf(expr))
        .filter(isAboutStreams),
    );
    expect(await lacking([...names])).toEqual([
      "nats_jetstream_lost_messages",
      "nats_jetstream_refusing_streams",
    ]);
  });
});

/** Streams with messages, a mirror and a source, and a consumer that has delivered some and has others before it. */
async function keeper(prefix: string, jetStreamPrefix: string): ReturnType<typeof startInProcess> {
  const server = await startInProcess(
    {
      monitor: { host: "127.0.0.1", port: 0 },
      jetStream: { isEnabled: true },
      metrics: { prefix, jetStreamPrefix },
    },
    new MemoryDisk(),
  );
  const client = await connect({ servers: server.url });
  const manager = await jetstreamManager(client, PATIENT);
  const js = jetstream(client, PATIENT);
  await manager.streams.add({ name: "orders", subjects: ["orders.>"] });
  await manager.streams.add({ name: "copy", mirror: { name: "orders" } });
  await manager.streams.add({ name: "all", sources: [{ name: "orders" }] });
  const full = { durable_name: "full", ack_policy: AckPolicy.Explicit, max_ack_pending: 2 };
  await manager.consumers.add("orders", full);
  for (let i = 0; i < 5; i++) await js.publish("orders.1", "hello");
  const consumer = await js.consumers.get("orders", "full");
  for await (const message of await consumer.fetch({ max_messages: 2, expires: 30_000 })) void message.seq;
  await client.close();
  return server;
}
