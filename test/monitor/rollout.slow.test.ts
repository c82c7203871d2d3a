/**
 * A healthy rollout of eight members, and then a scale-down: what is scraped meanwhile is put before the alert rules that ship, and
 * nobody who has said good-bye is awaited.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { stringify } from "yaml";
import { ServerProcess } from "../cluster/server-process.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { freePort } from "../support/free-port.ts";
import { lacksPrometheus, promtool } from "../support/prometheus.ts";
import { rulesFile } from "./queries.ts";

const HOST = "127.0.0.1";
const MEMBERS = 8;
const SCRAPE_EVERY_MS = 250;
/** What Prometheus is told lies between two scrapes: a rollout takes longer where there are images and probes. */
const SCRAPE_INTERVAL_S = 5;
const METRICS = [
  "nats_ready",
  "nats_mesh_complete",
  "nats_mesh_peers_awaited",
  "nats_mesh_peers_connected",
  "nats_mesh_peers_wanted",
] as const;
/** Those that are about members that come and go. */
const ALERTS = [
  "ShoalMemberDown",
  "ShoalNotReady",
  "ShoalMeshIncomplete",
  "ShoalMembersDisagree",
  "ShoalRoutesUnstable",
];

interface Ports {
  readonly client: number;
  readonly route: number;
  readonly monitor: number;
}

class Rollout {
  readonly running = new Map<number, ServerProcess>();
  /** By series, the values scraped; "_" where there was none. */
  readonly series = new Map<string, string[]>();
  private readonly folder = mkdtempSync(join(tmpdir(), "rollout-"));
  private ports: readonly Ports[] = [];
  private scrapes = 0;
  private isOver = false;
  private scraping: Promise<void> = Promise.resolve();

  async choosePorts(): Promise<void> {
    const ports: Ports[] = [];
    for (let i = 0; i < MEMBERS; i++)
      ports.push({ client: await freePort(), route: await freePort(), monitor: await freePort() });
    this.ports = ports;
  }

  start(index: number): void {
    const { client, route, monitor } = this.ports[index]!;
    const routes = this.ports.map((each) => `"nats://${HOST}:${each.route}"`).join(", ");
    const file = join(this.folder, `${index}.conf`);
    const lines = [
      `server_name: member-${index}`,
      `listen: "${HOST}:${client}"`,
      `http: "${HOST}:${monitor}"`,
      'lame_duck_duration: "2s"',
      'lame_duck_grace_period: "500ms"',
      `cluster { name: c, listen: "${HOST}:${route}", routes: [${routes}] }`,
    ];
    writeFileSync(file, lines.join("\n"));
    this.running.set(index, new ServerProcess(["-c", file]));
  }

  async leave(index: number): Promise<void> {
    const member = this.running.get(index)!;
    member.child.kill("SIGUSR2");
    expect(await member.ended()).toBe(0);
    this.running.delete(index);
  }

  /** Each that runs is ready and has all others that run, and waits for nobody. */
  async whole(): Promise<void> {
    const others = this.running.size - 1;
    const wanted = ["1", "1", "0", String(others), String(others)].join();
    let seen: string[] = [];
    await waitFor(
      `each of ${this.running.size} to have ${others} others and to await nobody`,
      async () => {
        seen = await Promise.all(
          [...this.running.keys()].map(async (index) => (await this.scrape(index)).join()),
        );
        return seen.every((values) => values === wanted);
      },
      () => seen.join(" | "),
    );
  }

  scrapeSteadily(): void {
    const round = async (): Promise<void> => {
      for (; !this.isOver; await new Promise((resolve) => setTimeout(resolve, SCRAPE_EVERY_MS))) {
        await Promise.all(this.ports.map(async (_, index) => this.record(index)));
        this.scrapes++;
      }
    };
    this.scraping = round();
  }

  private async record(index: number): Promise<void> {
    const at = this.scrapes;
    const values = await this.scrape(index);
    const labels = `{job="shoal", instance="member-${index}"}`;
    this.keep(`up${labels}`, at, values.length > 0 ? "1" : "0");
    for (const [i, name] of METRICS.entries()) this.keep(`${name}${labels}`, at, values[i] ?? "_");
  }

  private keep(series: string, at: number, value: string): void {
    const values = this.series.get(series) ?? [];
    this.series.set(series, values);
    values[at] = value;
  }

  /** The values of METRICS; none: nobody answers. */
  private async scrape(index: number): Promise<string[]> {
    try {
      const response = await fetch(`http://${HOST}:${this.ports[index]!.monitor}/metrics`);
      const lines = (await response.text()).split("\n");
      return METRICS.map((name) => lines.find((line) => line.startsWith(`${name} `))?.split(" ")[1] ?? "_");
    } catch {
      return []; // it does not listen
    }
  }

  /** A scrape has found it so: a restart may be over between two of them. */
  async scraped(index: number, up: "0" | "1"): Promise<void> {
    const series = `up{job="shoal", instance="member-${index}"}`;
    await waitFor(`a scrape to find ${series} ${up}`, () => this.series.get(series)?.at(-1) === up);
  }

  /** The scrapes are those of a rollout. */
  sawEachGoAndCome(): boolean {
    const ups = [...this.series].filter(([name]) => name.startsWith("up{"));
    return ups.length === MEMBERS && ups.every(([, values]) => values.join("").includes("01"));
  }

  /** Puts what was scraped before promtool: no alert fires at any time. */
  judge(): string {
    const length = this.scrapes;
    const input = [...this.series].map(([series, values]) => ({
      series,
      values: Array.from({ length }, (_, i) => values[i] ?? "_").join(" "),
    }));
    const times = Array.from({ length }, (_, i) => `${i * SCRAPE_INTERVAL_S}s`);
    const alerts = times.flatMap((at) =>
      ALERTS.map((alertname) => ({ eval_time: at, alertname, exp_alerts: [] as unknown[] })),
    );
    const tests = [
      { name: "a rollout", interval: `${SCRAPE_INTERVAL_S}s`, input_series: input, alert_rule_test: alerts },
    ];
    const file = join(this.folder, "rollout.test.yaml");
    const evaluation = `${SCRAPE_INTERVAL_S}s`;
    writeFileSync(file, stringify({ rule_files: [rulesFile], evaluation_interval: evaluation, tests }));
    return promtool(["test", "rules", file]);
  }

  async stopScraping(): Promise<void> {
    this.isOver = true;
    await this.scraping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopScraping();
    await Promise.all([...this.running.values()].map(async (member) => member[Symbol.asyncDispose]()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const rollout = new Rollout();
beforeAll(async () => {
  await rollout.choosePorts();
  for (let index = 0; index < MEMBERS; index++) rollout.start(index);
  await rollout.whole();
});
afterAll(async () => rollout[Symbol.asyncDispose]());

it.skipIf(lacksPrometheus)(
  "of eight members raises no alert, and leaves nobody awaited after each restart",
  async () => {
    rollout.scrapeSteadily();
    for (let index = 0; index < MEMBERS; index++) {
      await rollout.leave(index);
      await rollout.whole();
      await rollout.scraped(index, "0");
      rollout.start(index);
      await rollout.whole();
      await rollout.scraped(index, "1");
    }
    await rollout.stopScraping();
    expect(rollout.sawEachGoAndCome()).toBe(true);
    expect(rollout.judge()).toContain("SUCCESS");
  },
);

it("and members that leave for good are awaited by nobody", async () => {
  await Promise.all([rollout.leave(MEMBERS - 1), rollout.leave(MEMBERS - 2)]);
  await rollout.whole();
});
