/**
 * One copy of a replicated consumer. Each copy knows what has been agreed on; the one that leads has a consumer that works, with a state
 * of its own that runs ahead of that. When its leadership ends it is given up, and with it whatever was not agreed on: those messages
 * are delivered again.
 *
 * An acknowledgement that asks for an answer gets it once a majority has it.
 */
import { assert } from "../../base/assert.ts";
import type { ConsumerEntry } from "../../store/consumer-entries.ts";
import type { EntryLog } from "../../store/consumer-log.ts";
import type { DiskError } from "../../store/disk.ts";
import type { Assets, StreamAssets } from "../assets.ts";
import { countedBy, filtersOf, type ConsumerConfig } from "../consumer/config.ts";
import type { Consumer } from "../consumer/consumer.ts";
import { startOf } from "../consumer/start.ts";
import { ACKED, ConsumerState, DELIVERED } from "../consumer/state.ts";
import { isCovered } from "../stream/reader.ts";
import type { FollowedConsumer, SharedConsumer } from "./shared.ts";
import {
  decodeConsumerState,
  encodeConsumerState,
  entryOf,
  isAboutWaiting,
  operationsOf,
} from "./consumer-entries.ts";
import { troubleOf, type CopyTrouble } from "./copy-trouble.ts";
import { DamagedCopy } from "./damaged-copy.ts";
import type { Group, GroupMachine } from "./group.ts";
import { decodeReset, encodeReset } from "./operations.ts";

/** A leader looks so often whether the copy of the stream here is as far as the consumer. */
const RETRY_MS = 100;

export interface ConsumerReplicaOptions {
  readonly assets: Assets;
  readonly stream: StreamAssets;
  /** With the name that it has. */
  readonly config: ConsumerConfig;
  readonly created: string;
  readonly wasNamed: boolean;
  readonly onLeadership: () => void;
}

export class ConsumerReplica implements GroupMachine, FollowedConsumer, SharedConsumer {
  /** Works; null: this copy does not lead. */
  consumer: Consumer | null = null;
  problem = "";
  config: ConsumerConfig;
  /** The state that was agreed on. */
  state: ConsumerState;
  private readonly options: ConsumerReplicaOptions;
  private readonly policy: "none" | "all" | "explicit";
  /** Where it begins has been agreed on. */
  private isPlaced = false;
  private readonly damage: DamagedCopy;
  private joined: Group | null = null;
  private log: SharedLog | null = null;
  private retrying: Disposable | null = null;

  constructor(options: ConsumerReplicaOptions) {
    this.options = options;
    this.config = options.config;
    this.policy = countedBy(options.config);
    this.damage = new DamagedCopy(options.stream.stream);
    this.state = this.emptyState();
    options.stream.followed.set(this.config.name, this);
  }

  get created(): string {
    return this.options.created;
  }

  get wasNamed(): boolean {
    return this.options.wasNamed;
  }

  get group(): Group {
    assert(this.joined !== null, "a copy belongs to a group");
    return this.joined;
  }

  get leads(): boolean {
    return this.consumer !== null;
  }

  /** One server kept it alone, with this state as JSON: what the group agrees on follows on that. */
  beginWith(state: string): void {
    assert(this.joined === null, "what comes before the log is known first");
    this.state.restore(state);
    this.isPlaced = true;
  }

  /** Why this copy is not where its group is. */
  get trouble(): CopyTrouble {
    if (this.problem !== "") return { error: `consumer write error: ${this.problem}`, behind: 0 };
    return troubleOf(this.group);
  }

  join(group: Group): void {
    this.joined = group;
    this.leadershipChanged();
  }

  reconfigure(config: ConsumerConfig): void {
    this.config = config;
    this.consumer?.reconfigure(config);
  }

  stop(status: string): void {
    this.retrying?.[Symbol.dispose]();
    this.joined = null;
    this.giveUp(status);
    this.options.stream.followed.delete(this.config.name);
  }

  /** The consumer that works begins again at once; what it does from then on comes behind it in the log. */
  reset(sequence: number, done: () => void): void {
    const { consumer, log } = this;
    if (consumer === null || log === null) return;
    log.appendReset(sequence);
    consumer.reset(sequence);
    log.sync((error) => void (error === null && done()));
  }

  apply(_index: number, operations: readonly Uint8Array[]): void {
    const { stream } = this.options.stream;
    for (const operation of operations) {
      if (isAboutWaiting(operation)) continue;
      const entry = entryOf(operation);
      const start = decodeReset(operation);
      if (start !== undefined) this.state.reset(start, stream.store.last);
      else if (entry === undefined) this.fail(`an operation that this server does not know: ${operation[0]}`);
      else if (stream.config.retention === "interest" && stream.serves) this.applyAndSettle(entry);
      else this.state.apply(entry);
      if (start !== undefined) stream.removals.dropUnwanted();
      this.isPlaced = true;
    }
    this.log?.agreed(operations.length);
  }

  /** The stream is led here, and keeps what consumers need. */
  private applyAndSettle(entry: ConsumerEntry): void {
    const { state, policy } = this;
    const { stream } = this.options.stream;
    const { streamSequence: sequence } = entry;
    const upTo = policy === "all" && entry.kind === ACKED ? state.pending.upTo(sequence) : null;
    state.apply(entry);
    if (upTo !== null) stream.removals.settleAll(upTo);
    else if (entry.kind === (policy === "none" ? DELIVERED : ACKED)) stream.settled(sequence);
  }

  /** By what was agreed on. */
  needs(sequence: number, subject: string): boolean {
    const { delivered, pending } = this.state;
    if (!this.takes(subject)) return false;
    return !this.isPlaced || sequence > delivered.stream || pending.has(sequence);
  }

  takes(subject: string): boolean {
    return isCovered(subject, filtersOf(this.config));
  }

  /** null: it has not begun. */
  contents(): Uint8Array | null {
    return this.isPlaced ? encodeConsumerState(this.state) : null;
  }

  snapshot(): Uint8Array | null {
    return this.problem === "" && this.isPlaced ? encodeConsumerState(this.state) : null;
  }

  install(data: Uint8Array): void {
    const json = decodeConsumerState(data);
    if (json === undefined) {
      this.fail("a snapshot that cannot be read");
      return;
    }
    this.state = this.emptyState();
    this.state.restore(json);
    this.isPlaced = true;
    this.options.stream.stream.removals.dropUnwanted();
  }

  leadershipChanged(): void {
    if (this.joined === null) return;
    const leads = this.joined.leads && this.problem === "";
    if (leads === this.leads) return void (this.joined.hasHandedOn && this.options.onLeadership());
    if (leads && this.damage.leaves(this.joined)) return;
    if (leads && !this.hasMessages()) {
      this.retry();
      return;
    }
    if (leads) this.lead(this.joined);
    else this.giveUp("409 Leadership Change");
    this.options.onLeadership();
  }

  peersChanged(): void {
    // the assignment says who belongs to it
  }

  /** The copy of the stream here is as far as the consumer: one that is behind would take messages for removed. */
  private hasMessages(): boolean {
    const { delivered } = this.state;
    // one that has delivered nothing may wait for a sequence that is far ahead
    return delivered.consumer === 0 || this.options.stream.stream.store.last >= delivered.stream;
  }

  private retry(): void {
    if (this.retrying !== null) return;
    const { clock } = this.options.assets.host;
    this.retrying = clock.setTimer(RETRY_MS, () => {
      this.retrying = null;
      this.leadershipChanged();
    });
  }

  private emptyState(): ConsumerState {
    return new ConsumerState(this.policy, 1, 0);
  }

  private lead(group: Group): void {
    const { assets, stream: at, created, wasNamed } = this.options;
    const { config, policy } = this;
    const start = this.isPlaced ? 1 : startOf(config, at.stream);
    const state = new ConsumerState(policy, start, at.stream.store.last);
    if (this.isPlaced) state.restore(decodeConsumerState(encodeConsumerState(this.state))!);
    const log: SharedLog = (this.log = new SharedLog(group, policy, () => this.refused(log)));
    if (!this.isPlaced) log.append(ConsumerState.skip(start - 1, 0));
    const { store } = at.stream;
    const waits = config.ackPolicy !== "none" && config.ackPolicy !== "flow_control";
    const deferral = {
      later: (deliver: () => void) => log.later(deliver),
      read: (sequence: number) => store.read(sequence),
    };
    const leavesDamage = (): boolean => group.leads && this.damage.leaves(group);
    const kept = { log, state, leavesDamage, ...(waits ? { deferral } : {}) };
    at.followed.delete(config.name);
    this.consumer = assets.enterConsumer(at, { config, created, wasNamed }, kept);
    this.consumer.start();
    assets.onChanged(at, this.consumer);
    if (at.stream.config.retention === "workqueue") this.dropSettled(this.consumer);
    log.flush();
  }

  /**
   * The group has not taken what the consumer did, so that its deliveries would wait for that as long as it leads. Whoever leads
   * next begins with what was agreed on. Not at once: the consumer is in the midst of its work.
   */
  private refused(log: SharedLog): void {
    this.options.assets.host.afterwards(() => {
      if (this.log === log) this.joined?.transfer("");
    });
  }

  /** Removes from the work queue what was acknowledged under an earlier leader. */
  private dropSettled(consumer: Consumer): void {
    const { stream, state } = consumer;
    const { stream: to } = state.delivered;
    for (let at = stream.store.next(1, null, to); at !== 0; at = stream.store.next(at + 1, null, to))
      if (!state.pending.has(at) && consumer.takes(stream.store.subjectOf(at))) stream.settled(at);
  }

  private giveUp(status: string): void {
    const { consumer, options } = this;
    if (consumer === null) return;
    const { assets, stream: at } = options;
    this.consumer = null;
    at.consumers.delete(consumer.name);
    at.followed.set(consumer.name, this);
    at.stream.readers.delete(consumer);
    assets.onChanged(at, consumer);
    consumer.dismiss(status);
    consumer.stop();
    this.log = null;
  }

  private fail(problem: string): void {
    if (this.problem !== "") return;
    this.problem = problem;
    const { assets, stream } = this.options;
    assets.host.logger.error("a copy of a consumer has stopped: it may differ from the others", {
      account: assets.host.name,
      stream: stream.stream.config.name,
      consumer: this.config.name,
      problem,
    });
    this.giveUp("409 Leadership Change");
    if (this.joined?.leads === true) this.joined.transfer("");
  }
}

/** Where the consumer of a leader writes what it does: entries are proposed, and are durable once they are agreed on. */
class SharedLog implements EntryLog {
  readonly isInMemory = false;
  readonly isShared = true;
  readonly sizeBytes = 0;
  last = 0;
  written = 0;
  private readonly group: Group;
  private readonly policy: "none" | "all" | "explicit";
  private readonly refused: () => void;
  private open: Uint8Array[] = [];
  /** The group has not taken something: nothing that follows on it is proposed. */
  private isRefused = false;
  /** Operations that were proposed, and agreed on. */
  private proposedCount = 0;
  private agreedCount = 0;
  private readonly waiting: { readonly upTo: number; readonly done: (error: DiskError | null) => void }[] =
    [];
  /** Calls for when the next flush is agreed on. */
  private calls: (() => void)[] = [];

  /** `refused`: something that was to be agreed on will not be. Called once. */
  constructor(group: Group, policy: "none" | "all" | "explicit", refused: () => void) {
    this.group = group;
    this.policy = policy;
    this.refused = refused;
  }

  append(entry: ConsumerEntry): void {
    this.last++;
    this.open.push(...operationsOf(entry, this.policy));
  }

  appendReset(sequence: number): void {
    this.open.push(encodeReset(sequence));
  }

  flush(): void {
    const { open } = this;
    this.open = [];
    this.written = this.last;
    this.proposedCount += open.length;
    if (open.length > 0) this.propose(open);
    const { calls } = this;
    this.calls = [];
    if (calls.length > 0)
      this.sync(() => {
        for (const call of calls) call();
      });
  }

  private propose(operations: readonly Uint8Array[]): void {
    if (this.isRefused || this.group.propose(operations)) return;
    this.isRefused = true;
    this.refused();
  }

  later(call: () => void): void {
    this.calls.push(call);
  }

  agreed(count: number): void {
    this.agreedCount += count;
    while (this.waiting.length > 0 && this.waiting[0]!.upTo <= this.agreedCount)
      this.waiting.shift()!.done(null);
  }

  sync(done: (error: DiskError | null) => void): void {
    if (this.proposedCount <= this.agreedCount) done(null);
    else this.waiting.push({ upTo: this.proposedCount, done });
  }

  syncNow(): void {
    assert(false, "what others have to have is not durable at once");
  }

  /** Snapshots are the group's affair. */
  fold(): void {
    this.flush();
  }

  /** Its group has agreed that it is there. */
  whenBorn(done: (error: DiskError | null) => void): void {
    done(null);
  }

  isSound(): boolean {
    return true;
  }

  close(): void {
    this.open = [];
    this.calls = [];
    this.waiting.length = 0;
  }
}
