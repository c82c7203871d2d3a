/** What answers tell of streams and consumers, in nats-server's words and order. */
import { formatTime, NO_TIME } from "../time.ts";
import { writeObject } from "../codec.ts";
import { consumerShape, filtersOf, requiredConsumerLevel } from "../consumer/config.ts";
import type { Consumer } from "../consumer/consumer.ts";
import { requiredLevel, streamShape } from "../stream/config.ts";
import type { Stream } from "../stream/stream.ts";
import { errorJson } from "../api-error.ts";
import type { ClusterFigures, FollowedConsumer, ReplicaFigures } from "../group/shared.ts";
import type { StreamStore } from "../../store/stream-store.ts";
import { publicConsumers, type StreamAssets } from "../assets.ts";
import type { Link } from "../origins/link.ts";
import type { WRITTEN } from "./written-part.ts";
import { originKey, originShape, type OriginConfig } from "../stream/origin-config.ts";

type Json = Record<string, unknown>;

export interface AnswerFacts {
  /** The level of this server's API. */
  readonly level: number;
  /** The level of nats-server that is announced. */
  readonly version: string;
  /** The server's name. */
  readonly server: string;
  /** "": none. */
  readonly domain: string;
  /** Requests with unknown fields are refused. */
  readonly isStrict: boolean;
}

/** Sequences that are listed as deleted. */
const DELETED_MAX = 100_000;

export interface StreamDetails {
  /** Lists the sequences of deleted messages. */
  readonly deleted: boolean;
  /** A page of the subjects that the pattern covers is written in steps, and stands here; null: none. */
  readonly subjects: typeof WRITTEN | null;
  /** One of a list: it has no levels. */
  readonly isListed?: boolean;
  /** The servers that keep it; absent: it is not told. */
  readonly cluster?: ClusterFigures | null;
}

export function streamInfo(assets: StreamAssets, facts: AnswerFacts, details: StreamDetails): Json {
  const { stream } = assets;
  const { created, host } = stream;
  return {
    config: streamConfig(stream, facts, details.isListed === true ? "listed" : "alone"),
    created,
    state: streamState(assets, details),
    ...(facts.domain === "" ? {} : { domain: facts.domain }),
    ...(details.cluster === undefined
      ? {}
      : { cluster: clusterInfo(details.cluster) ?? { leader: facts.server } }),
    ...originsInfo(assets),
    ...alternatesInfo(details, facts),
    ts: formatTime(host.nowNs()),
  };
}

/** Those that clients may read instead. Lists do not have them. */
function alternatesInfo({ cluster, isListed }: StreamDetails, { domain }: AnswerFacts): Json {
  const alternates = cluster?.alternates ?? [];
  if (alternates.length === 0 || isListed === true) return {};
  return { alternates: alternates.map((one) => (domain === "" ? one : { ...one, domain })) };
}

/** Where the stream takes messages from, as it stands now. */
export function originsInfo({ stream, origins }: StreamAssets): { mirror?: Json; sources?: readonly Json[] } {
  const { mirror, sources } = origins;
  if (mirror !== null) return { mirror: originInfo(mirror, stream, 0) };
  if (sources.length === 0) return {};
  return {
    sources: sources.map((link) =>
      originInfo(link, stream, stream.positions.of(originKey(link.options.origin)).sequence),
    ),
  };
}

/** `sequence`: of the last message that was taken; 0: it is not told. */
function originInfo({ options, lag, heardMs, error }: Link, { host }: Stream, sequence: number): Json {
  const { name, external, filter, transforms } = writeOrigin(options.origin);
  const active = heardMs === 0 ? -1 : Math.max(0, Math.round((host.clock.nowMs() - heardMs) * 1e6));
  return {
    name,
    ...(external === undefined ? {} : { external }),
    lag,
    ...(sequence === 0 ? {} : { seq: sequence }),
    active,
    ...(error === null ? {} : { error: JSON.parse(errorJson(error)) as Json }),
    ...(filter === undefined ? {} : { filter_subject: filter }),
    ...(transforms === undefined ? {} : { subject_transforms: transforms }),
  };
}

function writeOrigin(origin: OriginConfig): Json {
  const {
    name,
    external,
    filter_subject: filter,
    subject_transforms: transforms,
  } = writeObject(originShape, origin);
  return { name, external, filter, transforms };
}

export function streamConfig({ config }: Stream, facts: AnswerFacts, as: "listed" | "alone"): Json {
  const levels = { ...facts, required: requiredLevel(config) };
  return { ...writeObject(streamShape, config), metadata: answeredMetadata(config.metadata, levels, as) };
}

export function streamState(assets: StreamAssets, { deleted, subjects, cluster }: StreamDetails): Json {
  const { store } = assets.stream;
  const isEmpty = store.messages === 0;
  const holes = store.holeCount;
  const isFresh = isEmpty && store.last === 0;
  return {
    messages: store.messages,
    bytes: store.bytes,
    first_seq: isFresh ? 0 : store.first,
    first_ts: isEmpty ? NO_TIME : formatTime(store.timeOf(store.first)),
    last_seq: store.last,
    last_ts: store.lastTimeNs === 0n ? NO_TIME : formatTime(store.lastTimeNs),
    ...(store.subjects.size === 0 ? {} : { num_subjects: store.subjects.size }),
    ...(subjects === null ? {} : { subjects }),
    ...(holes === 0 || isEmpty ? {} : { num_deleted: holes }),
    ...(deleted && holes > 0 && !isEmpty ? { deleted: firstOf(store.holes(), DELETED_MAX) } : {}),
    ...(store.lost.count === 0 ? {} : { lost: { msgs: lostSequences(store.lost), bytes: store.lostBytes } }),
    // wherever they are kept
    consumer_count: cluster?.consumers || publicConsumers(assets).length + assets.followed.size,
  };
}

/** undefined: there is no cluster. */
export function clusterInfo(figures: ClusterFigures | null): Json | undefined {
  if (figures === null) return undefined;
  const { name, group, leader, leadsSinceMs, traffic, replicas } = figures;
  return {
    name,
    ...(group === "" ? {} : { raft_group: group }),
    ...(leader === "" ? {} : { leader }),
    ...(leadsSinceMs === 0 ? {} : { leader_since: momentOf(leadsSinceMs) }),
    ...(group === "" ? {} : { system_account: true, traffic_account: traffic }),
    ...(replicas.length === 0 ? {} : { replicas: replicas.map(replicaInfo) }),
  };
}

export function replicaInfo({ name, peer, isCurrent, isOffline, silentMs, lag }: ReplicaFigures): Json {
  return {
    name,
    current: isCurrent,
    ...(isOffline ? { offline: true } : {}),
    active: Math.max(0, Math.round(silentMs * 1e6)),
    ...(lag === 0 ? {} : { lag }),
    peer,
  };
}

function momentOf(ms: number): string {
  return formatTime(BigInt(Math.floor(ms * 1000)) * 1000n);
}

export function consumerInfo(consumer: Consumer, facts: AnswerFacts, as: "listed" | "alone" = "alone"): Json {
  const { config, state, stream, host } = consumer.parts;
  const isAwaited = consumer.isPush && host.isAwaited(config.deliverSubject);
  return {
    stream_name: stream.config.name,
    name: consumer.name,
    created: consumer.created,
    config: configInfo(consumer, facts, as),
    delivered: position(state.delivered, consumer.deliveredMs),
    ack_floor: position(state.floor, consumer.acks.ackedMs),
    num_ack_pending: state.pending.size,
    num_redelivered: state.pending.redeliveredCount,
    num_waiting: consumer.requests.size,
    num_pending: consumer.ahead.count,
    ...(isAwaited ? { push_bound: true } : {}),
    ...(consumer.isPaused ? { paused: true, pause_remaining: pauseRemainingNs(consumer) } : {}),
    ts: formatTime(host.nowNs()),
    ...priorityGroups(consumer),
  };
}

/** What a server knows of a consumer that another one leads. */
export function followedInfo(copy: FollowedConsumer, { stream }: StreamAssets, facts: AnswerFacts): Json {
  const { config, state, created } = copy;
  const { store, host } = stream;
  return {
    stream_name: stream.config.name,
    name: config.name,
    created,
    config: configInfo(copy, facts, "listed"),
    delivered: position(state.delivered, 0),
    ack_floor: position(state.floor, 0),
    num_ack_pending: state.pending.size,
    num_redelivered: state.pending.redeliveredCount,
    num_waiting: 0,
    num_pending: followedPending(copy, store),
    ts: formatTime(host.nowNs()),
  };
}

/** 0 where they would have to be counted one by one. */
export function followedPending({ config, state }: FollowedConsumer, store: StreamStore): number {
  const asked = filtersOf(config);
  const filters = asked.length === 0 ? null : asked;
  const from = store.next(state.delivered.stream + 1, filters);
  return from === 0 || !store.isCountedAtOnce(from, filters) ? 0 : store.countFrom(from, filters);
}

/** nats-server shows the first group only. */
function priorityGroups({ config, pin }: Consumer): Json {
  const [group] = config.priorityGroups;
  if (group === undefined) return {};
  const pinned = pin.id === "" ? {} : { pinned_client_id: pin.id };
  const since = pin.id === "" ? NO_TIME : formatTime(BigInt(Math.floor(pin.sinceMs * 1000)) * 1000n);
  return { priority_groups: [{ group, ...pinned, pinned_ts: since }] };
}

function pauseRemainingNs({ config, parts }: Consumer): number {
  return Math.max(0, Math.round((Date.parse(config.pauseUntil) - parts.host.clock.nowMs()) * 1e6));
}

/** A name that was made up does not stand in the configuration. */
function configInfo(
  { config, wasNamed }: Pick<FollowedConsumer, "config" | "wasNamed">,
  facts: AnswerFacts,
  as: "listed" | "alone",
): Json {
  const json = writeObject(consumerShape, wasNamed ? config : { ...config, name: "" });
  return {
    ...json,
    metadata: answeredMetadata(config.metadata, { ...facts, required: requiredConsumerLevel(config) }, as),
  };
}

function answeredMetadata(
  metadata: Readonly<Record<string, string>>,
  { level, version, required }: AnswerFacts & { readonly required: number },
  as: "listed" | "alone",
): Json {
  const levels = as === "listed" ? {} : { "_nats.level": `${level}`, "_nats.ver": version };
  const own = { "_nats.req.level": `${required}`, ...levels };
  const all = Object.entries({ ...own, ...metadata });
  return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function position({ consumer, stream }: { consumer: number; stream: number }, activeMs: number): Json {
  const active =
    activeMs === 0 ? {} : { last_active: formatTime(BigInt(Math.floor(activeMs * 1000)) * 1000n) };
  return { consumer_seq: consumer, stream_seq: stream, ...active };
}

function firstOf(numbers: Iterable<number>, most: number): number[] {
  const found: number[] = [];
  for (const number of numbers) {
    if (found.length === most) break;
    found.push(number);
  }
  return found;
}

function lostSequences(lost: Iterable<{ from: number; to: number }>): number[] {
  const found: number[] = [];
  for (const { from, to } of lost)
    for (let sequence = from; sequence <= to && found.length < DELETED_MAX; sequence++) found.push(sequence);
  return found;
}
