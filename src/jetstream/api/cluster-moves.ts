/**
 * Requests by which other servers are to keep a stream: more or fewer replicas, another placement, a server that is to go. The leader of the
 * meta group chooses them, for the stream and its consumers; the leaders of their groups carry it out (`group/reshaping.ts`).
 */
import { randomToken } from "../../base/base62.ts";
import type { Random } from "../../base/random.ts";
import type { PeerId } from "../../raft/messages.ts";
import { apiErrors } from "../api-error.ts";
import type { ConsumerConfig } from "../consumer/config.ts";
import {
  encodeConsumer,
  encodeStream,
  isShared,
  type GroupAssignment,
  type PlacedStream,
  type StreamAssignment,
} from "../meta/assignments.ts";
import type { KnownServers } from "../meta/known-servers.ts";
import type { MetaGroup } from "../meta/meta-group.ts";
import { fits, place, type Candidate, type PlacementServers, type PlacementWish } from "../meta/placement.ts";
import type { StreamConfig } from "../stream/config.ts";

export interface PlacementRoom {
  readonly meta: MetaGroup;
  readonly servers: KnownServers;
  readonly clusterName: string;
  readonly random: Random;
  /** As for `PlacementWish`. */
  readonly uniqueTag: string;
  /** A server that is to keep nothing more; absent: none. */
  readonly without?: PeerId;
  /** Servers that are about to go for good: they get nothing; absent: none. */
  readonly leaving?: ReadonlySet<PeerId>;
}

interface LeftThere {
  readonly streams: number;
  /** Of these: those that no other server can take. */
  readonly stuck: number;
}

interface EmptyingRoom extends PlacementRoom {
  readonly isThere: (peer: PeerId) => boolean;
}

/** Streams that get more copies in one round. */
const COMPLETED_MAX = 16;
/** Nobody waits for an answer. */
const UNASKED = { client: {}, subject: "", reply: "" };

/** Those that keep it, or are to keep it. */
export const wantedPeers = ({ peers, desired }: GroupAssignment): readonly PeerId[] =>
  desired?.peers ?? peers;

/** Servers for a stream, `kept` before others. Throws `ApiError`. */
export function choosePeers(
  around: PlacementRoom,
  config: StreamConfig,
  kept: readonly PeerId[],
): readonly PeerId[] {
  const { servers, random } = around;
  const { replicas } = config;
  if (kept.length >= replicas)
    return kept
      .toSorted((a, b) => Number(servers.isOnline(b)) - Number(servers.isOnline(a)))
      .slice(0, replicas);
  const wish = { ...wishOf(around, config), replicas: replicas - kept.length };
  const found = place(wish, serversBeside(around, kept), random);
  if (typeof found === "string") throw apiErrors.noPeers(found);
  return [...kept, ...found];
}

/** Those of the peers that the placement of a stream allows. */
export function fittingPeers(
  around: PlacementRoom,
  config: StreamConfig,
  peers: readonly PeerId[],
): readonly PeerId[] {
  const wish = { ...wishOf(around, config), maxBytes: 0 }; // it is there already
  const candidates = candidatesOf(around);
  return peers.filter((peer) => candidates.some((one) => one.peer === peer && fits(wish, one)));
}

function serversBeside(around: PlacementRoom, kept: readonly PeerId[]): PlacementServers {
  const candidates = candidatesOf(around).filter(({ peer }) => !kept.includes(peer));
  return { candidates, kept: around.servers.servers.filter(({ peer }) => kept.includes(peer)) };
}

function wishOf({ clusterName, uniqueTag }: PlacementRoom, config: StreamConfig): PlacementWish {
  const { replicas, storage, maxBytes, placement } = config;
  const cluster = placement?.cluster || clusterName;
  return { replicas, storage, maxBytes, cluster, tags: placement?.tags ?? [], uniqueTag };
}

function candidatesOf({ meta, servers, without, leaving }: PlacementRoom): Candidate[] {
  const streams = new Map<PeerId, number>();
  for (const { assignment } of meta.assignments.all())
    for (const peer of wantedPeers(assignment.group)) streams.set(peer, (streams.get(peer) ?? 0) + 1);
  const members = meta.group?.peers.peers ?? [];
  return servers.servers
    .filter(({ peer }) => members.includes(peer) && peer !== without && leaving?.has(peer) !== true)
    .map((one) => ({ ...one, isOnline: servers.isOnline(one.peer), streams: streams.get(one.peer) ?? 0 }));
}

/** These servers are to keep the stream, with its consumers on some of them. */
export function moveStream(
  around: PlacementRoom,
  placed: PlacedStream,
  next: StreamAssignment,
  peers: readonly PeerId[],
): void {
  const { meta } = around;
  const group = reshaped(around, next.group, peers, "S");
  meta.propose(encodeStream({ ...next, group }, "update"));
  for (const consumer of placed.consumers.values()) {
    const wanted = consumerPeers(around, next.config, consumer.config, consumer.group, peers);
    const to = reshaped(around, consumer.group, wanted, "C");
    if (to !== consumer.group) meta.propose(encodeConsumer({ ...consumer, ...UNASKED, group: to }, "assign"));
  }
}

/** Streams that the server keeps are kept by others from now on, where there are any. Its only copies move while it is there. */
export function emptyServer(around: EmptyingRoom, peer: PeerId): void {
  const without = { ...around, without: peer };
  for (const placed of around.meta.assignments.all()) {
    const { assignment } = placed;
    const wanted = wantedPeers(assignment.group);
    const left = wanted.filter((one) => one !== peer);
    if (!wanted.includes(peer)) continue;
    const others = left.length > 0 || around.isThere(peer) ? replacedPeers(without, assignment, left) : [];
    if (others.length > 0) moveStream(around, placed, { ...assignment, ...UNASKED }, others);
  }
}

/** Streams that are kept by fewer servers than they should be, since there were no others: at most some at a time. */
export function completeStreams(around: PlacementRoom): void {
  let left = COMPLETED_MAX;
  for (const placed of around.meta.assignments.all()) {
    const { config, group } = placed.assignment;
    if (group.desired !== undefined || group.peers.length >= config.replicas) continue;
    const peers = replacedPeers(around, placed.assignment, group.peers);
    if (peers.length === group.peers.length) continue;
    moveStream(around, placed, { ...placed.assignment, ...UNASKED }, peers);
    if (--left === 0) return;
  }
}

/**
 * Begins to move streams that the server keeps to others, as long as fewer than `max` are on their way; a stream that no other server may keep
 * stays. The server still serves what it keeps, so that streams with one replica move as well. Returns what it still keeps.
 */
export function moveAway(around: PlacementRoom, peer: PeerId, max: number): LeftThere {
  const without = { ...around, without: peer };
  const kept = [...around.meta.assignments.all()].filter(({ assignment }) =>
    assignment.group.peers.includes(peer),
  );
  const isLeaving = ({ assignment: { group } }: PlacedStream): boolean => !wantedPeers(group).includes(peer);
  let moving = kept.filter(isLeaving).length;
  let stuck = 0;
  for (const placed of kept) {
    const { assignment } = placed;
    if (isLeaving(placed)) continue;
    if (moving >= max) break;
    const left = wantedPeers(assignment.group).filter((one) => one !== peer);
    const others = replacedPeers(without, assignment, left);
    if (others.length === 0) stuck++;
    else moveStream(around, placed, { ...assignment, ...UNASKED }, others);
    if (others.length > 0) moving++;
  }
  return { streams: kept.length, stuck };
}

function replacedPeers(
  around: PlacementRoom,
  { config }: StreamAssignment,
  left: readonly PeerId[],
): readonly PeerId[] {
  const missing = config.replicas - left.length;
  const wish = { ...wishOf(around, config), replicas: missing };
  const found = place(wish, serversBeside(around, left), around.random);
  return typeof found === "string" ? left : [...left, ...found];
}

/** Those of a stream that are to keep one of its consumers. */
export function consumerPeers(
  { servers }: PlacementRoom,
  stream: StreamConfig,
  { replicas, durable }: ConsumerConfig,
  group: GroupAssignment,
  peers: readonly PeerId[],
): readonly PeerId[] {
  const isEphemeral = durable === "" && stream.retention === "limits";
  const wished = replicas > 0 ? replicas : isEphemeral ? 1 : peers.length;
  const count = stream.retention === "limits" ? Math.min(wished, peers.length) : peers.length;
  const kept = wantedPeers(group).filter((peer) => peers.includes(peer));
  const others = peers
    .filter((peer) => !kept.includes(peer))
    .toSorted((a, b) => Number(servers.isOnline(b)) - Number(servers.isOnline(a)));
  return [...kept, ...others].slice(0, count);
}

/** The group as it is while its members change; the same where they do not. */
function reshaped(
  { random }: PlacementRoom,
  group: GroupAssignment,
  peers: readonly PeerId[],
  kind: "S" | "C",
): GroupAssignment {
  const wanted = wantedPeers(group);
  if (wanted.length === peers.length && wanted.every((peer) => peers.includes(peer))) return group;
  const members = group.desired?.members ?? group.peers;
  const letter = group.storage === "file" ? "F" : "M";
  return {
    ...group,
    name: isShared(group) ? group.name : `${kind}-R${peers.length}${letter}-${randomToken(random)}`,
    peers: [...new Set([...group.peers, ...peers])],
    preferred: "",
    isShared: true,
    desired: { peers, members },
  };
}
