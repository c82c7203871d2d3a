/** `/memberz`: what the page shows of one server. Small, since all members send theirs whenever somebody looks at the page. */
import { hostPort } from "../base/host-port.ts";
import { compactJson, type Answer } from "./answer.ts";
import type { StreamReport } from "../jetstream/report.ts";
import type { ConsumerReport } from "../jetstream/report-consumers.ts";
import { goTime } from "./go-format.ts";
import { registeredRoutes } from "./routez.ts";
import { shortcomings } from "./probes.ts";
import type { MonitorSource } from "./source.ts";

export const ACCOUNTS_MAX = 100;
const AWAITED_MAX = 100;
const STREAMS_MAX = 100;
const CONSUMERS_MAX = 200;
const LEAF_NODES_MAX = 100;
/** Streams, and consumers, that are looked at to find these. */
const LOOKED_AT_MAX = 5000;

export function memberz(source: MonitorSource, varz: object): Answer {
  return compactJson(200, memberFields(source, varz));
}

/** `varz`: what `/varz` answers. */
export function memberFields(source: MonitorSource, varz: object): object {
  const { id, name, startedMs, metadata } = source.facts();
  const readiness = source.readiness(0);
  const { isReady, reasons, state, peers } = readiness;
  const nowMs = source.nowMs();
  return {
    ...figures(varz as Readonly<Record<string, unknown>>),
    server_id: id,
    server_name: name,
    kind: "shoal",
    version: metadata["shoal_version"] ?? "",
    cluster: source.clusterFacts()?.name ?? "",
    zone: source.zone(),
    now_ms: nowMs,
    uptime_ms: nowMs - startedMs,
    state,
    is_ready: isReady,
    reasons,
    missing: shortcomings(readiness),
    awaited: peers.awaited.slice(0, AWAITED_MAX).map(({ id: server_id, name: server_name, ...peer }) => ({
      server_id,
      server_name,
      address: peer.address,
      seen_by: peer.seenBy,
      attempts: peer.attempts,
      why: peer.why,
    })),
    routes: routesByPeer(source),
    accounts: accountsOf(source),
    ...leafNodesOf(source),
    ...streamsOf(source),
    ...unservedOf(source),
    events: source.recentEvents().map(({ timeMs, ...event }) => ({ time: goTime(timeMs), ...event })),
  };
}

/** Names as in `/varz`. */
const FIGURES = [
  "mem",
  "cpu",
  "cores",
  "connections",
  "total_connections",
  "subscriptions",
  "in_msgs",
  "out_msgs",
  "in_bytes",
  "out_bytes",
  "slow_consumers",
  "stalled_clients",
] as const;

export function figures(varz: Readonly<Record<string, unknown>>): Record<string, number> {
  return Object.fromEntries(FIGURES.map((name) => [name, numberOf(varz[name])]));
}

/** Anything but a number counts as 0. */
export function numberOf(value: unknown): number {
  const number = Number(value ?? 0);
  return Number.isFinite(number) ? number : 0;
}

export interface RouteFigures {
  readonly remote_id: string;
  readonly remote_name: string;
  /** Connections of the pool. */
  count: number;
  /** The longest. */
  rtt_ms: number;
  pending: number;
  in_msgs: number;
  out_msgs: number;
  in_bytes: number;
  out_bytes: number;
}

/** All connections to a peer together. */
export class RouteSums {
  private readonly byPeer = new Map<string, RouteFigures>();

  add(one: Omit<RouteFigures, "count">): void {
    const sum = this.byPeer.get(one.remote_id);
    if (sum === undefined) return void this.byPeer.set(one.remote_id, { ...one, count: 1 });
    sum.count++;
    sum.rtt_ms = Math.max(sum.rtt_ms, one.rtt_ms);
    sum.pending += one.pending;
    sum.in_msgs += one.in_msgs;
    sum.out_msgs += one.out_msgs;
    sum.in_bytes += one.in_bytes;
    sum.out_bytes += one.out_bytes;
  }

  list(): RouteFigures[] {
    return [...this.byPeer.values()];
  }
}

function routesByPeer({ cluster }: MonitorSource): RouteFigures[] {
  const sums = new RouteSums();
  if (cluster === null) return [];
  for (const { snapshot } of registeredRoutes(cluster)) {
    sums.add({
      remote_id: snapshot.peerId,
      remote_name: snapshot.peerName,
      rtt_ms: Math.round(snapshot.roundTripMs * 1000) / 1000,
      pending: snapshot.pendingBytes,
      in_msgs: snapshot.inMessages,
      out_msgs: snapshot.outMessages,
      in_bytes: snapshot.inBytes,
      out_bytes: snapshot.outBytes,
    });
  }
  return sums.list();
}

/** Connections of leaf nodes and to hubs, those with the most messages. */
function leafNodesOf({ leafNodes }: MonitorSource): object {
  const all = Array.from(leafNodes.connections(), (leaf) => ({
    name: leaf.peer.name || leaf.peer.serverId,
    cluster: leaf.peer.cluster,
    account: leaf.account,
    is_spoke: leaf.isSpoke,
    address: hostPort(leaf.address, leaf.port),
    rtt_ms: Math.round(leaf.roundTripMs * 1000) / 1000,
    pending: leaf.pendingBytes,
    subscriptions: leaf.interests,
    in_msgs: leaf.inMessages,
    out_msgs: leaf.outMessages,
  }));
  if (all.length === 0) return {};
  const messages = ({ in_msgs, out_msgs }: (typeof all)[number]): number => in_msgs + out_msgs;
  return {
    leafs: all.toSorted((a, b) => messages(b) - messages(a)).slice(0, LEAF_NODES_MAX),
    leafs_total: all.length,
  };
}

/** The largest streams, and consumers that stand still before others. */
function streamsOf(source: MonitorSource): object {
  const report = source.jetStream()?.report ?? null;
  if (report === null) return {};
  const streams: StreamFields[] = [];
  const consumers: ConsumerFields[] = [];
  for (const account of report.accountNames) {
    for (const stream of report.account(account)?.streams ?? []) {
      if (streams.length === LOOKED_AT_MAX || consumers.length >= LOOKED_AT_MAX) break;
      streams.push(streamFields(account, stream));
      for (const consumer of stream.consumers) consumers.push(consumerFields(account, stream.name, consumer));
    }
  }
  const { streams: streams_total, consumers: consumers_total } = report.totals;
  return {
    streams: streams.toSorted((a, b) => b.bytes - a.bytes).slice(0, STREAMS_MAX),
    streams_total,
    consumers: consumers
      .toSorted((a, b) => Number(a.standstill === "") - Number(b.standstill === "") || b.pending - a.pending)
      .slice(0, CONSUMERS_MAX),
    consumers_total,
  };
}

/** Streams and consumers that only members keep which are not there. */
function unservedOf(source: MonitorSource): object {
  const cluster = source.jetStream()?.report.cluster ?? null;
  if (cluster === null) return {};
  const peers = source.cluster?.snapshot()?.peers ?? [];
  const there = new Set([source.facts().name, ...peers.map(({ name }) => name)]);
  return { unserved: cluster.unserved((server) => there.has(server)) };
}

type StreamFields = Record<string, unknown> & { readonly bytes: number };
type ConsumerFields = Record<string, unknown> & { readonly standstill: string; readonly pending: number };

function streamFields(account: string, { name, figures: of, lost, problem }: StreamReport): StreamFields {
  return {
    account,
    name,
    messages: of.messages,
    bytes: of.bytes,
    first_seq: of.firstSequence,
    last_seq: of.lastSequence,
    consumers: of.consumers,
    lost,
    problem,
  };
}

function consumerFields(account: string, stream: string, consumer: ConsumerReport): ConsumerFields {
  const { figures: of } = consumer;
  return {
    account,
    stream,
    name: consumer.name,
    delivered: of.delivered,
    pending: of.pending,
    ack_pending: of.ackPending,
    redelivered: of.redelivered,
    waiting: of.waiting,
    standstill: consumer.standstill ?? "",
  };
}

function accountsOf({ accounts, clients: { traffic } }: MonitorSource): object[] {
  const all = Array.from(accounts, (account) => {
    const { inMessages, outMessages, inBytes, outBytes } = traffic.ofAccount(account.name);
    return {
      name: account.name,
      name_tag: account.nameTag === "" ? undefined : account.nameTag,
      connections: account.connections,
      subscriptions: account.interest.size,
      in_msgs: inMessages,
      out_msgs: outMessages,
      in_bytes: inBytes,
      out_bytes: outBytes,
      slow_consumers: traffic.slowConsumersOf(account.name),
    };
  });
  return all.toSorted((a, b) => b.connections - a.connections).slice(0, ACCOUNTS_MAX);
}
