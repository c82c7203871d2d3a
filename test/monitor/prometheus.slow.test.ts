/**
 * A real Prometheus finds the servers of a cluster by DNS and scrapes them; every query of the dashboard and of the alert rules
 * is asked. Then a member is killed, and comes back. Servers, DNS and Prometheus are on a network of their own.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { canServeNames, NameServer } from "../cluster/name-server.ts";
import { canMakeNetworks, Network } from "../cluster/network.ts";
import { within } from "../cluster/process-mesh.ts";
import { ServerProcess } from "../cluster/server-process.ts";
import { Authority, missingOpenssl, type Certificate } from "../support/certificates.ts";
import { CLUSTER_IMPORTS } from "../support/in-process-server.ts";
import { lacksPrometheus } from "../support/prometheus.ts";
import { alertRules, dashboardQueries, isAboutStreams, metricsOf, ruleFile } from "./queries.ts";

const MEMBERS = [0, 1, 2];
/** Waits in vain for a server that its route names, as one that has just been started. */
const LONELY = 3;
const NOWHERE = "nats://198.51.100.1:6222";
const PROMETHEUS = 4;
const RATE_INTERVAL = "15s";

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

const isPossible = canMakeNetworks() && canServeNames() && !lacksPrometheus && !missingOpenssl();

describe.skipIf(!isPossible)("Prometheus", () => {
  const folder = mkdtempSync(join(tmpdir(), "prometheus-"));
  const members = new Map<number, ServerProcess>();
  let network: Network;
  let names: NameServer;
  let authority: Authority;
  let certificate: Certificate;
  let prometheus: ChildProcess;

  const instance = (host: number): string => `${network.address(host)}:8222`;

  const fileOf = (route: string): string => join(folder, `${encodeURIComponent(route)}.conf`);

  /** The servers of a route have one file together, as pods have. */
  function start(host: number, route: string): void {
    const { certFile, keyFile } = certificate;
    const file = fileOf(route);
    const text = `port: 4222
      http: 8222
      tls { cert_file: "${certFile}", key_file: "${keyFile}" }
      allow_non_tls: true
      cluster { name: c, port: 6222, routes: ["${route}"], discovery { interval: 500ms }, readiness_wait: 1h }`;
    writeFileSync(file, text);
    members.set(host, new ServerProcess(["-c", file, "-n", `host-${host}`], network.on(host)));
  }

  async function get<T>(path: string): Promise<T> {
    const response = await fetch(`http://${network.address(PROMETHEUS)}:9090/api/v1/${path}`);
    const { data, error } = (await response.json()) as { data: T; error?: string };
    if (error !== undefined) throw new Error(`${decodeURIComponent(path)}: ${error}`);
    return data;
  }

  async function query(expr: string): Promise<readonly Sample[]> {
    return (await get<{ result: Sample[] }>(`query?query=${encodeURIComponent(expr)}`)).result;
  }

  async function value(expr: string): Promise<number> {
    const [sample] = await query(expr);
    return Number(sample?.value[1] ?? NaN);
  }

  async function alerts(): Promise<string[]> {
    const { alerts: all } = await get<{ alerts: { labels: Record<string, string>; state: string }[] }>(
      "alerts",
    );
    return all
      .filter(({ state, labels }) => state === "firing" && labels["job"] === "shoal")
      .map(({ labels }) => `${labels["alertname"]} ${labels["instance"] ?? ""}`.trim())
      .sort();
  }

  async function until(expr: string, wanted: number): Promise<void> {
    let seen = NaN;
    const look = async (): Promise<boolean> => (seen = await value(expr).catch(() => NaN)) === wanted;
    await within(`${expr} to be ${wanted}`, look, () => `it is ${seen}`);
  }

  beforeAll(async () => {
    network = new Network(5);
    names = new NameServer(network);
    authority = new Authority();
    certificate = authority.issue({ days: 100 });
    names.use([...MEMBERS, LONELY, PROMETHEUS], network.ownAddress);
    const addresses = MEMBERS.map((host) => network.address(host));
    await names.serve({
      hosts: { shoal: addresses, lonely: [network.address(LONELY)] },
    });
    for (const host of MEMBERS) start(host, "nats://shoal:6222");
    start(LONELY, NOWHERE);
    prometheus = startPrometheus();
    await until("sum(up)", MEMBERS.length + 1);
  }, 120_000);

  function startPrometheus(): ChildProcess {
    // As they ship, but for how long something has to last: this is about the queries.
    const groups = ruleFile().groups.map((group) => ({
      ...group,
      rules: group.rules.map((rule) => ({ ...rule, for: "1s" })),
    }));
    writeFileSync(join(folder, "rules.yml"), stringify({ groups }));
    const jobs = ["shoal", "lonely"].map((job) => ({
      job_name: job,
      dns_sd_configs: [{ names: [`${job}.lan.test`], type: "A", port: 8222, refresh_interval: "1s" }],
    }));
    const config = {
      global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
      rule_files: ["rules.yml"],
      scrape_configs: jobs,
    };
    writeFileSync(join(folder, "prometheus.yml"), stringify(config));
    const files = [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
    ];
    const [command = "ip", ...rest]: string[] = [
      ...network.on(PROMETHEUS),
      "prometheus",
      ...files,
      "--log.level=error",
    ];
    return spawn(command, rest, { stdio: ["ignore", "inherit", "inherit"] });
  }

  afterAll(async () => {
    prometheus.kill("SIGKILL");
    await Promise.all([...members.values()].map((member) => member[Symbol.asyncDispose]()));
    await names[Symbol.asyncDispose]();
    network[Symbol.dispose]();
    authority[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  it("finds the servers by DNS, and sees one cluster", async () => {
    await until("count(nats_mesh_peers_connected == 2 and nats_mesh_complete == 1)", MEMBERS.length);
    const infos = await query('nats_server_info{cluster="c", job="shoal"}');
    const found = new Map(infos.map(({ metric }) => [metric["server_name"], metric["instance"]]));
    expect(found).toEqual(new Map(MEMBERS.map((host) => [`host-${host}`, instance(host)])));
    await until('nats_not_ready{reason="routes"}', 1);
  });

  it("counts messages that cross the cluster", async () => {
    const [from, to] = await Promise.all(
      [0, 1].map((host) => connect({ servers: network.address(host), reconnect: false, tls: null })),
    );
    let received = 0;
    to!.subscribe("a", { callback: () => void received++ });
    await to!.flush();
    await until(
      `nats_accstatz_subscriptions{instance="${instance(0)}", account="$G"} > bool ${CLUSTER_IMPORTS}`,
      1,
    );
    for (let i = 0; i < 1000; i++) from!.publish("a", "four");
    await within(
      "the messages",
      () => received === 1000,
      () => `${received}`,
    );
    await until(`nats_route_sent_messages_total{instance="${instance(0)}", peer="host-1"}`, 1000);
    await until(`nats_route_received_bytes_total{instance="${instance(1)}", peer="host-0"}`, 4000);
    await until("sum(nats_varz_in_client_msgs)", 1000);
    await until("sum by (account) (nats_accstatz_received_messages{account='$G'})", 2000);
    await Promise.all([from!.close(), to!.close()]);
  });

  it("tells where a file is wrong that was refused", async () => {
    writeFileSync(fileOf(NOWHERE), "http: 8222\nmax_payload: much\n");
    members.get(LONELY)!.child.kill("SIGHUP");
    await until('count(nats_config_reload_failure{job="lonely", line="2", column="14"})', 1);
  });

  it("has data for every query of the dashboard", async () => {
    await until("min(nats_route_rtt_seconds > bool 0)", 1);
    const empty: string[] = [];
    for (const { title, expr } of dashboardQueries(RATE_INTERVAL)) {
      if (isAboutStreams(expr)) continue; // members of a cluster keep none
      if ((await query(expr)).length === 0) empty.push(`${title}: ${expr}`);
    }
    expect(empty).toEqual([]);
  });

  it("has data for every metric of the alert rules, and raises nothing for a healthy cluster", async () => {
    const empty: string[] = [];
    for (const name of new Set(alertRules().flatMap(({ expr }) => metricsOf(expr)))) {
      if (isAboutStreams(name)) continue; // members of a cluster keep none
      if ((await query(name)).length === 0) empty.push(name);
    }
    expect(empty).toEqual([]);
    // what the start has brought is over by then
    const seen: string[][] = [];
    const isQuiet = async (): Promise<boolean> => {
      seen.push(await alerts());
      return seen.at(-1)!.length === 0;
    };
    await within("no alert to fire", isQuiet, () => JSON.stringify(seen.at(-1)));
  });

  it("raises what there is to raise when a member is killed, until it is back", async () => {
    await members.get(2)![Symbol.asyncDispose]();
    const expected = [
      `ShoalMemberDown ${instance(2)}`,
      `ShoalMeshIncomplete ${instance(0)}`,
      `ShoalMeshIncomplete ${instance(1)}`,
    ];
    let firing: string[] = [];
    const hasAll = async (): Promise<boolean> => {
      firing = await alerts();
      return expected.every((one) => firing.includes(one));
    };
    await within("the alerts", hasAll, () => firing.join("\n"));
    expect(await query(`nats_mesh_peers_awaited{instance="${instance(0)}"} == 1`)).toHaveLength(1);
    start(2, "nats://shoal:6222");
    await until("count(nats_mesh_peers_connected == 2 and nats_mesh_complete == 1)", MEMBERS.length);
    const isOver = async (): Promise<boolean> => {
      firing = await alerts();
      return !expected.some((one) => firing.includes(one));
    };
    await within("the alerts to end", isOver, () => firing.join("\n"));
    const back = `nats_route_reconnects_total{instance="${instance(0)}", peer="host-2"}`;
    expect(await value(back)).toBeGreaterThanOrEqual(4);
  });
});
