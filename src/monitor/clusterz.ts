/**
 * `/clusterz`: the whole cluster as one member sees it, for the page. Other members are asked through the system account, once per
 * `FRESH_MS` at most, however many requests come; a member that does not answer in time is listed as silent.
 */
import { compactJson, type Answer } from "./answer.ts";
import { foreignFields } from "./foreign-member.ts";
import { memberFields } from "./memberz.ts";
import { BadQuery, type Query } from "./query.ts";
import type { PeerSnapshot } from "../cluster/mesh-types.ts";
import type { MonitorSource } from "./source.ts";

type Told = Readonly<Record<string, unknown>>;

const FRESH_MS = 900;

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
      // This server answers as well.
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
    return {
      server_id: own["server_id"],
      cluster: own["cluster"],
      shows_messages: source.showsMessages(),
      members: [...members.values()],
    };
  }

  /** nats-server has no MEMBERZ. */
  private async foreign(peers: readonly PeerSnapshot[]): Promise<Told[]> {
    const { view } = this.source;
    const everybody = peers.length + 1;
    const [varz, routez, accounts] = await Promise.all([
      view.everybody("VARZ", everybody),
      view.everybody("ROUTEZ", everybody),
      view.accounts(everybody),
    ]);
    const of = (all: readonly Told[], id: unknown): Told => all.find((one) => one["server_id"] === id) ?? {};
    const ids = new Set<unknown>(peers.filter(({ shoal }) => !shoal).map(({ id }) => id));
    return varz
      .filter(({ server_id: id }) => ids.has(id))
      .map((one) => foreignFields(one, of(routez, one["server_id"]), of(accounts, one["server_id"])));
  }
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
