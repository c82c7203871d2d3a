/**
 * JetStream of one server: the accounts that have it, with their streams, consumers and API. `app` makes it and hands in the disk,
 * the clock and a way to send and listen in each account.
 */
import { assert } from "../base/assert.ts";
import type { Logger } from "../base/logger.ts";
import { TIMER_MAX_MS } from "../base/duration.ts";
import type { Disk } from "../store/disk.ts";
import { RowCache } from "../store/row-cache.ts";
import { subjectMatches } from "../subject/subject.ts";
import { Assets } from "./assets.ts";
import type { JetStreamLimits } from "./limits.ts";
import { Api } from "./api/api.ts";
import type { AnswerFacts } from "./api/info.ts";
import { Acked } from "./consumer/acked.ts";
import type { Consumer } from "./consumer/consumer.ts";
import { MessageHeaders } from "./headers.ts";
import { discardUnfinished } from "./making.ts";
import { DeliveryWatch } from "./delivery-watch.ts";
import { isText } from "../slab/memory.ts";
import type { Message } from "../protocol/message.ts";
import { Scrubber } from "./scrub.ts";
import { payloadOf, type AccountHost, type Incoming } from "./host.ts";
import { BatchBudgets, DEFAULT_SERVER_LIMITS, type ServerLimits } from "./server-limits.ts";
import { Listeners } from "./listeners.ts";
import type { SyncPolicy } from "./stream/commit.ts";
import { syncPolicyOf } from "./stream/sync-policy.ts";

export interface JetStreamOptions {
  readonly disk: Disk;
  /** Everything is kept below it. */
  readonly folder: string;
  readonly policy: SyncPolicy;
  /** How often what was written is synced with the policy "lazy". Absent: never by ourselves. */
  readonly syncIntervalMs?: number;
  /** Within this time everything on the disk is read back. Absent: it never is. */
  readonly scrubIntervalMs?: number;
  /** Bytes that may still be stored. `used` adds up what is: called only where a limit of bytes needs it. */
  readonly bytesLeft: (storage: "file" | "memory", used: () => number) => number;
  readonly facts: AnswerFacts;
  /** Absent: the defaults. */
  readonly serverLimits?: ServerLimits;
  readonly logger: Logger;
  /** The servers of a cluster agree on what each keeps; absent: this one keeps everything by itself. */
  readonly isClustered?: boolean;
  readonly accounts: readonly JetStreamAccountOptions[];
}

interface JetStreamAccountOptions {
  readonly host: AccountHost;
  readonly limits: JetStreamLimits;
}

export class JetStream {
  readonly accounts = new Map<string, JetStreamAccount>();
  readonly options: JetStreamOptions;
  private readonly rowCache = new RowCache();
  private readonly budgets: BatchBudgets;
  /** The scrubber looks at these, one for each account. */
  private readonly scrubbed: Assets[] = [];
  /** An account has got JetStream while the server runs, or has it no longer. */
  onAccount: (assets: Assets, what: "added" | "removed") => void = () => {};
  /** null: nothing is read back. */
  scrubber: Scrubber | null = null;

  constructor(options: JetStreamOptions) {
    this.options = options;
    this.budgets = new BatchBudgets((options.serverLimits ?? DEFAULT_SERVER_LIMITS).batches);
  }

  /** Reads what is on the disk, and takes requests and messages from then on. Throws `DiskError`. */
  start(): void {
    const { disk, folder, accounts } = this.options;
    disk.makeFolder(folder);
    for (const one of accounts) this.enter(one);
    for (const account of this.accounts.values()) account.start();
    this.scrub();
  }

  /** Gives an account JetStream while the server runs, with what the disk has of it. Throws `DiskError`. */
  add(one: JetStreamAccountOptions): void {
    const account = this.enter(one);
    account.start();
    this.onAccount(account.assets, "added");
    this.scrub();
  }

  /** Streams of the account stay on the disk. */
  remove(name: string): void {
    const account = this.accounts.get(name);
    if (account === undefined) return;
    this.onAccount(account.assets, "removed");
    account.stop();
    this.accounts.delete(name);
    this.scrubbed.splice(this.scrubbed.indexOf(account.assets), 1);
  }

  private enter({ host, limits }: JetStreamAccountOptions): JetStreamAccount {
    const { disk, folder, policy, facts, serverLimits = DEFAULT_SERVER_LIMITS } = this.options;
    const { isClustered = false } = this.options;
    const { syncIntervalMs = policy === "lazy" ? Infinity : LAZY_SYNC_MS } = this.options;
    assert(!this.accounts.has(host.name), "an account has JetStream once");
    const assets = new Assets({
      host,
      disk,
      folder: `${folder}/${encodeURIComponent(host.name)}`,
      policy,
      level: facts.level,
      tellsActions: !isClustered,
      replicasMax: isClustered ? REPLICAS_MAX : 1,
      limits,
      serverLimits,
      budgets: this.budgets,
      rowCache: this.rowCache,
      serverBytesLeft: (storage) => this.bytesLeft(storage),
    });
    const account = new JetStreamAccount(assets, facts, { syncIntervalMs, isClustered });
    this.accounts.set(host.name, account);
    this.scrubbed.push(assets);
    return account;
  }

  /** Servers behind a leaf connection can be reached: they may have the origins of streams. */
  wakeOrigins(account: string): void {
    const streams = this.accounts.get(account)?.assets.streams.values() ?? [];
    for (const { origins } of streams) origins.wakeFar();
  }

  private scrub(): void {
    const { scrubIntervalMs: intervalMs } = this.options;
    const [first] = this.scrubbed;
    if (this.scrubber !== null || first === undefined || intervalMs === undefined) return;
    this.scrubber = new Scrubber({ clock: first.host.clock, intervalMs, accounts: this.scrubbed });
    this.scrubber.start();
  }

  stop(): void {
    this.scrubber?.stop();
    for (const account of this.accounts.values()) account.stop();
  }

  bytesOf(storage: "file" | "memory"): number {
    let sum = 0;
    for (const { assets } of this.accounts.values()) sum += assets.usage.bytesOf(storage);
    return sum;
  }

  private bytesLeft(storage: "file" | "memory"): number {
    return this.options.bytesLeft(storage, () => this.bytesOf(storage));
  }
}

/** Copies of a stream, as in nats-server. */
const REPLICAS_MAX = 5;
const ACK = "$JS.ACK.";
/** Acknowledgements that begin with domain and account, which hardly anybody sends. In a cluster consumers listen for others by themselves. */
const WITH_DOMAIN = `${ACK}*.*.*.*.*.*.*.*.>`;
const ACKNOWLEDGED = "+ACK";
const FLOW = "$JS.FC.";
/** How often blocks are looked at for what can be left out, and consumers whether they deliver. */
const CLEAN_MS = 1000;
/** How often what was written to streams that are lazy is synced, where the server itself is not. */
const LAZY_SYNC_MS = 120_000;

/** JetStream in one account. */
class JetStreamAccount {
  readonly assets: Assets;
  readonly api: Api;
  readonly watch: DeliveryWatch;
  /** Lets another server lead a consumer. False: this one keeps it alone. */
  stepDown: (stream: string, consumer: string) => boolean = () => false;
  private readonly host: AccountHost;
  private readonly own: Listeners;
  private readonly acked = new Acked<Consumer>((stream, name) =>
    this.assets.streams.get(stream)?.consumers.get(name),
  );
  private listeners: Disposable[] = [];
  private cleaning: Disposable | null = null;
  private syncing: Disposable | null = null;
  private readonly syncIntervalMs: number;
  private readonly isClustered: boolean;

  /** With `isClustered` streams come as they are assigned, and requests by way of the cluster. */
  constructor(
    assets: Assets,
    facts: AnswerFacts,
    { syncIntervalMs, isClustered }: { readonly syncIntervalMs: number; readonly isClustered: boolean },
  ) {
    this.assets = assets;
    this.isClustered = isClustered;
    this.syncIntervalMs = Math.min(TIMER_MAX_MS, syncIntervalMs);
    this.host = assets.host;
    this.api = new Api(assets, facts);
    const { name: account, logger } = assets.host;
    const stepDown = (stream: string, consumer: string): boolean => this.stepDown(stream, consumer);
    this.watch = new DeliveryWatch({ account, logger, streams: assets.streams, stepDown });
    assets.counters = this.api.counters;
    const acknowledged = (message: Incoming): void => this.acknowledge(message);
    this.own = new Listeners(this.host, assets.streams, isClustered ? acknowledged : null);
    assets.onChanged = (stream, consumer) => {
      this.acked.forget();
      if (consumer === undefined) this.own.streamChanged(stream);
      else this.own.consumerChanged(stream, consumer);
    };
  }

  start(): void {
    if (this.isClustered) discardUnfinished(this.assets.options);
    else this.assets.recover();
    const acks = this.isClustered ? WITH_DOMAIN : `${ACK}>`;
    this.listeners = [
      this.host.listen(acks, (message) => this.acknowledge(message)),
      this.host.listen(`${FLOW}>`, (message) => this.flowed(message)),
    ];
    this.host.onInterest((subject) => this.onInterest(subject));
    if (!this.isClustered) this.api.start();
    for (const assets of this.assets.streams.values()) this.own.streamChanged(assets);
    this.cleanLater();
    this.syncLater();
  }

  stop(): void {
    this.cleaning?.[Symbol.dispose]();
    this.syncing?.[Symbol.dispose]();
    this.api.stop();
    for (const listener of this.listeners) listener[Symbol.dispose]();
    this.own.stop();
    this.assets.stop();
  }

  private acknowledge(message: Incoming): void {
    const { acked } = this;
    const { message: lies } = message;
    const isForUs =
      lies === undefined
        ? acked.read(message.subject)
        : acked.readAt(lies.at + lies.subjectFrom, lies.subjectLength);
    if (!isForUs) return;
    if (lies !== undefined && isPlainAck(lies)) acked.consumer?.acknowledgePlain(acked.sequence);
    else acked.consumer?.acknowledge(acked.sequence, payloadOf(message), message.reply);
  }

  /** Push consumers may have somebody to deliver to now. */
  private onInterest(subject: string): void {
    for (const consumer of this.own.pushes)
      if (subjectMatches(subject, consumer.config.deliverSubject)) consumer.wake();
  }

  private flowed({ subject, headerLength, body }: Incoming): void {
    const last = headerLength === 0 ? null : MessageHeaders.of(body, headerLength).get("Nats-Last-Stream");
    const upTo = last !== null && /^\d{1,15}$/.test(last) ? Number(last) : 0;
    const [, , stream, consumer, id] = subject.split(".");
    this.assets.streams
      .get(stream ?? "")
      ?.consumers.get(consumer ?? "")
      ?.flowed(id ?? "", upTo);
  }

  /** Syncs, after the interval, what was written since the last sync. */
  private syncLater(): void {
    this.syncing = this.host.clock.setTimer(this.syncIntervalMs, () => {
      const { streams, options } = this.assets;
      for (const { stream, consumers } of streams.values()) {
        if (syncPolicyOf(stream.config, options.policy) === "sync") continue;
        stream.commit.syncWritten();
        for (const consumer of consumers.values()) consumer.commit.syncWritten();
      }
      this.syncLater();
    });
  }

  /** One block of a stream at a time, so that others have their turn; and what is looked at as often. */
  private cleanLater(): void {
    this.cleaning = this.host.clock.setTimer(CLEAN_MS, () => {
      for (const { stream } of this.assets.streams.values()) stream.clean();
      this.own.followMirrors();
      this.watch.look();
      this.cleanLater();
    });
  }
}

/** Whether it says no more than that the message is acknowledged, and nobody waits for an answer. */
function isPlainAck({ at, payloadFrom, headerLength, size, body, replyLength }: Message): boolean {
  if (replyLength > 0 || body !== null) return false;
  const length = size - headerLength;
  return (
    length === 0 || (length === ACKNOWLEDGED.length && isText(at + payloadFrom + headerLength, ACKNOWLEDGED))
  );
}
