/**
 * `/clusterz`: the whole cluster as one member sees it, for the page. Others are asked through the system account. However many look,
 * they are asked once in `FRESH_MS`; a member that does not answer in time is listed as silent.
 */
import { compactJson, type Answer } from "./answer.ts";
import { figures, memberFields, RouteSums } from "./memberz.ts";
import { BadQuery, type Query } from "./query.ts";
import type { PeerSnapshot } from "../cluster/mesh-types.ts";
import type { MonitorSource } from "./source.ts";

type Told = Readonly<Record<string, unknown>>;

const FRESH_MS = 900;
const RTT = /([\d.]+)(h|ms|m|µs|us|ns|s)/g;
const MS: Readonly<Record<string, number>> = {
  h: 3.6e6,
  m: 6e4,
  s: 1000,
  ms: 1,
  µs: 1e-3,
  us: 1e-3,
  ns: 1e-6,
};

export class ClusterReport {
  private readonly source: MonitorSource;
  private readonly varz: () => object;
  private latest: { readonly madeMs: number; readonly report: Promise<object> } | null = null;

  constructor(source: MonitorSource, varz: () => object) {
    this.source = source;
    this.varz = varz;
  }

  async answer(query: Query): Promise<Answer> {
    if (query.text("server") !== "") return askMember(this.source, query);
    const nowMs = this.source.nowMs();
    if (this.latest === null || nowMs - this.latest.madeMs >= FRESH_MS) {
      this.latest = { madeMs: nowMs, report: this.make() };
    }
    return compactJson(200, await this.latest.report);
  }

  private async make(): Promise<object> {
    const { source } = this;
    const own = memberFields(source, this.varz()) as Told;
    const peers = source.cluster?.snapshot()?.peers ?? [];
    const shoals = peers.filter(({ shoal }) => shoal).length;
    const [told, foreign] = await Promise.all([
      // This server answers, too.
      shoals === 0 ? [] : source.view.everybody("MEMBERZ", shoals + 1),
      shoals === peers.length ? [] : this.foreign(peers),
    ]);
    const members = new Map<unknown, Told>([[own["server_id"], own]]);
    for (const one of [...told, ...foreign]) {
      if (one["server_id"] !== own["server_id"]) members.set(one["server_id"], one);
    }
    for (const { id, name, address } of peers) {
      if (members.has(id)) continue;
      members.set(id, { server_id: id, server_name: name, address, state: "silent", is_ready: false });
    }
    return { server_id: own["server_id"], cluster: own["cluster"], members: [...members.values()] };
  }

  /** nats-servers know nothing of MEMBERZ. */
  private async foreign(peers: readonly PeerSnapshot[]): Promise<Told[]> {
    const { view } = this.source;
    const everybody = peers.length + 1;
    const [varz, routez] = await Promise.all([
      view.everybody("VARZ", everybody),
      view.everybody("ROUTEZ", everybody),
    ]);
    const routes = new Map(routez.map((one) => [one["server_id"], one]));
    const ids = new Set(peers.filter(({ shoal }) => !shoal).map(({ id }) => id));
    return varz
      .filter((one) => ids.has(textOf(one["server_id"])))
      .map((one) => foreignFields(one, routes.get(one["server_id"]) ?? null));
  }
}

/** A nats-server, which knows neither zones nor readiness, in the terms of `/memberz`. */
function foreignFields(varz: Told, routez: Told | null): Told {
  const nowMs = Date.parse(textOf(varz["now"]));
  const sums = new RouteSums();
  const routes = Array.isArray(routez?.["routes"]) ? (routez["routes"] as Told[]) : [];
  for (const route of routes) {
    sums.add({
      remote_id: textOf(route["remote_id"]),
      remote_name: textOf(route["remote_name"]),
      rtt_ms: milliseconds(textOf(route["rtt"])),
      pending: Number(route["pending_size"] ?? 0),
      in_msgs: Number(route["in_msgs"] ?? 0),
      out_msgs: Number(route["out_msgs"] ?? 0),
      in_bytes: Number(route["in_bytes"] ?? 0),
      out_bytes: Number(route["out_bytes"] ?? 0),
    });
  }
  return {
    ...figures(varz),
    server_id: varz["server_id"],
    server_name: varz["server_name"],
    kind: "nats-server",
    version: varz["version"],
    zone: "",
    now_ms: nowMs,
    uptime_ms: nowMs - Date.parse(textOf(varz["start"])),
    state: "ready",
    is_ready: true,
    reasons: [],
    missing: [],
    awaited: [],
    routes: sums.list(),
    accounts: [],
    events: [],
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function milliseconds(goDuration: string): number {
  let sum = 0;
  for (const [, figure, unit = ""] of goDuration.matchAll(RTT)) sum += Number(figure) * (MS[unit] ?? 0);
  return sum;
}

const TABLES: ReadonlyMap<string, { readonly kind: string; readonly options: Told }> = new Map([
  ["connz", { kind: "CONNZ", options: { auth: true } }],
  ["subsz", { kind: "SUBSZ", options: { subscriptions: true } }],
]);
/** As the options of requests in the system account are typed. */
const NUMBERS = new Set(["offset", "limit", "cid"]);
const PASSED = ["sort", "offset", "limit", "cid", "search", "acc", "test"] as const;
const STATES = ["open", "closed", "all"];

/** What `/clusterz?server=ID&table=connz` asks another member for. */
async function askMember(source: MonitorSource, query: Query): Promise<Answer> {
  const table = TABLES.get(query.text("table"));
  if (table === undefined) throw new BadQuery("table must be connz or subsz");
  const options: Record<string, unknown> = { ...table.options };
  for (const name of PASSED) {
    const given = query.text(name);
    if (given !== "") options[name] = NUMBERS.has(name) ? query.integer(name) : given;
  }
  const state = STATES.indexOf(query.text("state"));
  if (state > 0) options["state"] = state;
  const id = query.text("server");
  const peers = source.cluster?.snapshot()?.peers ?? [];
  if (id !== source.facts().id && !peers.some((peer) => peer.id === id)) {
    return compactJson(404, { error: "no such member" });
  }
  const told = await source.view.one(id, table.kind, options);
  return told === null
    ? compactJson(504, { error: "the server did not answer in time" })
    : compactJson(200, told);
}
