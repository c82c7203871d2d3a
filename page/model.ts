/** What the page knows of the cluster: answers of `/clusterz`, and what follows from two of them. Pure: no document, no clock. */

/** Since the start. */
interface Counted {
  readonly in_msgs: number;
  readonly out_msgs: number;
  readonly in_bytes: number;
  readonly out_bytes: number;
}

interface RouteFigures extends Counted {
  readonly remote_id: string;
  readonly remote_name: string;
  readonly count: number;
  readonly rtt_ms: number;
  readonly pending: number;
}

interface Awaited {
  readonly server_id: string;
  readonly server_name: string;
  readonly address: string;
  readonly seen_by: readonly string[];
  readonly attempts: number;
  readonly why: string;
}

interface ServerEvent {
  readonly time: string;
  readonly event: string;
  readonly level: string;
  readonly text: string;
  readonly about: string;
  readonly count: number;
}

export interface AccountFigures extends Counted {
  readonly name: string;
  /** What people call an account that is named by a key. Absent: the name is all. */
  readonly name_tag?: string;
  readonly connections: number;
  readonly subscriptions: number;
  readonly slow_consumers: number;
}

export interface StreamFigures {
  readonly account: string;
  readonly name: string;
  readonly messages: number;
  readonly bytes: number;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly consumers: number;
  readonly lost: number;
  /** Why it takes no messages; "": it does. */
  readonly problem: string;
}

interface ConsumerFigures {
  readonly account: string;
  readonly stream: string;
  readonly name: string;
  /** Deliveries so far. */
  readonly delivered: number;
  readonly pending: number;
  readonly ack_pending: number;
  readonly redelivered: number;
  readonly waiting: number;
  /** Why it delivers nothing of what it has; "": it delivers, or has nothing. */
  readonly standstill: string;
}

/** A connection of a leaf node, or to a hub. */
export interface LeafFigures {
  readonly name: string;
  readonly cluster: string;
  readonly account: string;
  /** The member is the spoke: the other end is its hub. */
  readonly is_spoke: boolean;
  readonly address: string;
  readonly rtt_ms: number;
  readonly pending: number;
  readonly subscriptions: number;
  readonly in_msgs: number;
  readonly out_msgs: number;
}

/** A silent one has no more than the first four. */
export interface Member extends Counted {
  readonly server_id: string;
  readonly server_name: string;
  readonly state: string;
  readonly is_ready: boolean;
  readonly kind: string;
  readonly version: string;
  readonly zone: string;
  readonly now_ms: number;
  readonly uptime_ms: number;
  readonly reasons: readonly string[];
  readonly missing: readonly string[];
  readonly awaited: readonly Awaited[];
  readonly routes: readonly RouteFigures[];
  readonly accounts: readonly AccountFigures[];
  readonly events: readonly ServerEvent[];
  /** Those with the most messages; all are counted. */
  readonly leafs: readonly LeafFigures[];
  readonly leafs_total: number;
  /** The largest; all are counted. -1: it keeps none. */
  readonly streams: readonly StreamFigures[];
  readonly streams_total: number;
  /** Those that stand still first. */
  readonly consumers: readonly ConsumerFigures[];
  readonly consumers_total: number;
  readonly mem: number;
  readonly cpu: number;
  readonly cores: number;
  readonly connections: number;
  readonly subscriptions: number;
  readonly slow_consumers: number;
  readonly stalled_clients: number;
}

export interface Cluster {
  readonly server_id: string;
  readonly cluster: string;
  /** Messages of streams of the server that was asked can be looked at. */
  readonly shows_messages: boolean;
  readonly members: readonly Member[];
}

const SILENT: Member = {
  ...{ server_id: "", server_name: "", state: "silent", is_ready: false },
  ...{ kind: "", version: "", zone: "", now_ms: 0, uptime_ms: 0, mem: 0, cpu: 0, cores: 1 },
  ...{ reasons: [], missing: [], awaited: [], routes: [], accounts: [], events: [] },
  ...{ leafs: [], leafs_total: 0 },
  ...{ streams: [], streams_total: -1, consumers: [], consumers_total: -1 },
  ...{ connections: 0, subscriptions: 0, in_msgs: 0, out_msgs: 0, in_bytes: 0, out_bytes: 0 },
  ...{ slow_consumers: 0, stalled_clients: 0 },
};

/** Fills up what a silent member does not tell, and one of another version tells otherwise. */
export function readCluster(answer: unknown): Cluster {
  const { server_id, cluster, shows_messages: showsMessages, members } = (answer ?? {}) as Cluster;
  if (!Array.isArray(members)) throw new Error("the answer has no members");
  return {
    server_id: String(server_id),
    cluster: String(cluster ?? ""),
    shows_messages: showsMessages === true,
    members: members.map(readMember),
  };
}

function readMember(told: Readonly<Record<string, unknown>> | null): Member {
  const member = Object.entries(SILENT).map(([key, otherwise]: [string, unknown]): [string, unknown] => {
    const value = told?.[key];
    if (Array.isArray(otherwise)) return [key, Array.isArray(value) ? value.filter(Boolean) : []];
    return [key, typeof value === typeof otherwise ? value : otherwise];
  });
  return Object.fromEntries(member) as unknown as Member;
}

export type Standing = "ready" | "draining" | "joining" | "silent";

export function standing({ state, is_ready }: Member): Standing {
  if (state === "silent") return "silent";
  if (state === "lame duck" || state === "stopped") return "draining";
  return is_ready ? "ready" : "joining";
}

export const STANDING_WORDS: Readonly<Record<Standing | "awaited", string>> = {
  ready: "ready",
  draining: "draining (lame duck)",
  joining: "not ready",
  silent: "not answering",
  awaited: "awaited",
};

/** Per second. */
export interface Rates {
  readonly inMessages: number;
  readonly outMessages: number;
  readonly inBytes: number;
  readonly outBytes: number;
}

export const NO_RATES: Rates = { inMessages: 0, outMessages: 0, inBytes: 0, outBytes: 0 };

/** A counter that decreased belongs to a server that was restarted, or to new routes: there is no rate then. */
function ratesOf(now: Counted, before: Counted | undefined, passedMs: number): Rates {
  if (before === undefined || passedMs <= 0) return NO_RATES;
  const rate = (key: keyof Counted): number => Math.max(0, ((now[key] - before[key]) * 1000) / passedMs);
  return {
    inMessages: rate("in_msgs"),
    outMessages: rate("out_msgs"),
    inBytes: rate("in_bytes"),
    outBytes: rate("out_bytes"),
  };
}

/** The rates of all members, by id, between two looks. */
export function memberRates(now: Cluster, before: Cluster | null): Map<string, Rates> {
  const old = new Map(before?.members.map((member) => [member.server_id, member]));
  return new Map(
    now.members.map((member) => {
      const last = old.get(member.server_id);
      return [member.server_id, ratesOf(member, last, member.now_ms - (last?.now_ms ?? 0))];
    }),
  );
}

/** Between two members, both directions together. */
export interface Edge {
  readonly key: string;
  readonly from: string;
  readonly to: string;
  readonly rttMs: number;
  readonly pending: number;
  readonly routes: number;
  /** From `from` to `to`, and back; messages per second. */
  readonly there: number;
  readonly back: number;
}

export function edgesOf(now: Cluster, before: Cluster | null): Edge[] {
  const known = new Set(now.members.map(({ server_id }) => server_id));
  const old = new Map(before?.members.map((member) => [member.server_id, member]));
  const edges = new Map<string, Edge>();
  for (const member of now.members) {
    const last = old.get(member.server_id);
    const lastRoutes = new Map(last?.routes.map((route) => [route.remote_id, route]));
    for (const route of member.routes) {
      if (!known.has(route.remote_id)) continue;
      const [from, to] = [member.server_id, route.remote_id].sort() as [string, string];
      const key = `${from} ${to}`;
      const passedMs = member.now_ms - (last?.now_ms ?? 0);
      const rates = ratesOf(route, lastRoutes.get(route.remote_id), passedMs);
      const isFrom = member.server_id === from;
      const other = edges.get(key);
      edges.set(key, {
        key,
        from,
        to,
        rttMs: Math.max(other?.rttMs ?? 0, route.rtt_ms),
        pending: (other?.pending ?? 0) + route.pending,
        routes: Math.max(other?.routes ?? 0, route.count),
        there: Math.max(other?.there ?? 0, isFrom ? rates.outMessages : rates.inMessages),
        back: Math.max(other?.back ?? 0, isFrom ? rates.inMessages : rates.outMessages),
      });
    }
  }
  return [...edges.values()];
}

export interface AwaitedPeer extends Awaited {
  /** Names of the members that wait for it. */
  readonly by: readonly string[];
  /** It is a member, but not to those. */
  readonly isMember: boolean;
}

/** Servers that any member waits for. `names`: of former members, by id. */
export function awaitedPeers({ members }: Cluster, names: ReadonlyMap<string, string>): AwaitedPeer[] {
  const answering = new Set(members.filter((one) => one.state !== "silent").map((one) => one.server_id));
  const found = new Map<string, AwaitedPeer>();
  for (const member of members) {
    for (const peer of member.awaited) {
      const key = peer.server_id || peer.address;
      const by = [...(found.get(key)?.by ?? []), member.server_name];
      const server_name = peer.server_name || (names.get(peer.server_id) ?? "");
      found.set(key, { ...peer, server_name, by, isMember: answering.has(peer.server_id) });
    }
  }
  return [...found.values()];
}

const OF_ALL = new Set([
  "peer_joined",
  "peer_left",
  "peer_restarted",
  "mesh",
  "peer_given_up",
  "dial_failed",
]);

export interface ShownEvent extends ServerEvent {
  readonly server: string;
}

/** What concerns the mesh as the server that was asked tells it, the rest as each tells of itself; the latest first. */
export function eventsOf({ server_id, members }: Cluster, max: number): ShownEvent[] {
  return members
    .flatMap((member) =>
      member.events
        .filter(({ event }) => member.server_id === server_id || !OF_ALL.has(event))
        .map((event) => ({ ...event, server: member.server_name })),
    )
    .sort((a, b) => Date.parse(b.time) - Date.parse(a.time))
    .slice(0, max);
}

/** All members' figures of an account added up; those with the most connections first. */
export function accountsOf({ members }: Cluster): AccountFigures[] {
  const sums = new Map<string, AccountFigures>();
  for (const one of members.flatMap(({ accounts }) => accounts)) {
    const sum = sums.get(one.name);
    sums.set(one.name, sum === undefined ? one : addAccounts(sum, one));
  }
  return [...sums.values()];
}

/** What people call accounts, by their keys. */
export function accountNames({ members }: Cluster): ReadonlyMap<string, string> {
  const accounts = members.flatMap((member) => member.accounts);
  return new Map(accounts.map(({ name, name_tag }) => [name, name_tag ?? name]));
}

export interface ShownStream extends StreamFigures {
  readonly accountName: string;
  /** The member's name. */
  readonly server: string;
  /** The member is the one that was asked. */
  readonly isHere: boolean;
  /** Per second. */
  readonly inMessages: number;
}

export interface ShownConsumer extends ConsumerFigures {
  readonly accountName: string;
  readonly server: string;
  readonly outMessages: number;
}

export function streamsOf(now: Cluster, before: Cluster | null): ShownStream[] {
  const keys = ({ account, name }: StreamFigures): string[] => [account, name];
  return ofMembers(now, before, (member) => member.streams, keys, "last_seq").map(({ row, rate, ...of }) => ({
    ...row,
    ...of,
    inMessages: rate,
  }));
}

export function consumersOf(now: Cluster, before: Cluster | null): ShownConsumer[] {
  const keys = ({ account, stream, name }: ConsumerFigures): string[] => [account, stream, name];
  return ofMembers(now, before, (member) => member.consumers, keys, "delivered").map(
    ({ row, server, accountName, rate }) => ({ ...row, server, accountName, outMessages: rate }),
  );
}

/** What all members have of a kind, with the rate at which a counter grows; one that went back has none. */
function ofMembers<Row extends { readonly account: string }, Key extends keyof Row>(
  now: Cluster,
  before: Cluster | null,
  rowsOf: (member: Member) => readonly Row[],
  keysOf: (row: Row) => readonly string[],
  counter: Key,
): { row: Row; server: string; isHere: boolean; accountName: string; rate: number }[] {
  const names = accountNames(now);
  const old = new Map(before?.members.map((member) => [member.server_id, member]));
  return now.members.flatMap((member) => {
    const last = old.get(member.server_id);
    const passedMs = member.now_ms - (last?.now_ms ?? 0);
    const counts = new Map(
      (last === undefined ? [] : rowsOf(last)).map((row) => [
        JSON.stringify(keysOf(row)),
        Number(row[counter]),
      ]),
    );
    return rowsOf(member).map((row) => {
      const count = counts.get(JSON.stringify(keysOf(row)));
      const grown =
        count === undefined || passedMs <= 0 ? 0 : ((Number(row[counter]) - count) * 1000) / passedMs;
      const isHere = member.server_id === now.server_id;
      const accountName = names.get(row.account) ?? row.account;
      return { row, server: member.server_name, isHere, accountName, rate: Math.max(0, grown) };
    });
  });
}

function addAccounts(a: AccountFigures, b: AccountFigures): AccountFigures {
  return {
    name: a.name,
    ...(a.name_tag === undefined ? {} : { name_tag: a.name_tag }),
    connections: a.connections + b.connections,
    subscriptions: a.subscriptions + b.subscriptions,
    in_msgs: a.in_msgs + b.in_msgs,
    out_msgs: a.out_msgs + b.out_msgs,
    in_bytes: a.in_bytes + b.in_bytes,
    out_bytes: a.out_bytes + b.out_bytes,
    slow_consumers: a.slow_consumers + b.slow_consumers,
  };
}
