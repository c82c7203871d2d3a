/**
 * Whether this server should be given clients, and why not. Pure: what is known goes in, the judgement comes out.
 *
 * A server that joins waits for a route to every server that its sources and its peers show, but no longer than `waitMs`: one
 * broken peer must not keep it, and with it a rollout, waiting indefinitely. A source that has shown no address at all is waited for
 * in the same way: the name of a cluster has at least the address of the server itself, so that a name without any is a wrong
 * name, or one that DNS does not know yet, and a server that believed it would start a separate cluster. Once a server
 * has been ready, the faults of others do not take that back: else the death of one server would take all the others out of
 * service. The missing servers are reported anyway.
 *
 * Copies of streams are waited for in the same way, as long as they come nearer to what they should hold: a copy that is broken
 * is named, and keeps the server waiting for `waitMs` only. Whoever asks for it is told of them strictly, whatever was before.
 */
import type { AddressSnapshot, MeshSnapshot, PeerSnapshot } from "../cluster/mesh-types.ts";
import type { DiscoverySnapshot } from "../discovery/discovery.ts";
import type { LifeState } from "./lifecycle.ts";

/** A server that should be connected and is not, or not with all its routes. */
interface AwaitedPeer {
  /** "" where it never was connected. */
  readonly id: string;
  readonly name: string;
  readonly address: string;
  /** Sources of discovery that list it, and "gossip". */
  readonly seenBy: readonly string[];
  /** Failed dials in a row. */
  readonly attempts: number;
  readonly why: string;
}

/** The state that is not "ready", or what a joining server waits for. */
type ReadinessCause =
  "starting" | "lame duck" | "stopped" | "expected servers" | "discovery" | "routes" | "streams";

export interface Readiness {
  readonly isReady: boolean;
  /** Why not; empty when ready. */
  readonly reasons: readonly string[];
  /** The kinds of reasons, for metrics. */
  readonly causes: readonly ReadinessCause[];
  /** Problems, including those that do not make the server unready. */
  readonly missing: readonly string[];
  /** What this server keeps for its cluster; null: nothing. */
  readonly streams: StreamsProgress | null;
  /** Faults of this server that have cost a connection, since the start. */
  readonly faults: number;
  /** "starting", "ready" (takes clients), "lame duck" or "stopped". */
  readonly state: string;
  /** Of discovery. */
  readonly sources: readonly {
    readonly name: string;
    /** Addresses that it lists. */
    readonly listed: number;
    /** null: it never has answered. */
    readonly answerAgeMs: number | null;
    readonly lastError: string | null;
  }[];
  /** Other servers. */
  readonly peers: {
    readonly seen: number;
    /** With all their routes. */
    readonly connected: readonly {
      readonly id: string;
      readonly name: string;
      readonly address: string;
      readonly sinceMs: number;
    }[];
    readonly awaited: readonly AwaitedPeer[];
  };
}

/** Streams and consumers that servers keep together. */
export interface StreamsStanding {
  /** Names what is not as it should be; empty: all is well. */
  readonly troubles: readonly string[];
  /** What copies that catch up still lack; Infinity: what there should be is not known here. */
  readonly behind: number;
}

/** Progress of copies that catch up. */
interface StreamsProgress extends StreamsStanding {
  /** Until they have everything, if they go on as they have; null: nobody knows. */
  readonly restMs: number | null;
}

/** "joining": a server that joins waits for its copies, within bounds. "always": whatever it was before. */
export type StreamsRule = "joining" | "always";

export interface ReadinessInput {
  readonly state: LifeState;
  /** null: there is no cluster, or its port does not listen yet. */
  readonly mesh: MeshSnapshot | null;
  readonly sources: readonly DiscoverySnapshot[];
  readonly streams: StreamsStanding | null;
  readonly streamsRule: StreamsRule;
  /** Until copies have everything; null: nobody knows. */
  readonly restMs: number | null;
  /** Since copies last came nearer to what they should hold. */
  readonly stalledMs: number;
  /** Contained since the start. */
  readonly faults: number;
  readonly hasBeenReady: boolean;
  /** Since the listeners are up. */
  readonly waitedMs: number;
  readonly waitMs: number;
  /** Servers, this one included, that have to be connected; 0: whatever there is. */
  readonly expect: number;
}

/** The source that need not be asked: it is written in the configuration. */
const CONFIGURED = "routes";
const KUBERNETES = "kubernetes";
/** Most servers named in a reason; the JSON has them all. */
const NAMED_MAX = 5;

export function judgeReadiness(input: ReadinessInput): Readiness {
  const { state, mesh, sources, hasBeenReady, waitedMs, waitMs, expect, streams, restMs } = input;
  const peers = mesh === null ? { connected: [], awaited: [] } : peersOf(mesh);
  const reasons: string[] = [];
  const causes: ReadinessCause[] = [];
  if (state === "starting") reasons.push("starting: does not listen yet");
  else if (state !== "ready") reasons.push(state);
  if (state !== "ready") causes.push(state);
  const silent = silentSources(sources);
  const empty = emptySources(sources);
  const size = 1 + peers.connected.length;
  if (size < expect) causes.push("expected servers");
  if (size < expect) reasons.push(`${size} of ${expect} expected servers, this one included`);
  const missing = [
    ...(silent.length === 0 ? [] : [`no answer yet from ${silent.join(", ")}`]),
    ...(empty.length === 0 ? [] : [`no address of any server from ${empty.join(", ")}`]),
    ...(peers.awaited.length === 0 ? [] : [`no complete route to ${named(peers.awaited)}`]),
  ];
  const isAwaiting = state === "ready" && !hasBeenReady && waitedMs < waitMs;
  const troubles = shownTroubles(streams);
  const areStreamsAwaited =
    state === "ready" && (input.streamsRule === "always" || (!hasBeenReady && input.stalledMs < waitMs));
  if (isAwaiting) reasons.push(...missing);
  if (areStreamsAwaited && troubles.length > 0) {
    reasons.push(...troubles);
    causes.push("streams");
  }
  if (isAwaiting && silent.length + empty.length > 0) causes.push("discovery");
  if (isAwaiting && peers.awaited.length > 0) causes.push("routes");
  return {
    isReady: reasons.length === 0,
    reasons,
    causes,
    missing: state === "ready" ? [...missing, ...troubles] : [],
    streams: streams === null ? null : { ...streams, restMs },
    faults: input.faults,
    state,
    sources: sources.map(({ name, peers: listed, answerAgeMs, lastError }) => ({
      name,
      listed: listed.length,
      answerAgeMs,
      lastError,
    })),
    peers: { seen: peers.connected.length + peers.awaited.length, ...peers },
  };
}

function shownTroubles(streams: StreamsStanding | null): string[] {
  const troubles = streams?.troubles ?? [];
  const rest = troubles.length - NAMED_MAX;
  return [...troubles.slice(0, NAMED_MAX), ...(rest > 0 ? [`${rest} more streams and consumers`] : [])];
}

/**
 * The sources that must answer before the set of servers is known. Kubernetes is asked beside names in DNS, and may refuse: it is not waited
 * for where another source has shown servers. A name may lead to servers that nobody else knows, so that it is.
 */
function silentSources(sources: readonly DiscoverySnapshot[]): string[] {
  const hasShown = sources.some((source) => source.hasShown);
  return sources
    .filter(({ name, answerAgeMs }) => answerAgeMs === null && name !== CONFIGURED)
    .filter(({ name, lastError }) => lastError === null || name !== KUBERNETES || !hasShown)
    .map(({ name, lastError }) => (lastError === null ? name : `${name} (${lastError})`));
}

/** They have answered, and have never shown an address, not even one of this server. */
function emptySources(sources: readonly DiscoverySnapshot[]): string[] {
  return sources
    .filter(({ name, answerAgeMs, hasShown }) => answerAgeMs !== null && !hasShown && name !== CONFIGURED)
    .map(({ name }) => name);
}

function named(awaited: readonly AwaitedPeer[]): string {
  const names = awaited.slice(0, NAMED_MAX).map(({ name, address, why }) => `${name || address} (${why})`);
  const rest = awaited.length - names.length;
  return names.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

function peersOf(mesh: MeshSnapshot): Pick<Readiness["peers"], "connected" | "awaited"> {
  const joined = new Set(mesh.peers.map(({ id }) => id));
  const awaited = new Map<string, AwaitedPeer>();
  for (const peer of mesh.peers) if (!isWhole(peer)) awaited.set(peer.id, partial(peer));
  for (const row of mesh.addresses) {
    if (
      row.state === "self" ||
      row.state === "absent" ||
      (row.leadsTo !== undefined && joined.has(row.leadsTo))
    )
      continue;
    const key = row.leadsTo ?? row.address;
    if (!awaited.has(key)) awaited.set(key, unreached(row));
  }
  const connected = mesh.peers
    .filter(isWhole)
    .map(({ id, name, address, joinedMs }) => ({ id, name, address, sinceMs: joinedMs }));
  return { connected, awaited: [...awaited.values()] };
}

function isWhole({ slots }: PeerSnapshot): boolean {
  return !slots.includes(undefined);
}

function partial({ id, name, address, slots }: PeerSnapshot): AwaitedPeer {
  const routes = slots.filter((slot) => slot !== undefined).length;
  return { id, name, address, seenBy: [], attempts: 0, why: `${routes} of ${slots.length} routes` };
}

function unreached({ address, state, wantedBy, attempts, lastError, leadsTo }: AddressSnapshot): AwaitedPeer {
  const why = lastError ?? WORDS[state];
  return { id: leadsTo ?? "", name: "", address, seenBy: wantedBy, attempts, why };
}

const WORDS: Readonly<Record<AddressSnapshot["state"], string>> = {
  waiting: "waits to be dialled",
  dialing: "being dialled",
  handshaking: "has answered, says who it is",
  connected: "its first route is being confirmed",
  absent: "has said good-bye",
  self: "this server",
};
