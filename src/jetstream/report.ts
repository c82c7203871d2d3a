/**
 * JetStream as monitoring shows it, in nats-server's words. Everything is read when it is asked for; lists are made piece by piece,
 * since there may be a hundred thousand streams. Names and other texts, which inside JetStream are byte strings, are texts here.
 */
import { publicConsumers, type Assets, type StreamAssets } from "./assets.ts";
import { clusterInfo, originsInfo, streamConfig, streamState, type AnswerFacts } from "./api/info.ts";
import { browse, type Browsed, type BrowseOptions } from "./browse.ts";
import type { JetStreamClusterReport } from "./cluster-report.ts";
import type { DeadLetterCounts } from "./consumer/dead-letters.ts";
import type { ClusterFigures } from "./group/shared.ts";
import type { JetStream } from "./jetstream.ts";
import type { JetStreamLimits } from "./limits.ts";
import { consumerReport, followedReport, type ConsumerReport } from "./report-consumers.ts";
import { bytesOf, readable, textOf } from "./report-texts.ts";

type Json = Record<string, unknown>;

/** What one account or the server uses. */
export interface JetStreamStats {
  readonly memoryBytes: number;
  readonly storageBytes: number;
  /** Set aside: of the server by streams, of an account by its limits, where -1 is none; 0 with tiers, as in nats-server. */
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
  /** Those that this server leads. */
  readonly streamsLed: number;
  readonly consumersLed: number;
}

export interface StreamReport {
  readonly name: string;
  readonly created: string;
  /** Name of the server that leads it; "": nobody does. */
  readonly leader: string;
  /** The servers that keep it, in nats-server's words. */
  readonly cluster: Json;
  /** "": one server keeps it. */
  readonly group: string;
  /** This server leads it. */
  readonly isLed: boolean;
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

export interface JetStreamAccountReport {
  readonly name: string;
  readonly limits: JetStreamLimits;
  readonly stats: JetStreamStats;
  readonly streams: Iterable<StreamReport>;
  /** Folders that could not be understood, as they are called now. */
  readonly putAside: readonly string[];
  readonly deadLetters: Readonly<DeadLetterCounts>;
  /** Times that a consumer was found to deliver nothing though it should. */
  readonly stuckConsumers: number;
  stream(name: string): StreamReport | null;
}

export class JetStreamReport {
  private readonly jetStream: JetStream;
  /** null: this server belongs to no cluster. */
  readonly cluster: JetStreamClusterReport | null;

  constructor(jetStream: JetStream, cluster: JetStreamClusterReport | null = null) {
    this.jetStream = jetStream;
    this.cluster = cluster;
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
    const totals = { streams: 0, consumers: 0, messages: 0, bytes: 0, streamsLed: 0, consumersLed: 0 };
    for (const { assets } of this.jetStream.accounts.values()) {
      totals.streams += assets.streams.size;
      for (const { stream, consumers, followed } of assets.streams.values()) {
        const led = publicConsumers({ consumers }).length;
        totals.consumers += led + followed.size;
        totals.consumersLed += led;
        if (stream.serves) totals.streamsLed++;
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
    const account = this.jetStream.accounts.get(name);
    if (account === undefined) return null;
    const { assets, watch } = account;
    const { facts } = this;
    const { limits, counters, streams, putAside, deadLetters } = assets;
    return {
      name,
      limits,
      putAside,
      deadLetters,
      stuckConsumers: watch.breaches,
      get stats() {
        return {
          memoryBytes: assets.usage.bytesOf("memory"),
          storageBytes: assets.usage.bytesOf("file"),
          reservedMemoryBytes: limits.tiers === null ? limits.maxMemoryBytes : 0,
          reservedStorageBytes: limits.tiers === null ? limits.maxFileBytes : 0,
          requests: counters.total,
          errors: counters.errors,
        };
      },
      streams: {
        *[Symbol.iterator]() {
          for (const one of streams.values()) yield streamReport(assets, one, facts);
        },
      },
      stream: (wanted) => {
        const found = streams.get(bytesOf(wanted));
        return found === undefined ? null : streamReport(assets, found, facts);
      },
    };
  }

  private get facts(): AnswerFacts {
    return this.jetStream.options.facts;
  }
}

function streamReport(account: Assets, assets: StreamAssets, facts: AnswerFacts): StreamReport {
  const { stream, consumers, followed } = assets;
  const { name } = stream.config;
  const figures = account.clusterOf(name);
  const clusterOf = (consumer: string): ClusterFigures | null => account.clusterOf(name, consumer);
  const all = account.streams;
  return {
    name: textOf(name),
    created: stream.created,
    leader: figures?.leader ?? facts.server,
    group: figures?.group ?? "",
    isLed: stream.serves,
    get cluster() {
      return readable(clusterInfo(figures) ?? { leader: facts.server });
    },
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
        for (const one of publicConsumers(assets)) yield consumerReport(one, facts, clusterOf(one.name));
        for (const one of followed.values())
          yield followedReport(one, { assets, facts, figures: clusterOf(one.config.name) });
      },
    },
    originConsumers: {
      *[Symbol.iterator]() {
        for (const consumer of consumers.values())
          if (consumer.config.direct) yield consumerReport(consumer, facts, clusterOf(consumer.name));
      },
    },
    hasConsumer: (wanted) => consumers.has(bytesOf(wanted)) || followed.has(bytesOf(wanted)),
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
    consumers: publicConsumers(assets).length + assets.followed.size,
    subjects: store.subjects.size,
    maxMessages: config.maxMessages,
    maxBytes: config.maxBytes,
  };
}
