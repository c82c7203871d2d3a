/**
 * JetStream as monitoring shows it, in nats-server's words. Everything is read when it is asked for; lists are made piece by piece,
 * since there may be a hundred thousand streams. Names and other texts, which inside JetStream are byte strings, are texts here.
 */
import { publicConsumers, type StreamAssets } from "./assets.ts";
import { consumerInfo, originsInfo, streamConfig, streamState, type AnswerFacts } from "./api/info.ts";
import { browse, type Browsed, type BrowseOptions } from "./browse.ts";
import type { Consumer } from "./consumer/consumer.ts";
import type { DeadLetterCounts } from "./consumer/dead-letters.ts";
import type { JetStream } from "./jetstream.ts";
import type { JetStreamLimits } from "./limits.ts";

type Json = Record<string, unknown>;

/** What one account or the server uses. */
export interface JetStreamStats {
  readonly memoryBytes: number;
  readonly storageBytes: number;
  /** Set aside: of the server by streams, of an account by its limits, where -1 is none. */
  readonly reservedMemoryBytes: number;
  readonly reservedStorageBytes: number;
  /** Requests to the API since the start, and those that were refused. */
  readonly requests: number;
  readonly errors: number;
}

export interface JetStreamTotals {
  readonly streams: number;
  readonly consumers: number;
  readonly messages: number;
  readonly bytes: number;
}

export interface StreamReport {
  readonly name: string;
  readonly created: string;
  /** Name of the server that leads it. */
  readonly leader: string;
  /** nats-server's `config`. */
  readonly config: Json;
  /** nats-server's `state`. */
  readonly state: Json;
  /** nats-server's `mirror` and `sources`, where there are such. */
  readonly origins: Json;
  /** Messages that damage has taken. */
  readonly lost: number;
  readonly lostBytes: number;
  /** Why it takes no messages; "": it does. */
  readonly problem: string;
  readonly figures: StreamFigures;
  readonly consumers: Iterable<ConsumerReport>;
  /** Those that servers made for mirrors and sources. */
  readonly originConsumers: Iterable<ConsumerReport>;
  hasConsumer(name: string): boolean;
  /** Some of its messages, in steps; null: the stream has gone meanwhile. Throws `DiskError`. */
  browse(options: BrowseOptions): Generator<undefined, Browsed | null>;
}

interface StreamFigures {
  readonly messages: number;
  readonly bytes: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly consumers: number;
  readonly subjects: number;
  /** -1: no limit. */
  readonly maxMessages: number;
  readonly maxBytes: number;
}

/** Why a consumer delivers nothing of what it has. */
type Standstill = "paused" | "max_ack_pending" | "no_interest" | "no_waiting_pulls";

interface ConsumerFigures {
  readonly description: string;
  /** Deliveries, and the sequence of the last message that was delivered. */
  readonly delivered: number;
  readonly deliveredStream: number;
  /** null: never. */
  readonly deliveredAgoSeconds: number | null;
  readonly ackedAgoSeconds: number | null;
  readonly floor: number;
  readonly floorStream: number;
  readonly ackPending: number;
  readonly redelivered: number;
  /** Pull requests. */
  readonly waiting: number;
  /** Messages. */
  readonly pending: number;
}

export interface ConsumerReport {
  readonly name: string;
  /** null: it delivers, or has nothing to deliver. */
  readonly standstill: Standstill | null;
  readonly figures: ConsumerFigures;
  /** nats-server's information about a consumer, with its configuration. */
  readonly info: Json;
}

export interface JetStreamAccountReport {
  readonly name: string;
  readonly limits: JetStreamLimits;
  readonly stats: JetStreamStats;
  readonly streams: Iterable<StreamReport>;
  /** Folders that could not be understood, as they are called now. */
  readonly putAside: readonly string[];
  readonly deadLetters: Readonly<DeadLetterCounts>;
  stream(name: string): StreamReport | null;
}

export class JetStreamReport {
  private readonly jetStream: JetStream;

  constructor(jetStream: JetStream) {
    this.jetStream = jetStream;
  }

  get stats(): JetStreamStats {
    const { jetStream } = this;
    let reservedMemoryBytes = 0;
    let reservedStorageBytes = 0;
    let requests = 0;
    let errors = 0;
    for (const { assets } of jetStream.accounts.values()) {
      reservedMemoryBytes += assets.usage.reservedBytes("memory");
      reservedStorageBytes += assets.usage.reservedBytes("file");
      requests += assets.counters.total;
      errors += assets.counters.errors;
    }
    return {
      memoryBytes: jetStream.bytesOf("memory"),
      storageBytes: jetStream.bytesOf("file"),
      reservedMemoryBytes,
      reservedStorageBytes,
      requests,
      errors,
    };
  }

  get totals(): JetStreamTotals {
    const totals = { streams: 0, consumers: 0, messages: 0, bytes: 0 };
    for (const { assets } of this.jetStream.accounts.values()) {
      totals.streams += assets.streams.size;
      for (const { stream, consumers } of assets.streams.values()) {
        totals.consumers += publicConsumers({ consumers }).length;
        totals.messages += stream.store.messages;
        totals.bytes += stream.store.bytes;
      }
    }
    return totals;
  }

  /** Level of the API. */
  get level(): number {
    return this.facts.level;
  }

  get accountCount(): number {
    return this.jetStream.accounts.size;
  }

  /** By name. */
  get accountNames(): string[] {
    return [...this.jetStream.accounts.keys()].toSorted();
  }

  /** null: the account has no JetStream. */
  account(name: string): JetStreamAccountReport | null {
    const assets = this.jetStream.accounts.get(name)?.assets;
    if (assets === undefined) return null;
    const { facts } = this;
    const { limits, counters, streams, putAside, deadLetters } = assets;
    return {
      name,
      limits,
      putAside,
      deadLetters,
      get stats() {
        return {
          memoryBytes: assets.usage.bytesOf("memory"),
          storageBytes: assets.usage.bytesOf("file"),
          reservedMemoryBytes: limits.maxMemoryBytes,
          reservedStorageBytes: limits.maxFileBytes,
          requests: counters.total,
          errors: counters.errors,
        };
      },
      streams: {
        *[Symbol.iterator]() {
          for (const one of streams.values()) yield streamReport(one, facts, streams);
        },
      },
      stream: (wanted) => {
        const found = streams.get(bytesOf(wanted));
        return found === undefined ? null : streamReport(found, facts, streams);
      },
    };
  }

  private get facts(): AnswerFacts {
    return this.jetStream.options.facts;
  }
}

function streamReport(
  assets: StreamAssets,
  facts: AnswerFacts,
  all: ReadonlyMap<string, StreamAssets>,
): StreamReport {
  const { stream, consumers } = assets;
  return {
    name: textOf(stream.config.name),
    created: stream.created,
    leader: facts.server,
    lost: stream.store.lost.count,
    lostBytes: stream.store.lostBytes,
    problem: stream.problem,
    get config() {
      return readable(streamConfig(stream, facts, "listed"));
    },
    get state() {
      return readable(streamState(assets, { deleted: false, subjects: null }));
    },
    get origins() {
      return readable(originsInfo(assets));
    },
    get figures() {
      return streamFigures(assets);
    },
    consumers: {
      *[Symbol.iterator]() {
        for (const consumer of publicConsumers(assets)) yield consumerReport(consumer, facts);
      },
    },
    originConsumers: {
      *[Symbol.iterator]() {
        for (const consumer of consumers.values())
          if (consumer.config.direct) yield consumerReport(consumer, facts);
      },
    },
    hasConsumer: (name) => consumers.has(bytesOf(name)),
    browse: (options) => browse(stream, options, () => all.get(stream.config.name) === assets),
  };
}

function streamFigures(assets: StreamAssets): StreamFigures {
  const { store, config } = assets.stream;
  return {
    messages: store.messages,
    bytes: store.bytes,
    firstSequence: store.first,
    lastSequence: store.last,
    consumers: publicConsumers(assets).length,
    subjects: store.subjects.size,
    maxMessages: config.maxMessages,
    maxBytes: config.maxBytes,
  };
}

function consumerReport(consumer: Consumer, facts: AnswerFacts): ConsumerReport {
  return {
    name: textOf(consumer.name),
    get standstill() {
      return standstillOf(consumer);
    },
    get figures() {
      return consumerFigures(consumer);
    },
    get info() {
      return readable(consumerInfo(consumer, facts, "listed"));
    },
  };
}

function standstillOf(consumer: Consumer): Standstill | null {
  if (consumer.ahead.count === 0) return null;
  if (consumer.isPaused) return "paused";
  const { config, state, host } = consumer.parts;
  if (config.maxAckPending > 0 && state.pending.size >= config.maxAckPending) return "max_ack_pending";
  if (consumer.isPush) return host.isAwaited(config.deliverSubject) ? null : "no_interest";
  return consumer.requests.size === 0 ? "no_waiting_pulls" : null;
}

function consumerFigures(consumer: Consumer): ConsumerFigures {
  const { config, state, host } = consumer.parts;
  const ago = (ms: number): number | null => (ms === 0 ? null : (host.clock.nowMs() - ms) / 1000);
  return {
    description: textOf(config.description),
    delivered: state.delivered.consumer,
    deliveredStream: state.delivered.stream,
    deliveredAgoSeconds: ago(consumer.deliveredMs),
    ackedAgoSeconds: ago(consumer.acks.ackedMs),
    floor: state.floor.consumer,
    floorStream: state.floor.stream,
    ackPending: state.pending.size,
    redelivered: state.pending.redeliveredCount,
    waiting: consumer.requests.size,
    pending: consumer.ahead.count,
  };
}

// oxlint-disable-next-line no-control-regex
const ASCII = /^[\x00-\x7f]*$/;

function textOf(bytes: string): string {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}

function bytesOf(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}

/** Fields with byte strings in them as texts; numbers stay as they are, however they are written. */
function readable(fields: Json): Json {
  return ASCII.test(JSON.stringify(fields)) ? fields : (asText(fields) as Json);
}

function asText(value: unknown): unknown {
  if (typeof value === "string") return textOf(value);
  if (Array.isArray(value)) return value.map(asText);
  if (typeof value !== "object" || value === null || isRaw(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [textOf(key), asText(one)]));
}

/** TypeScript does not know of this function yet. */
const isRaw = (JSON as unknown as { isRawJSON(this: void, value: unknown): boolean }).isRawJSON;
