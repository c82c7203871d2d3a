/**
 * The streams and consumers of one account, and their folders:
 *
 *     streams/<stream>/meta.json     configuration and time of creation
 *     streams/<stream>/msgs/         the log of messages
 *     streams/<stream>/sources.json  how far it has taken messages from its sources, where messages do not say it any more
 *     streams/<stream>/obs/<name>/   a consumer: meta.json, state, log
 *     deleted/                       streams whose files are being removed
 *     offered/<stream>/              as streams/<stream>/: what the cluster does not know yet (offers.ts)
 *     quarantine/                    what could not be understood; it is never deleted
 */
import { assert } from "../base/assert.ts";
import { Births } from "../store/births.ts";
import type { Disk } from "../store/disk.ts";
import type { RowCache } from "../store/row-cache.ts";
import type { StreamStore } from "../store/stream-store.ts";
import { adviseAbout, adviseConsumer, adviseStream } from "./advisories.ts";
import { putAside, reportLost, reportPositions } from "./damage.ts";
import { checkConsumerCount } from "./bounds.ts";
import { readObject, writeObject } from "./codec.ts";
import { consumerShape, type ConsumerConfig } from "./consumer/config.ts";
import { Consumer } from "./consumer/consumer.ts";
import type { ConsumerOptions } from "./consumer/consumer-options.ts";
import { newDeadLetterCounts } from "./consumer/dead-letters.ts";
import { checkWorkQueue } from "./consumer/work-queue.ts";
import type { ClusterFigures, FollowedConsumer, SharedConsumer, SharedStream } from "./group/shared.ts";
import type { AccountHost } from "./host.ts";
import { Usage, type JetStreamLimits } from "./limits.ts";
import type { BatchBudgets, ServerLimits } from "./server-limits.ts";
import {
  beginConsumer,
  discardUnfinished,
  discardStream,
  isKept,
  makeConsumer,
  makeStream,
  nameFor,
} from "./making.ts";
import { readMeta, writeMeta } from "./meta.ts";
import { openConsumerState, type OpenedConsumer, type RestoredConsumer } from "./open-consumer.ts";
import { openStore, type NewStore } from "./open-store.ts";
import { Origins } from "./origins/origins.ts";
import type { SyncPolicy } from "./stream/commit.ts";
import { formatTime } from "./time.ts";
import { streamShape, type StreamConfig } from "./stream/config.ts";
import { OriginPositions } from "./stream/origin-positions.ts";
import { dropSettled } from "./stream/retention.ts";
import { Stream } from "./stream/stream.ts";
import { syncPolicyOf } from "./stream/sync-policy.ts";
import { TimedMessages } from "./stream/timed.ts";

export interface AssetsOptions {
  readonly host: AccountHost;
  readonly disk: Disk;
  /** The account's. */
  readonly folder: string;
  readonly policy: SyncPolicy;
  /** Level of the API. */
  readonly level: number;
  /** Tells what was made, changed and deleted; false: somebody else does. */
  readonly tellsActions: boolean;
  /** Copies of a stream or a consumer that there can be: 1 without a cluster. */
  readonly replicasMax: number;
  readonly limits: JetStreamLimits;
  readonly serverLimits: ServerLimits;
  /** Shared with all accounts. */
  readonly budgets: BatchBudgets;
  readonly rowCache: RowCache;
  /** Bytes that the server has left for this kind of storage. */
  readonly serverBytesLeft: (storage: "file" | "memory") => number;
}

export interface StreamAssets {
  readonly stream: Stream;
  readonly consumers: Map<string, Consumer>;
  /** Copies of consumers that other servers lead. */
  readonly followed: Map<string, FollowedConsumer>;
  readonly origins: Origins;
}

export interface RestoredContents {
  readonly config: StreamConfig;
  readonly created: string;
  readonly consumers: readonly RestoredConsumer[];
  /** null: what there is has been written to the stream's folder. */
  readonly store: StreamStore | null;
}

const AS_IT_IS: NewStore = { birth: null, given: null };

/** Those that lists and counts show: not those that servers made for mirrors and sources, and make again by themselves. */
export function publicConsumers({ consumers }: Pick<StreamAssets, "consumers">): readonly Consumer[] {
  return [...consumers.values()].filter(({ config }) => !config.direct);
}

export class Assets {
  readonly streams = new Map<string, StreamAssets>();
  /** Folders that could not be understood, as they are called now. */
  readonly putAside: string[] = [];
  /** Requests to the API so far. */
  counters: { readonly total: number; readonly errors: number } = { total: 0, errors: 0 };
  readonly deadLetters = newDeadLetterCounts();
  /** A stream has come, gone or changed; or one of its consumers has come or gone. */
  onChanged: (stream: StreamAssets, consumer?: Consumer) => void = () => {};
  /** A stream whose copies agree on what happens to it; null: this server decides alone. */
  sharedStream: (name: string) => SharedStream | null = () => null;
  /** The same of a consumer. */
  sharedConsumer: (stream: string, name: string) => SharedConsumer | null = () => null;
  /** The servers that keep a stream, or one of its consumers; null: there is no cluster. */
  clusterOf: (stream: string, consumer?: string) => ClusterFigures | null = () => null;
  onInactive = (stream: StreamAssets, consumer: Consumer): void => this.deleteConsumer(stream, consumer);
  readonly host: AccountHost;
  readonly options: AssetsOptions;
  readonly usage: Usage;
  /** Those of now. */
  limits: JetStreamLimits;
  /** Those that take messages from other streams. */
  private readonly fed = new Set<StreamAssets>();
  private readonly births: Births;

  constructor(options: AssetsOptions) {
    this.options = options;
    this.limits = options.limits;
    this.usage = new Usage(this.streams, options.limits, options.serverBytesLeft);
    this.host = options.host;
    this.births = new Births(options.disk);
  }

  /** What there is stays, even beyond the limits. */
  useLimits(limits: JetStreamLimits): void {
    this.limits = limits;
    this.usage.useLimits(limits);
  }

  /** With those that servers made for mirrors and sources, as nats-server counts for an account. */
  get consumerCount(): number {
    let sum = 0;
    for (const { consumers } of this.streams.values()) sum += consumers.size;
    return sum;
  }

  /** Reads what is on the disk. What cannot be understood is put aside and named in the log. */
  recover(): void {
    const { disk, folder } = this.options;
    discardUnfinished(this.options);
    for (const name of disk.names(`${folder}/streams`))
      if (this.recoverStream(name) === null) this.quarantine(`${folder}/streams/${name}`, `stream-${name}`);
    for (const { origins } of this.streams.values()) origins.follow();
  }

  /** A stream has been made of a backup. */
  restored({ config, created, consumers, store }: RestoredContents): StreamAssets {
    const assets =
      store === null ? this.reopen(config.name) : this.open(config, created, { birth: null, given: store });
    assert(assets !== null, "what has just been written can be read");
    for (const { config: one, state } of consumers)
      this.openConsumer(assets, { config: one, created, wasNamed: true, meta: null, state });
    this.begin(assets);
    assets.origins.follow();
    this.onChanged(assets);
    return assets;
  }

  /** null: its folder cannot be understood. */
  private recoverStream(name: string): StreamAssets | null {
    const assets = this.reopen(name);
    if (assets !== null) this.begin(assets);
    return assets;
  }

  /** The same, and it does not begin yet. */
  private reopen(name: string): StreamAssets | null {
    const path = `${this.options.folder}/streams/${name}`;
    const meta = readMeta(this.options.disk, path, (config) => readObject(streamShape, config));
    if (meta === null || meta.config.name !== name) return null;
    const assets = this.open(meta.config, meta.created, AS_IT_IS);
    this.recoverConsumers(assets, path);
    reportLost(this.host, name, assets.stream.store.lost);
    return assets;
  }

  /** Its messages and consumers are there. */
  private begin({ stream, consumers: all }: StreamAssets): void {
    stream.start();
    const consumers = [...all.values()];
    for (const consumer of consumers) consumer.start();
    dropSettled(stream, Math.max(0, ...consumers.map(({ state }) => state.delivered.stream)));
  }

  /** Throws `ApiError`. */
  createStream(config: StreamConfig): StreamAssets {
    this.usage.check(config, null);
    const { disk, folder } = this.options;
    const created = formatTime(this.host.nowNs());
    const making = { disk, births: this.births, path: `${folder}/streams/${config.name}`, created };
    const birth = config.storage === "file" ? makeStream(making, config, folder) : null;
    const assets = this.open(config, created, { birth, given: null });
    assets.stream.start();
    assets.origins.follow();
    for (const { origins } of this.fed) origins.wake(config.name);
    this.onChanged(assets);
    if (this.options.tellsActions) adviseStream(this.host, "CREATED", config.name, "create");
    return assets;
  }

  /** The change has been checked against the stream and the limits. */
  updateStream(assets: StreamAssets, config: StreamConfig): void {
    const { stream, consumers, origins } = assets;
    const { disk, folder } = this.options;
    if (config.storage === "file")
      writeMeta(disk, `${folder}/streams/${config.name}`, stream.created, writeObject(streamShape, config));
    this.forget(assets);
    stream.reconfigure(config);
    this.note(assets);
    origins.follow();
    for (const consumer of consumers.values()) consumer.reconfigure(consumer.config);
    this.onChanged(assets);
    if (this.options.tellsActions) adviseStream(this.host, "UPDATED", config.name, "modify");
  }

  deleteStream(assets: StreamAssets): void {
    const { stream, consumers, origins } = assets;
    const { disk, folder } = this.options;
    const { name } = stream.config;
    origins.dismiss();
    for (const consumer of [...consumers.values()]) this.removeConsumer(assets, consumer);
    this.streams.delete(name);
    this.forget(assets);
    stream.stop();
    this.onChanged(assets);
    if (stream.config.storage === "file") discardStream(disk, folder, name, this.host.random);
    if (this.options.tellsActions) adviseStream(this.host, "DELETED", name, "delete");
  }

  /** Throws `ApiError`. The configuration is complete but for the name of an ephemeral one. */
  createConsumer(assets: StreamAssets, config: ConsumerConfig): Consumer {
    const { stream } = assets;
    checkConsumerCount(assets, config, this);
    checkWorkQueue(assets, config, null);
    const named = { ...config, name: nameFor(assets, config, this.host.random) };
    const created = formatTime(this.host.nowNs());
    const making = { disk: this.options.disk, path: this.consumerPath(stream, named.name), created };
    const meta = isKept(named, stream.config) ? makeConsumer(making, named) : null;
    const wasNamed = config.name !== "" || config.durable !== "";
    const consumer = this.openConsumer(assets, { config: named, created, wasNamed, meta });
    consumer.start();
    this.onChanged(assets, consumer);
    if (this.options.tellsActions) adviseAbout(this.host, consumer, "CREATED", "create");
    return consumer;
  }

  updateConsumer(assets: StreamAssets, consumer: Consumer, config: ConsumerConfig): void {
    checkWorkQueue(assets, config, consumer);
    const named = { ...config, name: consumer.name };
    this.keepConfig(consumer, named);
    consumer.reconfigure(named);
    assets.stream.removals.dropUnwanted();
  }

  keepConfig(consumer: Consumer, config: ConsumerConfig): void {
    if (!isKept(config, consumer.stream.config)) return;
    const path = this.consumerPath(consumer.stream, consumer.name);
    writeMeta(this.options.disk, path, consumer.created, writeObject(consumerShape, config));
  }

  deleteConsumer(assets: StreamAssets, consumer: Consumer): void {
    this.removeConsumer(assets, consumer);
    assets.stream.removals.dropUnwanted();
  }

  private removeConsumer(assets: StreamAssets, consumer: Consumer): void {
    const { stream, consumers } = assets;
    assert(consumers.get(consumer.name) === consumer, "a consumer is deleted once");
    consumers.delete(consumer.name);
    stream.readers.delete(consumer);
    this.onChanged(assets, consumer);
    consumer.dismiss("409 Consumer Deleted");
    consumer.stop();
    if (isKept(consumer.config, stream.config))
      this.options.disk.removeFolder(this.consumerPath(stream, consumer.name));
    if (this.options.tellsActions) adviseAbout(this.host, consumer, "DELETED", "delete");
  }

  stop(): void {
    for (const { stream, consumers, origins } of this.streams.values()) {
      origins.stop();
      for (const consumer of consumers.values()) {
        consumer.leave();
        consumer.stop();
      }
      stream.stop();
    }
  }

  /** A replica: its group hands it what it stores, and keeps that durable. */
  open(
    config: StreamConfig,
    created: string,
    { birth, given }: NewStore = AS_IT_IS,
    role: "alone" | "replica" = "alone",
  ): StreamAssets {
    const { host, options } = this;
    const { disk, folder, rowCache } = options;
    const { storage, name } = config;
    const policy = role === "replica" ? "lazy" : syncPolicyOf(config, options.policy);
    const path = `${folder}/streams/${name}`;
    const positions = new OriginPositions(storage === "file" ? disk : null, `${path}/sources.json`);
    if (positions.isDamaged) reportPositions(host, name);
    const timed = new TimedMessages();
    const made = { config, given, birth, disk, path, policy, role };
    const store = openStore({ ...made, timed, positions, host, rowCache });
    const stream: Stream = new Stream({
      config,
      created,
      host: this.host,
      store,
      timed,
      positions,
      policy,
      level: this.options.level,
      room: this.usage.roomFor(() => stream.config),
      budgets: this.options.budgets,
      role,
    });
    const origins = new Origins(stream);
    const assets: StreamAssets = { stream, consumers: new Map(), followed: new Map(), origins };
    this.note(assets);
    return assets;
  }

  /** Its configuration holds from here on. */
  private note(assets: StreamAssets): void {
    const { config } = assets.stream;
    this.streams.set(config.name, assets);
    this.usage.noteSubjects(config);
    if (config.mirror !== null || config.sources.length > 0) this.fed.add(assets);
  }

  /** It is none of the account's any more. */
  forget(assets: StreamAssets): void {
    this.usage.forgetSubjects(assets.stream.config);
    this.fed.delete(assets);
  }

  openConsumer(assets: StreamAssets, made: OpenedConsumer): Consumer {
    const { stream } = assets;
    const { config, meta, state: given } = made;
    const { host } = this;
    const disk = isKept(config, stream.config) ? this.options.disk : null;
    const folder = this.consumerPath(stream, config.name);
    const { state, log } = openConsumerState({ config, given: given ?? null, stream, disk, folder, host });
    // where it begins is known from here on, whatever comes first
    if (meta !== null)
      beginConsumer({ births: this.births, path: folder }, meta, log, this.streamPath(stream));
    else if (state.delivered.consumer === 0) log.fold();
    return this.enterConsumer(assets, made, { log, state });
  }

  enterConsumer(
    assets: StreamAssets,
    { config, created, wasNamed }: Pick<ConsumerOptions, "config" | "created" | "wasNamed">,
    kept: Pick<ConsumerOptions, "log" | "state" | "deferral" | "leavesDamage">,
  ): Consumer {
    const { stream, consumers } = assets;
    const consumer = new Consumer({
      ...{ config, created, wasNamed, stream, host: this.host, ...kept },
      policy: syncPolicyOf(stream.config, this.options.policy),
      advise: adviseConsumer(this.host),
      streamNamed: (name) => this.streams.get(name)?.stream,
      deadLetters: this.deadLetters,
      onInactive: () => this.onInactive(assets, consumer),
    });
    consumers.set(config.name, consumer);
    stream.readers.add(consumer);
    return consumer;
  }

  private recoverConsumers(assets: StreamAssets, path: string): void {
    const { disk } = this.options;
    for (const name of disk.names(`${path}/obs`)) {
      const meta = readMeta(disk, `${path}/obs/${name}`, (config) => readObject(consumerShape, config));
      if (meta === null || meta.config.name !== name)
        this.quarantine(`${path}/obs/${name}`, `consumer-${name}`);
      else this.openConsumer(assets, { ...meta, wasNamed: true, meta: null });
    }
  }

  quarantine(path: string, name: string): void {
    const { disk, folder } = this.options;
    this.putAside.push(putAside(this.host, { disk, folder, path, name }));
  }

  consumerPath(stream: Stream, consumer: string): string {
    return `${this.streamPath(stream)}/obs/${consumer}`;
  }

  private streamPath({ config }: Stream): string {
    return `${this.options.folder}/streams/${config.name}`;
  }
}
