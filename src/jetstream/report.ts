/**
 * JetStream as monitoring shows it, in nats-server's words. Everything is read when it is asked for; lists are made piece by piece,
 * since there may be a hundred thousand streams.
 */
import type { StreamAssets } from "./assets.ts";
import { consumerInfo, streamInfo, type AnswerFacts } from "./api/info.ts";
import type { Consumer } from "./consumer/consumer.ts";
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
  /** Messages that damage has taken. */
  readonly lost: number;
  /** Why it takes no messages; "": it does. */
  readonly problem: string;
  readonly consumers: Iterable<ConsumerReport>;
  hasConsumer(name: string): boolean;
}

interface ConsumerReport {
  readonly name: string;
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
        totals.consumers += consumers.size;
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
    const { limits, counters, streams, putAside } = assets;
    return {
      name,
      limits,
      putAside,
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
          for (const one of streams.values()) yield streamReport(one, facts);
        },
      },
      stream: (wanted) => {
        const found = streams.get(wanted);
        return found === undefined ? null : streamReport(found, facts);
      },
    };
  }

  private get facts(): AnswerFacts {
    return this.jetStream.options.facts;
  }
}

function streamReport(assets: StreamAssets, facts: AnswerFacts): StreamReport {
  const { stream, consumers } = assets;
  const info = (): Json => streamInfo(assets, facts, { deleted: false, subjects: null, isListed: true });
  return {
    name: stream.config.name,
    created: stream.created,
    leader: facts.server,
    lost: stream.store.lost.count,
    problem: stream.problem,
    get config() {
      return info()["config"] as Json;
    },
    get state() {
      return info()["state"] as Json;
    },
    consumers: {
      *[Symbol.iterator]() {
        for (const consumer of consumers.values()) yield consumerReport(consumer, facts);
      },
    },
    hasConsumer: (name) => consumers.has(name),
  };
}

function consumerReport(consumer: Consumer, facts: AnswerFacts): ConsumerReport {
  return { name: consumer.name, info: consumerInfo(consumer, facts, "listed") };
}
