/**
 * Requests that the leader of the meta group judges: which streams and consumers there are to be, and who keeps them. What it accepts is
 * proposed; whoever leads the stream or the consumer answers.
 */
import { isDeepStrictEqual } from "node:util";
import { hashName, randomToken } from "../../base/base62.ts";
import { randomInt } from "../../base/random.ts";
import type { PeerId } from "../../raft/messages.ts";
import { subjectsMeet } from "../../subject/subject.ts";
import { apiErrors } from "../api-error.ts";
import type { Assets } from "../assets.ts";
import { checkConsumerCount, consumerBounds } from "../bounds.ts";
import { checkConsumerUpdate, type ConsumerConfig } from "../consumer/config.ts";
import { completeConsumer } from "../consumer/complete.ts";
import { checkWorkQueue } from "../consumer/work-queue.ts";
import { limitsFor, mostOf, reservedBy, shareLimits, tierOf, type JetStreamLimits } from "../limits.ts";
import {
  encodeConsumer,
  encodeStream,
  type ConsumerAssignment,
  type GroupAssignment,
  type PlacedStream,
  type StreamAssignment,
} from "../meta/assignments.ts";
import type { KnownServers } from "../meta/known-servers.ts";
import type { MetaGroup } from "../meta/meta-group.ts";
import { checkStreamUpdate } from "../stream/complete.ts";
import type { StreamConfig } from "../stream/config.ts";
import { formatTime } from "../time.ts";
import {
  askedConsumer,
  askedDurable,
  askedPause,
  atPlaceThere,
  checkIdentity,
  configForOrigin,
  pauseFields,
} from "./consumer-requests.ts";
import type { AnswerFacts } from "./info.ts";
import { choosePeers, fittingPeers, moveStream, wantedPeers, type PlacementRoom } from "./cluster-moves.ts";
import { bodyOf, expectEmpty, textOf, type Fields } from "./request.ts";
import { restoredConfig } from "./backup-requests.ts";
import { configOf } from "./stream-requests.ts";

/** What a configuration is judged against. */
interface Judged {
  readonly account: string;
  readonly assets: Pick<Assets, "limits">;
  readonly meta: MetaGroup;
}

interface MetaRequest {
  readonly account: string;
  readonly assets: Assets;
  readonly facts: AnswerFacts;
  readonly names: readonly string[];
  readonly payload: string;
  /** `Nats-Stream-Identity`; "": none. */
  readonly identity: string;
  readonly subject: string;
  readonly reply: string;
  readonly client: Record<string, unknown>;
  readonly meta: MetaGroup;
  readonly servers: KnownServers;
  readonly clusterName: string;
  readonly uniqueTag: string;
  /** Answers at once; else whoever leads what was asked for answers. */
  readonly answer: (fields: Fields) => void;
  /** Lets a server take in a backup, which answers from then on. */
  readonly restoreAt: (peer: PeerId, config: StreamConfig) => void;
}

type Judge = (request: MetaRequest) => void;

const createStream: Judge = (request) => {
  const { account, meta } = request;
  const config = configOf(withAssigned(request));
  if (config.sealed) throw apiErrors.streamInvalidConfig("stream configuration for create can not be sealed");
  if (config.mirrorDirect && config.mirror === null)
    throw apiErrors.streamInvalidConfig("stream has no mirror but does have mirror direct");
  const there = meta.assignments.stream(account, config.name);
  if (there !== undefined) {
    if (!isDeepStrictEqual(there.assignment.config, config)) throw apiErrors.streamNameExists();
    meta.propose(encodeStream({ ...there.assignment, ...askedIn(request) }, "assign"));
    return;
  }
  checkRoom(request, config);
  const { assets } = request;
  const assignment: StreamAssignment = {
    ...askedIn(request),
    account,
    created: formatTime(assets.host.nowNs()),
    config,
    group: groupFor(request, config),
    sync: `$JSC.SYNC.${randomToken(assets.host.random)}`,
  };
  meta.propose(encodeStream(assignment, "assign"));
};

/** One of those that may keep the stream takes the backup in, and offers what it has made of it to the cluster at the end. */
const restoreStream: Judge = (request) => {
  const { account, meta, servers, assets, payload, names, restoreAt } = request;
  if (payload === "" || payload === "{}") throw apiErrors.badRequest();
  const config = restoredConfig(withAssigned(request));
  if (meta.assignments.stream(account, names[0]!) !== undefined) throw apiErrors.restoreNameTaken();
  checkRoom(request, config);
  const peers = choosePeers(surroundingsOf(request), config, []);
  const online = peers.filter((peer) => servers.isOnline(peer));
  restoreAt(online[randomInt(assets.host.random, online.length)]!, config);
};

const updateStream: Judge = (request) => {
  const { account, meta } = request;
  const config = configOf(withAssigned(request));
  const there = placed(request, config.name);
  const before = there.assignment.config;
  const next = checkStreamUpdate(before, config);
  checkChange(request, next, before);
  checkOverlap(meta.assignments.streamsOf(account), next);
  const assignment = { ...there.assignment, ...askedIn(request), config: next };
  const isMoved = !isDeepStrictEqual(next.placement, before.placement);
  if (next.replicas === before.replicas && !isMoved) {
    meta.propose(encodeStream(assignment, "update"));
    return;
  }
  if (next.replicas > before.replicas) checkRoom(request, next);
  else limitsFor(request.assets.limits, next);
  const around = surroundingsOf(request);
  const wanted = wantedPeers(there.assignment.group);
  const kept = isMoved ? fittingPeers(around, next, wanted) : wanted;
  moveStream(around, there, assignment, choosePeers(around, next, kept));
};

const removePeer: Judge = (request) => {
  const { names, payload, answer } = request;
  const there = placed(request, names[0]!);
  const { assignment } = there;
  const body = bodyOf(payload);
  const name = textOf(body, "peer");
  const wanted = wantedPeers(assignment.group);
  const peer = wanted.includes(name) ? name : hashName(name);
  if (name === "") throw apiErrors.badRequest();
  if (!wanted.includes(peer)) throw apiErrors.peerNotMember();
  const around = surroundingsOf(request);
  const left = wanted.filter((one) => one !== peer);
  const others = choosePeers({ ...around, without: peer }, assignment.config, left);
  moveStream(around, there, { ...assignment, client: {}, subject: "", reply: "" }, others);
  answer({ success: true });
};

const deleteStream: Judge = (request) => {
  expectEmpty(request.payload);
  const { assignment } = placed(request, request.names[0]!);
  request.meta.propose(encodeStream({ ...assignment, ...askedIn(request), sync: "" }, "remove"));
};

const createConsumer: Judge = (request) => {
  const { subject, meta, assets, account } = request;
  const isDurable = subject.startsWith("$JS.API.CONSUMER.DURABLE.");
  const { config: asked, action, isPedantic } = isDurable ? askedDurable(request) : askedConsumer(request);
  const there = placed(request, request.names[0]!);
  const stream = there.assignment.config;
  const strictness = isPedantic ? "pedantic" : "lenient";
  const forOrigin = configForOrigin(asked, stream, assets.host.random);
  checkIdentity(forOrigin, there.assignment.created, request.identity);
  const placedConfig = atPlaceThere(forOrigin, there);
  const config = completeConsumer(
    placedConfig,
    stream,
    consumerBounds(assets, placedConfig, stream),
    strictness,
  );
  if (config.replicas > stream.replicas) throw apiErrors.consumerReplicasExceed();
  if (stream.retention !== "limits" && config.replicas > 0 && config.replicas !== stream.replicas)
    throw apiErrors.consumerReplicasDiffer();
  const name = config.name || config.durable || randomToken(assets.host.random);
  const before = there.consumers.get(name);
  const queue = { stream: { config: stream }, consumers: there.consumers };
  if (before === undefined) {
    if (action === "update") throw apiErrors.consumerDoesNotExist();
    checkConsumerCount(queue, config, assets);
    checkWorkQueue(queue, config, null);
  } else {
    const isSame = isDeepStrictEqual({ ...config, name: "" }, { ...before.config, name: "" });
    if (action === "create" && !isSame) throw apiErrors.consumerExists();
    if (!isSame) checkConsumerUpdate(before.config, config);
    if (!isSame) checkWorkQueue(queue, config, before);
    const { deliverSubject } = before.config;
    if (config.deliverSubject !== deliverSubject && assets.host.isAwaited(deliverSubject))
      throw apiErrors.consumerNameTaken();
  }
  const assignment: ConsumerAssignment = {
    ...askedIn(request),
    account,
    stream: stream.name,
    name,
    created: before?.created ?? formatTime(assets.host.nowNs()),
    config,
    group: before?.group ?? consumerGroup(request, there.assignment, config),
  };
  meta.propose(encodeConsumer(assignment, "assign"));
};

const deleteConsumer: Judge = (request) => {
  expectEmpty(request.payload);
  const found = placed(request, request.names[0]!).consumers.get(request.names[1]!);
  if (found === undefined) throw apiErrors.consumerNotFound();
  request.meta.propose(encodeConsumer({ ...found, ...askedIn(request) }, "remove"));
};

/** Every copy has to know of it. */
const pauseConsumer: Judge = (request) => {
  const { meta, names, answer, assets } = request;
  const found = placed(request, names[0]!).consumers.get(names[1]!);
  if (found === undefined) throw apiErrors.consumerNotFound();
  const pauseUntil = askedPause(request);
  const config = { ...found.config, pauseUntil };
  meta.propose(encodeConsumer({ ...found, ...askedIn(request), reply: "", config }, "assign"));
  meta.whenSettled(() => answer(pauseFields(pauseUntil, assets.host.clock.nowMs())));
};

/** By the subject of the operation. */
export const META_REQUESTS: ReadonlyMap<string, Judge> = new Map([
  ["STREAM.CREATE", createStream],
  ["STREAM.UPDATE", updateStream],
  ["STREAM.DELETE", deleteStream],
  ["STREAM.RESTORE", restoreStream],
  ["STREAM.PEER.REMOVE", removePeer],
  ["CONSUMER.CREATE", createConsumer],
  ["CONSUMER.DURABLE.CREATE", createConsumer],
  ["CONSUMER.DELETE", deleteConsumer],
  ["CONSUMER.PAUSE", pauseConsumer],
]);

function askedIn({ client, subject, reply }: MetaRequest) {
  return { client, subject, reply };
}

/** The assigned streams stand where a server by itself has its own. */
function withAssigned({ payload, names, facts, assets, account, meta }: MetaRequest) {
  const streams = new Map(
    [...meta.assignments.streamsOf(account)].map(([name, { assignment }]) => [
      name,
      { stream: { config: assignment.config } },
    ]),
  );
  return { payload, names, facts, assets: { options: assets.options, streams } };
}

function placed({ account, meta }: MetaRequest, name: string): PlacedStream {
  const found = meta.assignments.stream(account, name);
  if (found === undefined) throw apiErrors.streamNotFound();
  return found;
}

/** Whether the account may have such a stream: its limits, or those of the tier with as many replicas. Throws `ApiError`. */
export function checkRoom({ account, assets, meta }: Judged, config: StreamConfig): void {
  const { limits } = assets;
  const of = limitsFor(limits, config);
  const streams = meta.assignments.streamsOf(account);
  const others = [...streams.values()]
    .map(({ assignment }) => assignment.config)
    .filter((one) => one.name !== config.name && shareLimits(limits, one, config));
  if (of.maxStreams >= 0 && others.length >= of.maxStreams) throw apiErrors.maximumStreams();
  if (of.maxBytesRequired && config.maxBytes <= 0) throw apiErrors.maxBytesRequired();
  const most = config.storage === "file" ? of.maxFileStreamBytes : of.maxMemoryStreamBytes;
  if (most > 0 && config.maxBytes > most) throw apiErrors.streamMaxBytesExceeded();
  checkOverlap(streams, config);
  // a stream without a limit counts as one of a byte, as in nats-server
  checkReservation(limits, others, { ...config, maxBytes: Math.max(1, config.maxBytes) });
}

/** A change must not set aside more than there is, whatever else the stream would be refused for. Throws `ApiError`. */
function checkChange({ account, assets, meta }: MetaRequest, next: StreamConfig, before: StreamConfig): void {
  const { limits } = assets;
  const hasTier = limits.tiers === null || limits.tiers.has(tierOf(next));
  const config = hasTier ? next : { ...next, replicas: before.replicas };
  const others = [...meta.assignments.streamsOf(account).values()]
    .map(({ assignment }) => assignment.config)
    .filter((one) => one.name !== next.name && shareLimits(limits, one, config));
  checkReservation(limits, others, config);
}

function checkReservation(
  limits: JetStreamLimits,
  others: readonly StreamConfig[],
  config: StreamConfig,
): void {
  const { storage } = config;
  const most = mostOf(limitsFor(limits, config), storage);
  if (most < 0) return;
  let reserved = reservedBy(limits, config);
  for (const one of others) if (one.storage === storage) reserved += reservedBy(limits, one);
  if (reserved > most)
    throw storage === "file" ? apiErrors.insufficientStorage() : apiErrors.insufficientMemory();
}

/** Throws `ApiError`. */
export function checkOverlap(streams: ReadonlyMap<string, PlacedStream>, config: StreamConfig): void {
  for (const { assignment } of streams.values()) {
    const other = assignment.config;
    if (other.name === config.name) continue;
    if (config.subjects.some((one) => other.subjects.some((each) => subjectsMeet(one, each))))
      throw apiErrors.subjectsOverlap();
  }
}

function surroundingsOf({ meta, servers, clusterName, uniqueTag, assets }: MetaRequest): PlacementRoom {
  return { meta, servers, clusterName, uniqueTag, random: assets.host.random };
}

function groupFor(request: MetaRequest, config: StreamConfig): GroupAssignment {
  const peers = choosePeers(surroundingsOf(request), config, []);
  const { storage, placement } = config;
  const cluster = placement?.cluster || request.clusterName;
  return namedGroup(surroundingsOf(request), "S", { peers, storage, cluster });
}

function consumerGroup(
  request: MetaRequest,
  { config: stream, group }: StreamAssignment,
  { replicas, durable, memoryStorage }: ConsumerConfig,
): GroupAssignment {
  const { random } = request.assets.host;
  const isEphemeral = durable === "" && stream.retention === "limits";
  const wanted = replicas > 0 ? replicas : isEphemeral ? 1 : stream.replicas;
  const all = wantedPeers(group);
  const count = stream.retention !== "limits" ? all.length : Math.min(wanted, all.length);
  const online = all.filter((peer) => request.servers.isOnline(peer));
  const others = all.filter((peer) => !online.includes(peer));
  const from = online.length === 0 ? 0 : randomInt(random, online.length);
  const peers = [...online.slice(from), ...online.slice(0, from), ...others].slice(0, count);
  const storage = memoryStorage ? "memory" : stream.storage;
  return namedGroup(surroundingsOf(request), "C", { peers, storage, cluster: group.cluster });
}

export function namedGroup(
  { random, servers }: Pick<PlacementRoom, "random" | "servers">,
  kind: "S" | "C",
  { peers, storage, cluster }: Pick<GroupAssignment, "peers" | "storage" | "cluster">,
): GroupAssignment {
  const letter = storage === "file" ? "F" : "M";
  const online = peers.filter((peer) => servers.isOnline(peer));
  const preferred = online[randomInt(random, Math.max(1, online.length))] ?? "";
  return {
    name: `${kind}-R${peers.length}${letter}-${randomToken(random)}`,
    peers,
    storage,
    cluster,
    preferred,
  };
}
