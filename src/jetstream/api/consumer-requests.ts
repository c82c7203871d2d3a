/** Requests about consumers. */
import { advisePause } from "../advisories.ts";
import { apiErrors } from "../api-error.ts";
import { knownFields, readObject } from "../codec.ts";
import { checkConsumerUpdate, consumerShape, isValidGroup, type ConsumerConfig } from "../consumer/config.ts";
import { completeConsumer } from "../consumer/complete.ts";
import type { Consumer } from "../consumer/consumer.ts";
import { startOf } from "../consumer/start.ts";
import { consumerBounds } from "../bounds.ts";
import { publicConsumers, type Assets, type StreamAssets } from "../assets.ts";
import { isDeepStrictEqual } from "node:util";
import {
  bodyOf,
  expectEmpty,
  Later,
  notClustered,
  numberOf,
  streamOf,
  textOf,
  whenKept,
  type ApiRequest,
  type Handler,
  type ApiOperation,
  type Fields,
} from "./request.ts";
import { fieldsOf, PAGE_FIELDS, PAUSE_FIELDS } from "./request-fields.ts";
import { hashName, randomToken } from "../../base/base62.ts";
import type { Random } from "../../base/random.ts";
import { VERSION_LINE } from "../headers.ts";
import { IDENTITY_HEADER } from "../origins/setup.ts";
import type { StreamConfig } from "../stream/config.ts";
import { isTime, NO_TIME } from "../time.ts";
import { clusterInfo, consumerInfo, type AnswerFacts } from "./info.ts";

const NAMES_PAGE = 1024;
const LIST_PAGE = 256;

type CreateRequest = Pick<ApiRequest, "payload" | "facts" | "names">;

interface CreateBody {
  readonly config: ConsumerConfig;
  readonly action: string;
  readonly isPedantic: boolean;
}

/** The body of a create, its configuration as it was asked for. Throws `ApiError`. */
function bodyOfCreate(request: CreateRequest): CreateBody {
  const body = bodyOf(request.payload);
  const { facts } = request;
  for (const name of Object.keys(body)) {
    if (facts.isStrict && !["stream_name", "config", "action", "pedantic"].includes(name))
      throw apiErrors.invalidJson(`json: unknown field "${name}"`);
  }
  if (textOf(body, "stream_name") !== request.names[0]) throw apiErrors.streamMismatch();
  const config = body["config"] ?? {};
  const asked = facts.isStrict ? config : knownFields(consumerShape, config);
  return {
    config: readObject(consumerShape, asked),
    action: textOf(body, "action"),
    isPedantic: body["pedantic"] === true,
  };
}

const create: Handler = (request) => make(request, askedConsumer(request));

const createDurable: Handler = (request) => make(request, askedDurable(request));

/** Throws `ApiError`. */
export function askedConsumer(request: CreateRequest): CreateBody {
  const body = bodyOfCreate(request);
  const { config } = body;
  const [, name, ...filter] = request.names;
  if (name === undefined) {
    if (config.durable !== "") throw apiErrors.consumerEphemeralWithDurable();
    return body;
  }
  if (config.durable !== "" && config.durable !== name) throw apiErrors.consumerDurableMismatch();
  if (filter.length > 0) {
    if (config.filters.length > 0) throw apiErrors.manyFiltersInSubject();
    if (config.filter !== filter.join(".")) throw apiErrors.filterMismatch();
  }
  return { ...body, config: { ...config, name } };
}

/** Throws `ApiError`. */
export function askedDurable(request: CreateRequest): CreateBody {
  const body = bodyOfCreate(request);
  const { config } = body;
  const [, name] = request.names;
  if (config.durable === "") throw apiErrors.consumerDurableNotSet();
  if (config.durable !== name) throw apiErrors.consumerDurableMismatch();
  return { ...body, config: { ...config, name } };
}

function make(request: ApiRequest, { config: asked, action, isPedantic }: CreateBody): Later {
  const { assets } = request;
  const found = streamOf(request, request.names[0]!);
  const strictness = isPedantic ? "pedantic" : "lenient";
  const forOrigin = configForOrigin(asked, found.stream.config, assets.host.random);
  checkIdentity(forOrigin, found.stream.created, request.identity);
  const placed = atPlaceThere(forOrigin, found);
  const stream = found.stream.config;
  const bounds = consumerBounds(assets, placed, stream);
  const config = completeConsumer(placed, stream, bounds, strictness);
  const there = config.name === "" ? undefined : found.consumers.get(config.name);
  if (there === undefined) {
    if (action === "update") throw apiErrors.consumerDoesNotExist();
    return infoWhenKept(request, found, assets.createConsumer(found, config));
  }
  const isSame = isDeepStrictEqual({ ...config, name: "" }, { ...there.config, name: "" });
  if (action === "create" && !isSame) throw apiErrors.consumerExists();
  if (!isSame) {
    checkConsumerUpdate(there.config, config);
    const { deliverSubject } = there.config;
    if (config.deliverSubject !== deliverSubject && assets.host.isAwaited(deliverSubject))
      throw apiErrors.consumerNameTaken();
    assets.updateConsumer(found, there, config);
  }
  if (config.sourcing) there.reset(there.state.floor.stream + 1);
  return infoWhenKept(request, found, there);
}

function infoWhenKept(request: ApiRequest, found: StreamAssets, consumer: Consumer): Later {
  // The state of when it was made: it may deliver before the answer is given.
  let fields: Fields = {};
  consumer.ahead.whenCounted(() => (fields = consumerInfo(consumer, request.facts)));
  return whenKept(request, found, consumer, (answer) => consumer.ahead.whenCounted(() => answer(fields)));
}

/**
 * A server asks for a consumer for a mirror or a source, always by the same name. If messages are removed once they are
 * acknowledged, the consumer keeps its position, and a message is settled when the other stream has it; otherwise each request gets a new one.
 */
export function configForOrigin(
  config: ConsumerConfig,
  stream: StreamConfig,
  random: Random,
): ConsumerConfig {
  if (!config.direct || !config.sourcing || config.name === "") return config;
  if (stream.retention === "limits") return { ...config, name: `${config.name}-${randomToken(random)}` };
  return {
    ...config,
    direct: false,
    durable: config.name,
    ackPolicy: "flow_control",
    ackWaitNs: 0,
    maxDeliver: 0,
    inactiveThresholdNs: 0,
  };
}

/** The stream has to be the one that messages were taken from before. `created`: when it was made. Throws `ApiError`. */
export function checkIdentity({ direct, sourcing }: ConsumerConfig, created: string, expected: string): void {
  if ((!direct && !sourcing) || expected === "") return;
  const identity = hashName(created);
  if (expected !== identity) throw apiErrors.identityMismatch(identity);
}

/** One that keeps its place goes on there, whatever the request says. */
export function atPlaceThere(
  config: ConsumerConfig,
  { consumers }: { readonly consumers: ReadonlyMap<string, { readonly config: ConsumerConfig }> },
): ConsumerConfig {
  const there = consumers.get(config.name)?.config;
  if (!config.sourcing || config.durable === "" || there === undefined) return config;
  const { deliverPolicy, startSequence, startTime } = there;
  return { ...config, deliverPolicy, startSequence, startTime };
}

/** Servers that take messages from a stream are told which one it is. */
function identityHeaders(request: ApiRequest, answer: Readonly<Record<string, unknown>>): string {
  return identityBlock(request.assets.streams.get(request.names[0]!)?.stream, answer);
}

export function identityBlock(
  stream: { readonly created: string } | undefined,
  answer: Readonly<Record<string, unknown>>,
): string {
  const { direct, sourcing } = (answer["config"] ?? {}) as { direct?: boolean; sourcing?: boolean };
  if (stream === undefined || (direct !== true && sourcing !== true)) return "";
  return `${VERSION_LINE}${IDENTITY_HEADER}: ${hashName(stream.created)}\r\n\r\n`;
}

function consumerOf(request: ApiRequest): { found: StreamAssets; consumer: Consumer } {
  const found = streamOf(request, request.names[0]!);
  const consumer = found.consumers.get(request.names[1]!);
  if (consumer === undefined) throw apiErrors.consumerNotFound();
  return { found, consumer };
}

const info: Handler = (request) => {
  expectEmpty(request.payload);
  return infoWhenCounted(consumerOf(request).consumer, request.assets, request.facts);
};

/** How many messages lie ahead may have to be counted first. */
export function infoWhenCounted(consumer: Consumer, assets: Assets, facts: AnswerFacts): Later {
  return new Later((answer) =>
    consumer.ahead.whenCounted(() => {
      const cluster = clusterInfo(assets.clusterOf(consumer.stream.config.name, consumer.name));
      answer({ ...consumerInfo(consumer, facts), ...(cluster === undefined ? {} : { cluster }) });
    }),
  );
}

const remove: Handler = (request) => {
  expectEmpty(request.payload);
  const { found, consumer } = consumerOf(request);
  request.assets.deleteConsumer(found, consumer);
  return { success: true };
};

const names: Handler = (request) => {
  const body = fieldsOf(request, PAGE_FIELDS);
  const all = sorted(streamOf(request, request.names[0]!));
  const offset = Math.min(numberOf(body, "offset"), all.length);
  const page = all.slice(offset, offset + NAMES_PAGE).map(({ name }) => name);
  return { total: all.length, offset, limit: NAMES_PAGE, consumers: page };
};

const list: Handler = (request) => {
  const body = fieldsOf(request, PAGE_FIELDS);
  const all = sorted(streamOf(request, request.names[0]!));
  const offset = Math.min(numberOf(body, "offset"), all.length);
  const page = all.slice(offset, offset + LIST_PAGE).map((one) => consumerInfo(one, request.facts, "listed"));
  return { total: all.length, offset, limit: LIST_PAGE, consumers: page };
};

function sorted(assets: StreamAssets): readonly Consumer[] {
  return publicConsumers(assets).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** "": it is not to pause. Throws `ApiError`. */
export function askedPause(request: Pick<ApiRequest, "payload" | "facts">): string {
  const pauseUntil = textOf(fieldsOf(request, PAUSE_FIELDS), "pause_until");
  if (pauseUntil !== "" && !isTime(pauseUntil))
    throw apiErrors.invalidJson(`parsing time ${JSON.stringify(pauseUntil)}`);
  return pauseUntil;
}

export function pauseFields(pauseUntil: string, nowMs: number): Fields {
  const remainingMs = pauseUntil === "" ? 0 : Date.parse(pauseUntil) - nowMs;
  if (remainingMs <= 0) return { paused: false, pause_until: pauseUntil === "" ? NO_TIME : pauseUntil };
  return { paused: true, pause_until: pauseUntil, pause_remaining: Math.round(remainingMs * 1e6) };
}

const pause: Handler = (request) => {
  const { consumer } = consumerOf(request);
  const pauseUntil = askedPause(request);
  const config = { ...consumer.config, pauseUntil };
  request.assets.keepConfig(consumer, config);
  consumer.reconfigure(config);
  advisePause(request.assets.host, consumer, pauseUntil);
  return pauseFields(pauseUntil, request.assets.host.clock.nowMs());
};

const reset: Handler = (request) => {
  const { consumer } = consumerOf(request);
  const asked = numberOf(bodyOf(request.payload), "seq");
  if (asked !== 0) checkReset(consumer, asked);
  const sequence = asked === 0 ? consumer.state.floor.stream + 1 : asked;
  const { assets, facts } = request;
  const stream = consumer.stream.config.name;
  const answerOf = (): Fields => {
    const cluster = clusterInfo(assets.clusterOf(stream, consumer.name));
    return {
      ...consumerInfo(consumer, facts),
      ...(cluster === undefined ? {} : { cluster }),
      reset_seq: sequence,
    };
  };
  const shared = assets.sharedConsumer(stream, consumer.name);
  if (shared !== null) return new Later((answer) => shared.reset(sequence, () => answer(answerOf())));
  consumer.reset(sequence);
  return answerOf();
};

/** Throws `ApiError`: a consumer does not go back below the place where it had to begin. */
function checkReset({ config, stream }: Consumer, sequence: number): void {
  switch (config.deliverPolicy) {
    case "all":
      return;
    case "by_start_sequence":
      if (sequence < config.startSequence) throw apiErrors.resetInvalid("below start seq");
      return;
    case "by_start_time":
      if (sequence < startOf(config, stream)) throw apiErrors.resetInvalid("below start time");
      return;
    default:
      throw apiErrors.resetInvalid("not allowed");
  }
}

const unpin: Handler = (request) => {
  const group = textOf(bodyOf(request.payload), "group");
  if (request.payload.trim() === "") throw apiErrors.invalidJson("unexpected end of JSON input");
  if (group === "") throw apiErrors.invalidJson("consumer group not specified");
  if (!isValidGroup(group)) throw apiErrors.invalidGroup();
  const { consumer } = consumerOf(request);
  if (!consumer.config.priorityGroups.includes(group)) throw apiErrors.unknownGroup();
  consumer.unpin(group);
  return {};
};

/** Names of filters that a consumer create may have in its subject. */
const TOKENS_MAX = 64;
const NO_PAGE = { total: 0, offset: 0, limit: 0, consumers: [] };

export const consumerRequests: readonly ApiOperation[] = [
  {
    subject: "CONSUMER.CREATE",
    names: [1, TOKENS_MAX],
    type: "consumer_create",
    handle: create,
    headers: identityHeaders,
  },
  { subject: "CONSUMER.DURABLE.CREATE", names: [2, 2], type: "consumer_create", handle: createDurable },
  {
    subject: "CONSUMER.NAMES",
    names: [1, 1],
    type: "consumer_names",
    kind: "list",
    handle: names,
    refusal: NO_PAGE,
  },
  {
    subject: "CONSUMER.LIST",
    names: [1, 1],
    type: "consumer_list",
    kind: "list",
    handle: list,
    refusal: NO_PAGE,
  },
  { subject: "CONSUMER.INFO", names: [2, 2], type: "consumer_info", kind: "information", handle: info },
  { subject: "CONSUMER.DELETE", names: [2, 2], type: "consumer_delete", handle: remove },
  {
    subject: "CONSUMER.PAUSE",
    names: [2, 2],
    type: "consumer_pause",
    handle: pause,
    refusal: { paused: false, pause_until: NO_TIME },
  },
  { subject: "CONSUMER.UNPIN", names: [2, 2], type: "consumer_unpin", handle: unpin },
  {
    subject: "CONSUMER.RESET",
    names: [2, 2],
    type: "consumer_reset",
    handle: reset,
    refusal: { reset_seq: 0 },
    headers: identityHeaders,
  },
  {
    subject: "CONSUMER.LEADER.STEPDOWN",
    names: [2, 2],
    type: "consumer_leader_stepdown",
    kind: "information",
    handle: notClustered,
  },
  {
    subject: "CONSUMER.PEER.REMOVE",
    names: [2, 2],
    type: "consumer_remove_peer",
    kind: "information",
    handle: notClustered,
  },
  {
    subject: "CONSUMER.PEER.EVACUATE",
    names: [2, 2],
    type: "consumer_evacuate_peer",
    kind: "information",
    handle: notClustered,
  },
];
