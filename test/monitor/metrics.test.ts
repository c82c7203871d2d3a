/** Metrics as Prometheus gets them. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { lookAt } from "../../src/app/views/metrics-source.ts";
import { Metrics, type Look } from "../../src/metrics/metrics.ts";
import { Listener } from "../../src/core/listener.ts";
import { Endpoints } from "../../src/monitor/endpoints.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Exposition } from "../support/exposition.ts";
import { CLUSTER_IMPORTS } from "../support/in-process-server.ts";
import { lacksPrometheus, promtool } from "../support/prometheus.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { cleanup, start, type Monitored } from "./monitored.ts";

/** What the stock dashboard of prometheus-nats-exporter reads. */
const DASHBOARD = "cpu mem in_bytes in_msgs out_bytes out_msgs connections subscriptions slow_consumers";
/** Further names of prometheus-nats-exporter that dashboards and alerts read. */
const EXPORTER = {
  varz: `total_connections routes remotes leafnodes in_client_msgs in_client_bytes out_client_msgs out_client_bytes
    stale_connections stalled_clients cores max_connections max_payload max_pending ping_interval ping_max
    max_control_line auth_timeout write_deadline start config_load_time server_id server_name version cluster_name
    slow_consumer_stats_clients slow_consumer_stats_routes stale_connection_stats_routes http_req_stats_varz`,
  subsz: `num_subscriptions num_cache num_inserts num_removes num_matches cache_hit_rate max_fanout avg_fanout`,
  routez: "num_routes",
  connz: "num_connections total pending_bytes subscriptions in_bytes out_bytes in_msgs out_msgs",
  healthz: "status status_value",
  accstatz: `current_connections total_connections subscriptions leaf_nodes sent_messages sent_bytes
    received_messages received_bytes slow_consumers`,
};

const LISTEN = { host: "127.0.0.1", port: 0 };

function scrape(server: Monitored): Promise<Exposition> {
  return Exposition.scrape(`${server.base}/metrics`);
}

/** Two servers, with a full mesh between them. */
async function pair(): Promise<[Monitored, Monitored]> {
  const first = await start({ server: { name: "first" }, cluster: { name: "c" } });
  const second = await joining(first, "second");
  return [first, second];
}

async function joining(to: Monitored, name: string, port = 0): Promise<Monitored> {
  const routes = [{ host: "127.0.0.1", port: to.routePort, user: null, password: null }];
  const server = await start({ server: { name }, cluster: { name: "c", port, routes } });
  await isComplete(to, 1);
  await isComplete(server, 1);
  return server;
}

async function isComplete(server: Monitored, peers: number): Promise<Exposition> {
  return waitFor("a full mesh", async () => {
    const seen = await scrape(server);
    const isThere = seen.value("nats_mesh_peers_connected") === peers;
    return isThere && seen.value("nats_mesh_complete") === 1 && seen;
  });
}

describe("metrics", () => {
  it("are on the monitoring port, and on a port of their own that has nothing else", async () => {
    const server = await start({ metrics: LISTEN, monitor: { basePath: "/nats" } });
    const own = `http://127.0.0.1:${server.server.metricsPort}`;
    for (const url of [`${server.base}/nats/metrics`, `${own}/metrics`]) {
      const response = await fetch(url);
      expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
      expect(await response.text()).toMatch(/^nats_ready 1$/m);
    }
    for (const path of ["/", "/varz", "/nats/metrics", "/metrics/"])
      expect((await fetch(own + path)).status).toBe(404);
  });

  it("need no monitoring port", async () => {
    const server = await start({ metrics: LISTEN, monitor: { port: null } });
    expect(server.server.monitorPort).toBeNull();
    const seen = await Exposition.scrape(`http://127.0.0.1:${server.server.metricsPort}/metrics`);
    expect(seen.value("nats_varz_connections")).toBe(0);
  });

  it("have path and prefix as configured", async () => {
    const server = await start({ metrics: { path: "/m/x", prefix: "gnatsd" } });
    const seen = await Exposition.scrape(`${server.base}/m/x`);
    expect(seen.value("gnatsd_varz_connections")).toBe(0);
    expect(seen.names.filter((name) => !/^(gnatsd|process|nodejs)_/.test(name))).toEqual([]);
    expect((await fetch(`${server.base}/metrics`)).status).toBe(404);
  });

  it("have the names and labels of prometheus-nats-exporter", async () => {
    const [server] = await pair();
    await fetch(`${server.base}/varz`);
    const seen = await scrape(server);
    const { id } = server.server.identity;
    for (const field of DASHBOARD.split(" "))
      expect(seen.of(`nats_varz_${field}`).map(({ labels }) => labels)).toEqual([{ server_id: id }]);
    for (const [endpoint, fields] of Object.entries(EXPORTER)) {
      for (const field of fields.split(/\s+/)) {
        const [series] = seen.of(`nats_${endpoint}_${field}`);
        expect([field, series?.labels["server_id"]]).toEqual([field, id]);
      }
    }
    expect(seen.value("nats_varz_server_name", { server_id: id, value: "first" })).toBe(1);
    expect(seen.value("nats_varz_cluster_name", { value: "c" })).toBe(1);
    // to the millisecond, rounded once more on the way
    expect(
      Math.abs(Number(seen.value("nats_varz_start")) - server.server.rooms.startedMs),
    ).toBeLessThanOrEqual(1);
    expect(seen.value("nats_healthz_status_value", { value: "ok" })).toBe(1);
    const [account] = seen.of("nats_accstatz_sent_messages");
    expect(account!.labels).toEqual({ server_id: id, account: "$G", account_id: "$G", account_name: "$G" });
  });

  it.skipIf(lacksPrometheus)("are what promtool finds nothing to complain about", async () => {
    const [server] = await pair();
    const text = await (await fetch(`${server.base}/metrics`)).text();
    expect(promtool(["check", "metrics"], text)).toBe("");
  });

  it("are the same for all who ask at once", async () => {
    const { server } = await start();
    let looks = 0;
    const endpoints = new Endpoints({ facts: () => ({ basePath: "/", startedMs: 0 }) } as never);
    endpoints.varz = () => ({});
    const look = (): Look => {
      looks++;
      return lookAt(server.rooms, endpoints);
    };
    using metrics = new Metrics({ look }, { own: "nats", jetStream: "jetstream" });
    const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const [first, second] = await Promise.all([metrics.scrape(pause), metrics.scrape(pause)]);
    expect(second).toBe(first);
    await metrics.scrape(pause);
    expect(looks).toBe(2);
  });

  it("load prom-client at the first scrape, no sooner", () => {
    const src = join(import.meta.dirname, "../../src");
    const loading = globSync("**/*.ts", { cwd: src }).filter((file) =>
      /^import (?!type).*(?:"prom-client"|exposition\.ts"|runtime-watch\.ts")/m.test(
        readFileSync(join(src, file), "utf8"),
      ),
    );
    expect(loading.sort()).toEqual(["metrics/exposition.ts", "metrics/runtime-watch.ts"]);
  });
});

describe("of clients, metrics", () => {
  it("count messages, connections, subscriptions", async () => {
    const server = await start();
    const client = await connect({ servers: server.url });
    cleanup.push(() => client.close());
    client.subscribe("a");
    for (let i = 0; i < 5; i++) client.publish("a", "four");
    await client.flush();
    const seen = await scrape(server);
    expect(seen.value("nats_varz_in_msgs")).toBe(5);
    expect(seen.value("nats_connz_out_bytes")).toBe(20);
    expect(seen.value("nats_accstatz_received_bytes", { account: "$G" })).toBe(20);
    expect(seen.value("nats_connz_subscriptions")).toBe(1);
    expect(seen.value("nats_client_connects_total")).toBe(1);
    expect(seen.value("nats_client_pending_bytes_count")).toBe(1);
    await client.close();
    const later = await waitFor("the end of the connection", async () => {
      const now = await scrape(server);
      return now.value("nats_varz_connections") === 0 && now;
    });
    expect(later.value("nats_varz_in_msgs")).toBe(5);
    expect(later.value("nats_connz_out_bytes")).toBe(0);
  });

  it("count who is refused", async () => {
    const server = await start({ authorization: { token: "right" } });
    const refused = await connect({ servers: server.url, token: "wrong", reconnect: false }).catch(
      () => null,
    );
    expect(refused).toBeNull();
    const seen = await scrape(server);
    expect(seen.value("nats_auth_failures_total")).toBe(1);
    expect(seen.value("nats_client_connects_total")).toBe(1);
  });

  it("count those who made room for newer ones, by port", async () => {
    const server = await start({
      client: { maxConnections: 2 },
      authorization: { token: "right", timeoutMs: 60_000 },
    });
    const silent: RawConnection[] = [];
    for (let i = 0; i < 5; i++) silent.push(await RawConnection.open(server.port));
    cleanup.push(() => silent.forEach((connection) => connection.destroy()));
    for (const connection of silent.slice(0, 3)) await connection.closed();
    // One more than the port takes beside the one that asks.
    const idle: RawConnection[] = [];
    for (let i = 0; i < 65; i++) idle.push(await RawConnection.open(server.server.monitorPort!));
    cleanup.push(() => idle.forEach((connection) => connection.destroy()));
    await idle[0]!.closed();
    const seen = await scrape(server);
    const of = (port: string): number => seen.value("nats_crowded_out_connections_total", { port });
    expect(of("client")).toBe(3);
    expect(of("monitor")).toBeGreaterThanOrEqual(1);
    for (const port of ["client_tls", "route", "route_tls"]) expect(of(port)).toBe(0);
  });

  it("count events and requests of the system account that found no room", async () => {
    const server = await start();
    const system = server.server.accounts.system!;
    const client = await connect({ servers: server.url, noEcho: true });
    cleanup.push(() => client.close());
    const [session] = server.server.clients.sessions.values();
    system.subscribe(new Listener("$SYS.ACCOUNT.*.CONNECT", () => undefined));
    const count = async (name: string): Promise<number> =>
      (await scrape(server)).value(`nats_system_${name}`);
    expect([await count("events_lost_total"), await count("requests_dropped_total")]).toEqual([0, 0]);
    for (let i = 0; i < 16_384 + 10; i++) server.server.clients.watcher!.connected(session!);
    for (let i = 0; i < 1024 + 20; i++) system.send("$SYS.REQ.SERVER.PING.IDZ", Buffer.from(""), "answers");
    expect([await count("events_lost_total"), await count("requests_dropped_total")]).toEqual([10, 20]);
  });

  it("tell by account of slow consumers and what they lost", async () => {
    const server = await start({ client: { maxPendingBytes: 1024 * 1024, maxPayloadBytes: 1000 } });
    const slow = await RawConnection.greeted(server.port);
    cleanup.push(() => slow.destroy());
    slow.send("SUB a 1\r\nPING\r\n");
    await slow.until("the PONG behind SUB", () => slow.text.match(/PONG/g)?.length === 2);
    slow.stopReading();
    const client = await connect({ servers: server.url });
    cleanup.push(() => client.close());
    const payload = new Uint8Array(1000);
    const { counters, traffic } = server.server.clients;
    while (counters.slowConsumers === 0) {
      for (let i = 0; i < 100; i++) client.publish("a", payload);
      await client.flush();
    }
    const seen = await scrape(server);
    const lost = (figure: string): number => seen.value(`nats_account_${figure}_total`, { account: "$G" });
    expect(lost("slow_consumers")).toBe(1);
    const frame = "MSG a 1 1000\r\n".length + 1000 + 2;
    expect(lost("dropped_bytes")).toBeGreaterThan(1024 * 1024);
    expect(Math.abs(lost("dropped_messages") - lost("dropped_bytes") / frame)).toBeLessThan(2);
    expect(lost("dropped_messages")).toBeLessThanOrEqual(traffic.total().outMessages);
    expect(seen.value("nats_account_dropped_messages_total", { account: "$SYS" })).toBe(0);
  });
});

describe("of other servers, metrics", () => {
  it("tell of each by its name, and go on counting when it comes back", async () => {
    const [first, second] = await pair();
    const [here, there] = await Promise.all(
      [first, second].map(({ url }) => connect({ servers: url, reconnect: false })),
    );
    cleanup.push(() => here!.close());
    const subscription = there!.subscribe("a", { max: 3 });
    await there!.flush();
    await waitFor(
      "interest",
      async () =>
        (await scrape(first)).value("nats_accstatz_subscriptions", { account: "$G" }) > CLUSTER_IMPORTS,
    );
    for (let i = 0; i < 3; i++) here!.publish("a", "four");
    for await (const message of subscription) expect(message.string()).toBe("four");
    const peer = { peer: "second" };
    const sent = await waitFor("the messages", async () => {
      const seen = await scrape(first);
      return seen.value("nats_route_sent_messages_total", peer) === 3 && seen;
    });
    expect(sent.value("nats_route_sent_bytes_total", peer)).toBe(12);
    expect(sent.value("nats_route_connections", peer)).toBe(4);
    expect(sent.value("nats_route_reconnects_total", peer)).toBe(0);
    const received = await scrape(second);
    expect(received.value("nats_route_received_messages_total", { peer: "first" })).toBe(3);
    await waitFor(
      "a round trip",
      async () => (await scrape(first)).of("nats_route_rtt_seconds").length === 1,
    );

    await there!.close();
    second.server.stop();
    const gone = await waitFor("the other to be gone", async () => {
      const seen = await scrape(first);
      return seen.value("nats_mesh_peers_connected") === 0 && seen;
    });
    expect(gone.value("nats_mesh_changes_total", { kind: "peer_left" })).toBe(1);
    await joining(first, "second", second.routePort);
    const back = await scrape(first);
    expect(back.value("nats_route_sent_messages_total", peer)).toBe(3);
    expect(back.value("nats_route_connections", peer)).toBe(4);
    expect(back.value("nats_route_reconnects_total", peer)).toBe(4);
    expect(back.value("nats_mesh_changes_total", { kind: "peer_joined" })).toBe(2);
  });

  it("tell what the mesh wants and has, and for how long it was not complete", async () => {
    const routes = [{ host: "127.0.0.1", port: 1, user: null, password: null }];
    const alone = await start({ cluster: { name: "c", routes } });
    const seen = await waitFor("a failed dial", async () => {
      const now = await scrape(alone);
      return now.value("nats_mesh_dials_total", { result: "refused" }) > 0 && now;
    });
    const size = ["wanted", "connected", "awaited"].map((what) => seen.value(`nats_mesh_peers_${what}`));
    expect(size).toEqual([1, 0, 1]);
    expect(seen.value("nats_mesh_complete")).toBe(0);
    expect(seen.value("nats_mesh_incomplete_seconds_total")).toBeGreaterThan(0);
    expect(seen.of("nats_mesh_completion_seconds")).toEqual([]);
    expect(seen.value("nats_ready")).toBe(0);
    expect(seen.value("nats_not_ready", { reason: "routes" })).toBe(1);
    const [first] = await pair();
    const whole = await scrape(first);
    expect(whole.value("nats_mesh_completion_seconds")).toBeGreaterThan(0);
    expect(whole.of("nats_not_ready")).toEqual([]);
  });

  it("do without a cluster", async () => {
    const seen = await scrape(await start());
    expect(seen.names.filter((name) => /_(mesh|route)_/.test(name))).toEqual([]);
    expect(seen.value("nats_routez_num_routes")).toBe(0);
  });
});

describe("of the process, metrics", () => {
  it("tell of the event loop and of collections of garbage from the first scrape on", async () => {
    const server = await start();
    await scrape(server);
    await waitFor("the event loop to be asked", async () => {
      return (await scrape(server)).value("nodejs_eventloop_delay_seconds_count") > 2;
    });
    await waitFor("a collection", async () => {
      // what is thrown away here is what there is to collect
      JSON.parse(JSON.stringify(Array.from({ length: 20_000 }, (_, i) => ({ i }))));
      const seen = await scrape(server);
      return seen.of("nodejs_gc_duration_seconds_count").some(({ value }) => value > 0);
    });
  });

  it("have the names that every program has for them", async () => {
    const seen = await scrape(await start());
    expect(seen.value("process_resident_memory_bytes")).toBeGreaterThan(10_000_000);
    expect(seen.value("process_cpu_seconds_total")).toBeGreaterThan(0);
    expect(seen.value("process_start_time_seconds")).toBeLessThan(Date.now() / 1000);
    expect(seen.value("nodejs_version_info", { version: process.version })).toBe(1);
  });
});
