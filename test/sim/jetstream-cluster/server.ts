/**
 * One server of a simulated cluster: JetStream, journal and stores of production, on a disk that loses what was not synced, tears writes,
 * and may lose power in the middle of a turn.
 */
import { assert } from "../../../src/base/assert.ts";
import type { Clock } from "../../../src/base/clock.ts";
import { silentLogger, type Logger } from "../../../src/base/logger.ts";
import type { Random } from "../../../src/base/random.ts";
import { JetStreamCluster } from "../../../src/jetstream/cluster.ts";
import { DrivenGroups } from "../../../src/jetstream/group/driven-groups.ts";
import type { AccountHost, Incoming } from "../../../src/jetstream/host.ts";
import { JetStream } from "../../../src/jetstream/jetstream.ts";
import { NO_LIMITS } from "../../../src/jetstream/limits.ts";
import { MemoryJournal } from "../../../src/raft/driver/memory-journal.ts";
import { StoreOwner } from "../../../src/jetstream/store-owner.ts";
import { FileJournal } from "../../../src/store/journal/file-journal.ts";
import { subjectMatches } from "../../../src/subject/subject.ts";
import { SENT_ANSWERS, sentLane } from "../../support/sent-lane.ts";
import { damageJournal } from "../raft/journal-damage.ts";
import { damageMessages } from "./message-damage.ts";
import { PowerLost, ServerDisk } from "./server-disk.ts";

const STORE = "/js";
const JOURNAL = "/js/groups";
/** So small that segments are cleaned all the time. */
const SEGMENT_BYTES = 32 * 1024;

/** Often, so that logs are cut and copies get messages from each other. */
const SNAPSHOTS = { entriesMax: 40, bytesMax: 1 << 20 };

export interface Carried {
  readonly account: string;
  readonly subject: string;
  readonly reply: string;
  readonly headers: string;
  readonly payload: Uint8Array;
}

interface Ear {
  readonly account: string;
  readonly subject: string;
  readonly receive: (message: Incoming) => void;
}

export interface ServerWorld {
  readonly clock: Clock;
  readonly random: Random;
  /** How long a sync takes at most. */
  readonly syncMsMax: number;
  carry(from: SimulatedServer, message: Carried): boolean;
  /** It has lost power in the middle of its work. */
  died(server: SimulatedServer): void;
  note(text: string): void;
}

export class SimulatedServer {
  readonly name: string;
  /** Counts starts: what belongs to an earlier one is void. */
  life = 0;
  isAlive = false;
  jetStream: JetStream | null = null;
  cluster: JetStreamCluster | null = null;
  /** As a configuration says them. */
  tags: readonly string[] = [];
  balancesLeaders = false;
  /** What clients here wait for. */
  readonly inboxes = new Map<string, (message: Incoming) => void>();
  private readonly world: ServerWorld;
  private readonly expected: number;
  private readonly disk: ServerDisk;
  private groups: DrivenGroups | null = null;
  private owner: StoreOwner | null = null;
  /** Groups of which this server has on its disk that it is whole. */
  private readonly wholeGroups = new Set<string>();
  /** It was whole when it ended. */
  private endedWhole = false;
  private ears: Ear[] = [];
  /** By account and subject; empty as soon as somebody else listens. */
  private readonly found = new Map<string, readonly Ear[]>();
  private later: (() => void)[] = [];
  /** A message is being delivered. */
  private isHearing = false;
  private isRunning = false;

  constructor(name: string, world: ServerWorld, expected: number) {
    this.name = name;
    this.world = world;
    this.expected = expected;
    this.disk = new ServerDisk(world, (act) => this.run(act));
  }

  start(): void {
    this.life++;
    this.isAlive = true;
    this.ears = [];
    this.found.clear();
    this.later = [];
    this.run(() => this.open());
  }

  /** Of its own work: what it does ends where it loses power. */
  private run(work: () => void): void {
    if (this.isRunning) return work();
    this.isRunning = true;
    try {
      work();
      this.settle();
    } catch (error) {
      if (!(error instanceof PowerLost)) throw error;
      this.losePower();
      this.world.died(this);
    } finally {
      this.isRunning = false;
    }
  }

  private open(): void {
    const journals = { file: this.openJournal(), memory: new MemoryJournal() };
    this.jetStream = new JetStream({
      disk: this.disk,
      folder: STORE,
      policy: "sync",
      bytesLeft: () => Infinity,
      facts: { level: 5, version: "2.15.3", server: this.name, domain: "", isStrict: true },
      logger: silentLogger,
      isClustered: true,
      accounts: [{ host: this.host("A"), limits: NO_LIMITS }],
    });
    this.owner = StoreOwner.claim(this.disk, STORE, { server: this.name, cluster: "C" })!;
    this.cluster = new JetStreamCluster({
      jetStream: this.jetStream,
      host: this.host("$SYS"),
      serverName: this.name,
      clusterName: () => "C",
      expected: () => this.expected,
      balancesLeaders: this.balancesLeaders,
      disk: this.disk,
      owner: this.owner,
      groups: (options) => (this.groups = new DrivenGroups({ ...options, journals, snapshots: SNAPSHOTS })),
    });
    this.jetStream.start();
    this.cluster.start();
  }

  private openJournal(): FileJournal {
    const { life } = this;
    return new FileJournal({
      disk: this.disk,
      folder: JOURNAL,
      policy: "sync",
      segmentBytes: SEGMENT_BYTES,
      later: (work) => this.world.clock.setTimer(1000, () => this.life === life && this.run(work)),
    });
  }

  /** Its process ends without a word; the disk has all that was written. */
  kill(): void {
    this.disk.kill();
    this.end();
  }

  /** Its machine loses power after so many more operations of its disk. */
  losePowerAfter(operations: number): void {
    this.disk.operationsLeft = operations;
  }

  losePower(): void {
    this.disk.crash();
    this.end();
  }

  private end(): void {
    this.endedWhole = this.isWhole;
    this.isAlive = false;
    this.life++;
    this.ears = [];
    this.found.clear();
    this.later = [];
    this.disk.operationsLeft = Infinity;
    this.inboxes.clear();
    this.jetStream = null;
    this.cluster = null;
    this.groups = null;
  }

  /** Whether there is no room left on its disk. */
  set hasFullDisk(isFull: boolean) {
    this.disk.freeBytes = isFull ? 0 : Infinity;
  }

  /** While it is down: its disk is replaced by an empty one. */
  loseDisk(): void {
    this.lost();
    this.disk.removeFolder(STORE);
  }

  /** While it is down: records of its journal that were durable are damaged or missing. */
  loseRecords(): void {
    this.lost();
    damageJournal(this.disk, JOURNAL, this.world.random);
  }

  /** While it is down: bits of messages of a stream flip. */
  loseMessages(stream: string): void {
    if (damageMessages(this.disk, `${STORE}/A/streams/${stream}/msgs`, this.world.random)) this.lost();
  }

  private lost(): void {
    this.endedWhole = false;
    this.wholeGroups.clear();
  }

  /** It has everything that it is to keep, and its disk says so: it votes in all of its groups, whatever happens to it now. */
  get isWhole(): boolean {
    const { cluster, owner } = this;
    if (!this.isAlive || cluster === null) return this.endedWhole;
    const names = this.lookWhole();
    if (!cluster.meta.isCurrent || owner?.isWhole !== true) return false;
    if (!names.every((name) => this.wholeGroups.has(name))) return false;
    return [...cluster.assets.troubles()].length === 0 && !this.lacksMessages;
  }

  /** Some are damaged, and nothing has replaced them. */
  private get lacksMessages(): boolean {
    const streams = [...(this.jetStream?.accounts.get("A")?.assets.streams.values() ?? [])];
    return streams.some(({ stream }) => stream.store.lost.count > 0);
  }

  /** The names of its groups. */
  private lookWhole(): string[] {
    const groups = [...(this.groups?.["driver"]["groups"].values() ?? [])];
    for (const group of groups) {
      if (group.status.isRecovering) this.wholeGroups.delete(group.name);
      else if (group["unwritten"] === 0) this.wholeGroups.add(group.name);
    }
    return groups.map(({ name }) => name);
  }

  /** Another one after each start. */
  get id(): string {
    return `id-${this.name}-${this.life}`;
  }

  tellOfItself(): void {
    if (!this.isAlive) return;
    this.lookWhole();
    const { name, tags, id } = this;
    const server = { name, id, cluster: "C", jetstream: true, tags };
    const config = { max_memory: -1, max_storage: -1 };
    const stats = { memory: 0, storage: 0, reserved_memory: 0, reserved_storage: 0, ha_assets: 0 };
    const statsz = { jetstream: { config, stats } };
    this.send("$SYS", `$SYS.SERVER.${id}.STATSZ`, JSON.stringify({ server, statsz }));
  }

  send(account: string, subject: string, payload: string, reply = "", headers = ""): void {
    const message = { account, subject, reply, headers, payload: Buffer.from(payload, "latin1") };
    this.run(() => this.world.carry(this, message));
  }

  serverLost(name: string): void {
    this.run(() => this.cluster?.serverLost(name));
  }

  listens({ account, subject }: Carried): boolean {
    if (subject.startsWith("_INBOX.")) return this.inboxes.has(subject);
    return this.earsFor(account, subject).length > 0;
  }

  private earsFor(account: string, subject: string): readonly Ear[] {
    const key = `${account} ${subject}`;
    let found = this.found.get(key);
    if (found === undefined) {
      found = this.ears.filter((one) => one.account === account && subjectMatches(one.subject, subject));
      this.found.set(key, found);
    }
    return found;
  }

  /** A message from another server. */
  receive(message: Carried): void {
    this.run(() => this.hear(message));
  }

  hear({ account, subject, reply, headers, payload }: Carried): boolean {
    const inbox = this.inboxes.get(subject);
    const found = subject.startsWith("_INBOX.") ? [] : this.earsFor(account, subject);
    const body = Buffer.concat([Buffer.from(headers, "latin1"), payload]);
    inbox?.({ subject, reply, headerLength: headers.length, body });
    this.isHearing = true;
    for (const ear of found) ear.receive({ subject, reply, headerLength: headers.length, body });
    this.isHearing = false;
    return inbox !== undefined || found.length > 0;
  }

  listen(account: string, subject: string, receive: (message: Incoming) => void): Disposable {
    const ear = { account, subject, receive };
    const { ears, found } = this;
    ears.push(ear);
    found.clear();
    return {
      [Symbol.dispose]() {
        const at = ears.indexOf(ear);
        if (at >= 0) ears.splice(at, 1);
        found.clear();
      },
    };
  }

  private host(account: string): AccountHost {
    const { life, world } = this;
    const { clock, random } = world;
    const isMine = (): boolean => this.life === life;
    const isAwaited = (subject: string): boolean => this.isAwaitedAnywhere(account, subject);
    return {
      name: account,
      domain: "",
      random,
      logger: this.logger,
      clock: {
        nowMs: () => clock.nowMs(),
        setTimer: (delayMs, fire) =>
          clock.setTimer(delayMs, () => {
            if (isMine()) this.run(fire);
          }),
      },
      nowNs: () => BigInt(Math.floor(clock.nowMs() * 1000)) * 1000n,
      send: ({ subject, reply, headers, payload }) => {
        assert(!this.isHearing, "nothing is sent while a message is being delivered");
        const bytes = typeof payload === "string" ? Buffer.from(payload, "latin1") : new Uint8Array(payload);
        return (
          isMine() && world.carry(this, { account, subject, reply: String(reply), headers, payload: bytes })
        );
      },
      sendNumbered: ({ subject, before, number, after }) =>
        isMine() &&
        world.carry(this, {
          account,
          subject,
          reply: "",
          headers: "",
          payload: Buffer.from(`${before}${number}${after}`, "latin1"),
        }),
      answers: SENT_ANSWERS,
      lane: (subject) => sentLane(subject, () => isAwaited(subject)),
      isAwaited,
      listen: (subject, receive) => this.listen(account, subject, receive),
      onInterest: () => {},
      afterwards: (work) => void (isMine() && this.later.push(work)),
      soon: (work) => void (isMine() && this.later.push(work)),
    };
  }

  private get logger(): Logger {
    const tell = (message: string, fields?: object): void =>
      this.world.note(`${this.name}: ${message} ${JSON.stringify(fields ?? {})}`);
    return { ...silentLogger, error: tell, warn: tell };
  }

  /** Clients wait on the bus of the world. */
  isAwaitedAnywhere: (account: string, subject: string) => boolean = () => true;

  /** The turn ends: what was put off is done. */
  private settle(): void {
    while (this.later.length > 0) for (const work of this.later.splice(0)) work();
  }
}
