/** JetStream within this server: makes it from the configuration, and gives it a voice and ears in each account. */
import { randomFillSync, scryptSync } from "node:crypto";
import { statfsSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { TIMER_MAX_MS } from "../base/duration.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { Account } from "../core/account.ts";
import { InboxLane, StraightLane } from "../core/lane.ts";
import type { Accounts } from "../core/accounts.ts";
import type { StreamsStanding } from "../health/readiness.ts";
import type { AccountHost } from "../jetstream/host.ts";
import { JetStreamClusterReport } from "../jetstream/cluster-report.ts";
import { JetStreamCluster } from "../jetstream/cluster.ts";
import { DrivenGroups } from "../jetstream/group/driven-groups.ts";
import type { Company } from "../jetstream/group/group.ts";
import { JetStream } from "../jetstream/jetstream.ts";
import { StoreOwner } from "../jetstream/store-owner.ts";
import { JetStreamReport } from "../jetstream/report.ts";
import { listenTo } from "./jetstream-ears.ts";
import type { JetStreamSettings } from "./jetstream-settings.ts";
import { shownStanding } from "./views/streams-standing.ts";
import { JetStreamRefusals } from "./jetstream-refusals.ts";
import type { Turn } from "../links/trunk/turn.ts";
import type { JetStreamSource } from "../monitor/source.ts";
import { MemoryJournal } from "../raft/driver/memory-journal.ts";
import { DiskError, type Disk } from "../store/disk.ts";
import type { BodySeal } from "../store/journal/body-seal.ts";
import { FileJournal } from "../store/journal/file-journal.ts";
import { sealJournal } from "../store/journal/seal-journal.ts";
import { MeteredDisk } from "../store/metered-disk.ts";
import { NodeDisk } from "../store/node-disk.ts";
import { resealStore } from "../store/reseal.ts";
import { SealedDisk } from "../store/sealed-disk.ts";
import { refuseEncrypted, StoreKeys } from "../store/store-keys.ts";

/** The level of the API that clients may rely on: what nats-server 2.15 has. */
const API_LEVEL = 5;
/** Subjects of which it is remembered whether somebody waits there. */
const AWAITED_MAX = 1024;
/** How often the volume is asked what it has left. */
const VOLUME_READ_MS = 1000;
/** Space that is left free: a share of the volume, up to a number of bytes. */
const RESERVE = 0.05;
const RESERVE_MAX_BYTES = 1024 * 1024 * 1024;
/** How long a server that has the folder is waited for. */
const LOCK_PATIENCE_MS = 3000;
const LOCK_RETRY_MS = 50;
/** Beside the folders of accounts, none of which is called so. */
const JOURNAL_FOLDER = "%groups";
const JOURNAL_RETRY_MS = 1000;
/** Streams that one log line names. */
const OFFERED_SHOWN_MAX = 20;
/** As nats-server calls them. */
const CIPHER_NAMES = { "chacha20-poly1305": "ChaCha20-Poly1305", "aes-256-gcm": "AES-GCM" };

interface JetStreamWorld {
  readonly settings: JetStreamSettings;
  readonly accounts: Accounts;
  readonly turn: Turn;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly serverName: string;
  readonly natsLevel: string;
  /** Absent: the machine's. */
  readonly disk?: Disk | undefined;
  /** null: the server keeps everything by itself. */
  readonly cluster: ClusterSurroundings | null;
}

export interface ClusterSurroundings {
  readonly system: Account;
  readonly clusterName: () => string;
  readonly company: Company;
  /** Servers that there have to be before the meta group begins; Infinity: this server only joins one that has begun. */
  readonly expected: () => number;
  /** Resolves when the other servers have everything that was sent to them before. */
  readonly routesCaughtUp: () => Promise<void>;
  /** Resolves when an account is known here, or not to be found; null: accounts are configured. */
  readonly lookUpAccount: (name: string) => Promise<unknown> | null;
}

export class JetStreamPart {
  /** As INFO tells of it. */
  readonly announced: { readonly domain: string; readonly apiLevel: number };
  readonly jetStream: JetStream;
  /** Its requests in accounts that have no JetStream. */
  readonly refusals: JetStreamRefusals;
  /** null: the server keeps everything by itself, or has not started. */
  cluster: JetStreamCluster | null = null;
  /** null: as for `cluster`. */
  private clusterReport: JetStreamClusterReport | null = null;
  private journal: FileJournal | null = null;
  /** null: bodies of the journal are in the clear. */
  private journalSeal: BodySeal | null = null;
  private journalSync: Disposable | null = null;
  private readonly world: JetStreamWorld;
  private readonly disk: MeteredDisk;
  private readonly bare: Disk;
  /** null: nothing is encrypted. */
  private readonly sealed: SealedDisk | null;
  private readonly folder: string;
  private readonly stopped = Promise.withResolvers<void>();
  /** The lock on the folder. null: it is not claimed, or the file system has no locks. */
  private lock: Disposable | null = null;
  private volumeLeft = 0;
  private volumeReadMs = -Infinity;

  constructor(world: JetStreamWorld) {
    this.world = world;
    const { settings, serverName, natsLevel, logger } = world;
    const { storeFolder, maxMemoryBytes, maxFileBytes, domain, syncIntervalMs, scrubIntervalMs } = settings;
    this.bare = world.disk ?? new NodeDisk();
    this.folder = join(storeFolder, "jetstream");
    this.sealed = settings.encryption === null ? null : new SealedDisk(this.bare, this.folder);
    this.disk = new MeteredDisk(this.sealed ?? this.bare, () => world.clock.nowMs());
    this.announced = { domain, apiLevel: API_LEVEL };
    this.jetStream = new JetStream({
      disk: this.disk,
      folder: this.folder,
      policy: syncIntervalMs === null ? "sync" : "lazy",
      ...(syncIntervalMs === null ? {} : { syncIntervalMs }),
      ...(scrubIntervalMs === null ? {} : { scrubIntervalMs }),
      bytesLeft: (storage, used) =>
        storage === "memory" ? maxMemoryBytes - used() : this.fileBytesLeft(maxFileBytes, used),
      facts: {
        level: API_LEVEL,
        version: natsLevel,
        server: serverName,
        domain,
        isStrict: settings.isStrict,
      },
      serverLimits: settings.serverLimits,
      logger,
      isClustered: world.cluster !== null,
      accounts: [...settings.accounts].flatMap(([name, limits]) => {
        const account = world.accounts.get(name);
        return account === undefined ? [] : [{ host: this.hostFor(account), limits }];
      }),
    });
    this.refusals = new JetStreamRefusals({
      accounts: world.accounts,
      jetStream: this.jetStream,
      hostFor: (account) => this.hostFor(account),
    });
  }

  private clusterWith(surroundings: ClusterSurroundings, owner: StoreOwner): JetStreamCluster {
    const { system, clusterName, company, expected, routesCaughtUp, lookUpAccount } = surroundings;
    const journal = (this.journal = this.openJournal());
    return new JetStreamCluster({
      jetStream: this.jetStream,
      host: this.hostFor(system),
      serverName: this.world.serverName,
      clusterName,
      company,
      expected,
      owner,
      routesCaughtUp,
      uniqueTag: this.world.settings.uniqueTag,
      balancesLeaders: this.world.settings.balancesLeaders,
      lookUpAccount,
      disk: this.disk,
      groups: (options) =>
        new DrivenGroups({ ...options, company, journals: { file: journal, memory: new MemoryJournal() } }),
    });
  }

  /** The logs of groups. Throws `DiskError`. */
  private openJournal(): FileJournal {
    const { clock, settings } = this.world;
    const { journalSeal: bodies } = this;
    const { syncIntervalMs } = settings;
    const journal = new FileJournal({
      disk: this.disk,
      folder: this.journalFolder,
      policy: syncIntervalMs === null ? "sync" : "lazy",
      ...(bodies === null ? {} : { bodies }),
      later: (work) => void clock.setTimer(JOURNAL_RETRY_MS, work),
    });
    if (syncIntervalMs !== null) this.syncJournalLater(journal, syncIntervalMs);
    return journal;
  }

  private get journalFolder(): string {
    return join(this.folder, JOURNAL_FOLDER);
  }

  /** Where the journal is lazy: nothing that it has taken waits for longer than the interval. */
  private syncJournalLater(journal: FileJournal, intervalMs: number): void {
    this.journalSync = this.world.clock.setTimer(Math.min(TIMER_MAX_MS, intervalMs), () => {
      journal.syncWritten();
      this.syncJournalLater(journal, intervalMs);
    });
  }

  /** How far it is from keeping what it should keep for its cluster; null: it belongs to none. */
  get standing(): StreamsStanding | null {
    return this.clusterReport === null ? null : shownStanding(this.clusterReport.standing);
  }

  /** What monitoring reads. */
  get source(): JetStreamSource {
    const { settings } = this.world;
    return {
      report: new JetStreamReport(this.jetStream, this.clusterReport),
      settings: {
        ...settings,
        storeFolder: this.folder,
        maxStorageBytes: (stored) => settings.maxFileBytes ?? this.volumeBytes(stored),
      },
      storageLeft: () => this.storageLeft(),
      syncs: this.disk.counters,
      neededBy: async () => (await this.cluster?.neededBy()) ?? { count: 0, some: [] },
      scrub: () => this.jetStream.scrubber?.counters ?? null,
      shownLimits: settings.shownLimits,
    };
  }

  /**
   * The folder is this server's alone from here on: two that write to one log would each destroy what the other has acknowledged. A server
   * that is about to end is waited for. Throws `DiskError`.
   */
  async claimFolder(): Promise<void> {
    const { logger, clock } = this.world;
    const { folder } = this;
    this.disk.makeFolder(folder);
    const sinceMs = clock.nowMs();
    for (;;) {
      const lock = this.disk.lock(`${folder}.lock`);
      if (lock === "unsupported") {
        logger.warn(
          "The file system of the store has no locks: see to it that no other server uses the folder",
          {
            storeDir: folder,
          },
        );
        return;
      }
      this.lock = lock;
      if (lock !== null) return;
      if (clock.nowMs() - sinceMs >= LOCK_PATIENCE_MS) break;
      await new Promise<void>((resolve) => clock.setTimer(LOCK_RETRY_MS, resolve));
    }
    throw new DiskError(
      `another server is using the store in ${folder}: stop it, or give this one a store_dir of its own`,
      "EBUSY",
    );
  }

  /** Throws `KeyRefused` where the key does not fit what is kept. What is in the clear, or under an older key, is encrypted again. */
  private unlock(): void {
    const { bare, folder, sealed } = this;
    const { encryption } = this.world.settings;
    if (sealed === null || encryption === null) {
      refuseEncrypted(bare, folder);
      return;
    }
    const entropy = (into: Uint8Array): void => void randomFillSync(into);
    const keys = new StoreKeys(bare, folder, { ...encryption, entropy, stretch: scryptSync });
    const { journalFolder } = this;
    if (this.world.cluster !== null || bare.names(journalFolder).length > 0)
      this.journalSeal = sealJournal(bare, journalFolder, keys);
    for (const { account, stream, from } of resealStore(bare, folder, keys))
      this.world.logger.info(
        from === "plain" ? "a stream has been encrypted" : "a stream has been encrypted again",
        {
          account,
          stream,
          cipher: CIPHER_NAMES[encryption.cipher],
        },
      );
    sealed.unlock(keys);
  }

  start(): void {
    const { settings, logger } = this.world;
    this.unlock();
    logger.info("Starting JetStream", {
      storeDir: this.folder,
      ...(settings.encryption === null ? {} : { encryption: CIPHER_NAMES[settings.encryption.cipher] }),
      acknowledges:
        settings.syncIntervalMs === null ? "when the disk has it" : "before the disk has it (sync_interval)",
    });
    const { cluster, serverName } = this.world;
    const names = { server: serverName, cluster: cluster?.clusterName() ?? "" };
    const owner = StoreOwner.claim(this.bare, this.folder, names);
    if (owner !== null && owner.offered.length > 0)
      logger.info("streams that this server kept by itself are offered to its cluster", {
        cluster: names.cluster,
        streams: owner.offered.slice(0, OFFERED_SHOWN_MAX),
        count: owner.offered.length,
      });
    this.jetStream.start();
    this.refusals.followAll();
    if (cluster === null || owner === null) return;
    this.cluster = this.clusterWith(cluster, owner);
    this.clusterReport = new JetStreamClusterReport(this.cluster);
    this.cluster.start();
  }

  /** Lets other servers lead what this one leads. undefined: there are none. */
  handOver(): Promise<void> | undefined {
    return this.cluster?.handOver();
  }

  stop(): void {
    this.refusals.stop();
    this.cluster?.stop();
    this.jetStream.stop();
    this.journalSync?.[Symbol.dispose]();
    this.journal?.close();
    this.release();
    this.stopped.resolve();
  }

  /** Resolves when it has stopped and no file of it is open any more. */
  async closed(): Promise<void> {
    await this.stopped.promise;
    await this.disk.settled();
  }

  /** Another server may have the folder. */
  release(): void {
    this.lock?.[Symbol.dispose]();
    this.lock = null;
  }

  private storageLeft(): number {
    const used = (): number => this.jetStream.bytesOf("file");
    return Math.floor(Math.max(0, this.fileBytesLeft(this.world.settings.maxFileBytes, used)));
  }

  /** What the volume can hold of streams; -1: nothing limits them. */
  private volumeBytes(stored: number): number {
    const left = this.fileBytesLeft(null, () => stored);
    return left === Infinity ? -1 : Math.floor(stored + left);
  }

  /** By the limit, and by what the volume has now: a volume that grows is seen. */
  private fileBytesLeft(maxFileBytes: number | null, used: () => number): number {
    const { clock, settings } = this.world;
    if (this.world.disk !== undefined) return maxFileBytes === null ? Infinity : maxFileBytes - used();
    if (clock.nowMs() - this.volumeReadMs > VOLUME_READ_MS) {
      this.volumeReadMs = clock.nowMs();
      const { bsize, blocks, bavail } = statfsSync(settings.storeFolder);
      this.volumeLeft = bavail * bsize - Math.min(RESERVE_MAX_BYTES, blocks * bsize * RESERVE);
    }
    return Math.min(this.volumeLeft, maxFileBytes === null ? Infinity : maxFileBytes - used());
  }

  /** Its voice and ears in an account. */
  hostFor(account: Account): AccountHost {
    const { clock, random, logger, turn } = this.world;
    const awaited = new Awaited(account);
    return {
      name: account.name,
      domain: this.world.settings.domain,
      clock,
      random,
      logger,
      nowNs: () => BigInt(Math.floor(clock.nowMs() * 1000)) * 1000n,
      send: (message) => account.sendMade(message),
      sendNumbered: (message) => account.sendNumbered(message),
      answers: new InboxLane(account.interest),
      lane: (subject) => new StraightLane(account.interest, subject),
      isAwaited: (subject) => awaited.covers(subject),
      listen: (subject, receive, queue) => listenTo(account, subject, receive, queue ?? null),
      onInterest: (call) => void (account.interest.onAdded = call),
      afterwards: (work) => turn.defer(work),
      soon: (work) => void setImmediate(() => turn.defer(work)),
    };
  }
}

/** Remembers who is awaited, until interest changes: consumers ask again before each message. */
class Awaited {
  private readonly account: Account;
  private readonly known = new Map<string, boolean>();
  private version = -1;

  constructor(account: Account) {
    this.account = account;
  }

  covers(subject: string): boolean {
    const { interest } = this.account;
    if (interest.version !== this.version || this.known.size >= AWAITED_MAX) {
      this.known.clear();
      this.version = interest.version;
    }
    let covers = this.known.get(subject);
    if (covers === undefined) this.known.set(subject, (covers = interest.isAwaited(subject)));
    return covers;
  }
}
