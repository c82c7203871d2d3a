/**
 * A stream: judges what arrives (limits, expected sequences, duplicates), and applies what was accepted to its store. What is
 * applied depends on the operation and the store alone, so that replicas come to the same result.
 *
 *     deliver ─▶ judge ─▶ refused, or a duplicate ─▶ answer
 *                  └────▶ apply ─▶ store, limits ─▶ held answer ─▶ (end of turn) written, synced ─▶ answer, consumers
 */
import { assert } from "../../base/assert.ts";
import type { StreamStore } from "../../store/stream-store.ts";
import type { Message } from "../../protocol/message.ts";
import { bytes } from "../../slab/memory.ts";
import { ApiError } from "../api-error.ts";
import { MessageHeaders } from "../headers.ts";
import type { AccountHost, Incoming } from "../host.ts";
import { BatchMarks } from "./batch-marks.ts";
import { Batches } from "./batches.ts";
import { LongWork } from "./long-work.ts";
import { Commit } from "./commit.ts";
import type { StreamConfig } from "./config.ts";
import { Duplicates, recallIds } from "./duplicates.ts";
import { DueMessages } from "./due-messages.ts";
import { FAST_REPLY } from "./fast-batches.ts";
import { Confirmations, refusalOf } from "./confirmations.ts";
import { Judge, type Operation, type Place } from "./judge.ts";
import type { OriginPositions } from "./origin-positions.ts";
import { enforceLimits } from "./enforce.ts";
import type { Reader } from "./reader.ts";
import { PlainMessages } from "./plain-messages.ts";
import { Removals } from "./removals.ts";
import { Republisher } from "./republisher.ts";
import { isUnwanted } from "./retention.ts";
import type { StreamFeed } from "./stream-feed.ts";
import type { StreamOptions } from "./stream-options.ts";
import type { TimedMessages } from "./timed.ts";
import { WriteFailure } from "./write-failure.ts";

export class Stream {
  config: StreamConfig;
  readonly created: string;
  readonly store: StreamStore;
  readonly commit: Commit;
  readonly readers = new Set<Reader>();
  readonly host: AccountHost;
  readonly duplicates: Duplicates;
  readonly longWork: LongWork;
  readonly removals: Removals;
  /** The id of the message that was stored last; null: it had none. */
  lastId: string | null = null;
  /** How far it has taken messages from its sources. */
  readonly positions: OriginPositions;
  /** A reader of a replica needs a message no longer: its group has to agree on its removal. */
  onSettled: (sequence: number) => void = () => {};
  /** The time of a message is over; of a replica, whose group has to agree on its removal, nothing goes by this alone. */
  onExpired = (sequence: number): void => void this.remove(sequence);
  /** Messages up to this sequence are as durable as the policy says. */
  onCommitted: (sequence: number) => void = () => {};
  private readonly timed: TimedMessages;
  private readonly judgement: Judge;
  private readonly due: DueMessages;
  private readonly republisher: Republisher;
  private readonly batches: Batches;
  private readonly marks: BatchMarks;
  private readonly failure: WriteFailure;
  private readonly confirmations: Confirmations;
  private readonly plain: PlainMessages;
  private listeners: Disposable[] = [];
  private isDue = false;
  private isStopped = false;
  private readonly isReplica: boolean;
  /** Where its own messages go; null: to its store. */
  feed: StreamFeed | null = null;
  /** It answers for what it holds; a replica, which gets that from its group, while it leads. */
  serves: boolean;

  constructor(options: StreamOptions) {
    const { config, created, host, store, policy, timed } = options;
    this.config = config;
    this.serves = !(this.isReplica = options.role === "replica");
    this.created = created;
    this.confirmations = new Confirmations(config.name, host);
    this.plain = new PlainMessages(host, () => options.room.bytesLeft());
    this.plain.configure(config);
    this.host = host;
    this.store = store;
    this.timed = timed;
    this.positions = options.positions;
    this.marks = new BatchMarks(store, policy);
    this.duplicates = new Duplicates(config.duplicateWindowNs);
    this.judgement = new Judge(this, options.room);
    this.republisher = new Republisher(host, config);
    this.due = new DueMessages(this, timed);
    this.batches = new Batches({
      stream: this,
      judgement: this.judgement,
      options,
      apply: (operation) => this.apply(operation),
      applyBatch: (operations) => this.applyBatch(operations),
      answer: (message, payload) => this.answer(message, payload),
      refuse: (message, error) => this.answer(message, refusalOf(this.config.name, error)),
      ackHead: (sequence) => this.confirmations.head(sequence),
    });
    this.longWork = new LongWork(host);
    this.removals = new Removals(this);
    this.failure = new WriteFailure({ name: config.name, host, attempt: () => this.commit.end() });
    this.commit = new Commit(store, policy, {
      send: ({ reply, payload }) => void host.send({ subject: reply, reply: "", headers: "", payload }),
      confirm: (confirmation) => this.confirmations.send(confirmation),
      committed: (sequence) => {
        this.marks.committed(sequence);
        this.republisher.committed(sequence);
        for (const reader of this.readers) reader.committed(sequence);
        this.onCommitted(sequence);
      },
      failed: (error, answers) => this.failure.begin(error, answers),
    });
    const fromNs = host.nowNs() - BigInt(config.duplicateWindowNs);
    this.lastId = recallIds(store, fromNs, this.duplicates);
  }

  /** Why nothing can be written, so that publishers are refused. "": all is well. */
  get problem(): string {
    return this.failure.problem;
  }

  start(): void {
    this.listen();
    this.removals.enforce();
    this.due.restart();
  }

  /** A replica begins to lead, or does no longer: the leader decides what has expired, and which schedules are due. */
  serve(how: "begins" | "ends"): void {
    this.serves = how === "begins";
    if (how === "begins") this.due.begin();
    else this.due.yield();
    this.removals.dropUnwanted();
  }

  /** The configuration has been checked. */
  reconfigure(config: StreamConfig): void {
    const { subjects } = this.config;
    this.config = config;
    this.duplicates.setWindow(config.duplicateWindowNs);
    this.judgement.configure(config);
    this.plain.configure(config);
    this.republisher.configure(config);
    if (subjects.join(" ") !== config.subjects.join(" ")) this.listen();
    this.removals.enforce();
    this.due.restart();
    this.touch();
  }

  stop(how: "closes its store" | "keeps its store" = "closes its store"): void {
    this.isStopped = true;
    this.serves = false;
    this.longWork.stop();
    for (const listener of this.listeners) listener[Symbol.dispose]();
    this.listeners = [];
    this.due.yield();
    this.batches.stop();
    this.failure.stop();
    this.commit.finish();
    if (how === "closes its store") this.store.close();
  }

  receive(message: Incoming): void {
    if (message.message !== undefined && this.receivePlain(message, message.message)) return;
    try {
      if (message.reply.endsWith(FAST_REPLY)) {
        this.batches.fast.take(message);
        this.touch();
        return;
      }
      const operation = this.judgement.judge(message, "published");
      if (typeof operation === "number")
        this.answer(message, `${this.confirmations.head(operation)},"duplicate": true}`);
      else if (operation instanceof MessageHeaders) this.batches.take(message, operation);
      else {
        const sequence = this.apply(operation);
        const { value } = operation;
        if (value === null) this.confirm(message, sequence);
        else this.answer(message, `${this.confirmations.head(sequence)},"val":"${value}"}`);
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.answer(message, refusalOf(this.config.name, error));
    }
    this.touch();
  }

  /** False: it has to be judged. */
  private receivePlain(message: Incoming, lies: Message): boolean {
    const { plain, store } = this;
    if (!this.isDue) plain.begin();
    if (!plain.takes(lies) || this.problem !== "") return false;
    const { subject } = message;
    const { id, timeMs } = plain;
    if (id !== null && this.duplicates.findAt(id, timeMs) !== 0) return false;
    this.lastId = id;
    const sequence = store.appendPlaced(plain.place(subject, lies));
    if (id !== null) this.duplicates.noteAt(id, sequence, timeMs);
    for (const reader of this.readers) reader.added(sequence, subject);
    this.holdLimits(subject);
    this.due.follow();
    const { at, replyFrom, replyLength } = lies;
    if (replyLength > 0 && !this.config.noAck)
      this.commit.confirm(bytes, at + replyFrom, replyLength, sequence);
    this.touch();
    return true;
  }

  touch(): void {
    if (this.isDue || this.isStopped) return;
    this.isDue = true;
    this.host.afterwards(() => {
      this.isDue = false;
      if (!this.isStopped) this.commit.end();
    });
  }

  /** Removes a message. `how` "erase": its bytes are overwritten. False: there is none. */
  remove(sequence: number, how: "erase" | "forget" = "forget"): boolean {
    if (!this.store.has(sequence)) return false;
    const subject = this.store.subjectOf(sequence);
    const went = how === "erase" ? this.store.erase(sequence) : this.store.remove(sequence);
    if (went) for (const reader of this.readers) reader.removed(sequence, subject);
    this.touch();
    return went;
  }

  /** A reader needs the message no longer: with interest or work queue retention it may go. */
  settled(sequence: number): void {
    const { retention } = this.config;
    if (retention === "limits" || !this.store.has(sequence)) return;
    if (this.isReplica) return this.onSettled(sequence);
    if (retention === "interest") {
      const subject = this.store.subjectOf(sequence);
      for (const reader of this.readers) if (reader.needs(sequence, subject)) return;
    }
    this.remove(sequence);
  }

  /** Gives back the room of what is gone, one block at a time. */
  clean(): void {
    if (this.problem !== "") return;
    this.store.packs = this.config.compression === "s2";
    this.longWork.begin(() => (this.store.clean() === "more" ? "more" : "done"));
    if (this.isFed) this.positions.checkpoint(this.store);
  }

  /**
   * Stores a message that was judged elsewhere before: made by the stream itself, or taken from another one. `place`: null for the next
   * sequence, now. False: it is a duplicate. Throws `ApiError`.
   */
  takeOver(message: Incoming, place: Place | null): boolean {
    if (this.feed !== null) return this.feed.takeOver(message, place);
    const operation = this.judgement.judge(message, "trusted");
    if (typeof operation === "number") return false;
    assert(!(operation instanceof MessageHeaders), "only what clients publish belongs to a batch");
    if (place === null) this.apply(operation);
    else {
      this.apply({ ...operation, timeNs: place.timeNs }, place.sequence);
      this.marks.mirrored(place.sequence, this.host.clock.nowMs());
    }
    this.touch();
    return true;
  }

  /** A mirror: its origin has no messages up to this sequence that are not here. */
  passOver(sequence: number): void {
    if (this.feed === null) this.skipTo(sequence);
    else this.feed.passOver(sequence);
  }

  skipTo(sequence: number): void {
    if (sequence <= this.store.last) return;
    if (this.store.messages === 0) this.store.compact(sequence + 1);
    else this.store.skip(sequence);
    this.touch();
  }

  /** `sequence`: the next one; in a mirror, which leaves gaps, it may be a later one. */
  apply(operation: Operation, sequence = this.store.last + 1): number {
    const { store } = this;
    const { subject, rollup } = operation;
    this.lastId = operation.id;
    if (this.passesOver(operation)) return this.skip(operation, sequence);
    const before = this.republisher.isOn ? store.lastOf(subject) : 0;
    store.append(operation, 0, sequence);
    this.noteStored(operation, sequence, before);
    if (rollup !== null)
      this.removals.purge({ filter: rollup === "sub" ? subject : null, below: 0, keep: 1 });
    this.finish(operation);
    return sequence;
  }

  /** All are there after a power loss, or none: nothing is removed before the last of them is appended. */
  applyBatch(operations: readonly Operation[]): number {
    const { store } = this;
    const stored = operations.filter((operation) => !this.passesOver(operation));
    const before = stored.map(({ subject }) => (this.republisher.isOn ? store.lastOf(subject) : 0));
    const from = store.last + 1;
    store.appendBatch(stored);
    for (const [i, operation] of stored.entries()) this.noteStored(operation, from + i, before[i]!);
    if (stored.length > 1) this.marks.stored(store.last);
    for (const [i, { subject, rollup }] of stored.entries())
      if (rollup !== null)
        this.removals.purge({ filter: rollup === "sub" ? subject : null, below: from + i, keep: 0 });
    for (const operation of operations) {
      this.lastId = operation.id;
      if (stored.includes(operation)) this.finish(operation);
      else this.skip(operation);
    }
    return store.last;
  }

  /** With interest retention it is not kept; the copies of a replicated stream are told by the leader. */
  private passesOver({ subject, isUnwanted: isTold }: Operation): boolean {
    return this.isReplica ? isTold === true : isUnwanted(this, subject);
  }

  private noteStored(operation: Operation, sequence: number, before: number): void {
    const { subject, timeNs, id, ttlSeconds, schedule } = operation;
    if (id !== null) this.duplicates.note(id, sequence, timeNs);
    for (const reader of this.readers) reader.added(sequence, subject);
    if (ttlSeconds > 0 && this.config.allowMessageTtl) this.timed.expires(sequence, timeNs, ttlSeconds);
    if (this.config.allowSchedules) this.timed.scheduled(subject, sequence, schedule);
    if (this.republisher.isOn && this.serves) this.republisher.stored(operation, sequence, before);
    if (this.isFed)
      this.positions.note({ sequence, headerLength: operation.headerLength, body: operation.body });
  }

  /** Whether messages come from other streams. */
  private get isFed(): boolean {
    return this.config.mirror !== null || this.config.sources.length > 0;
  }

  private finish({ subject, schedule }: Operation): void {
    if (schedule?.kind === "purge") this.endSchedule(schedule.scheduler);
    this.holdLimits(subject);
    this.due.follow();
  }

  private holdLimits(subject: string): void {
    if (enforceLimits(this, subject) === "more") this.removals.enforce();
  }

  /** The message takes a sequence and is not kept. */
  private skip(operation: Operation, sequence = this.store.last + 1): number {
    const { id, timeNs, rollup, subject, schedule, headerLength, body } = operation;
    const skipped = this.store.skip(sequence);
    if (this.isFed) this.positions.note({ sequence, headerLength, body });
    if (id !== null) this.duplicates.note(id, skipped, timeNs);
    if (rollup !== null)
      this.removals.purge({ filter: rollup === "sub" ? subject : null, below: 0, keep: 0 });
    if (schedule?.kind === "purge") this.endSchedule(schedule.scheduler);
    if (schedule?.kind === "next") this.timed.postpone(schedule.scheduler, schedule.atMs);
    this.due.follow();
    return skipped;
  }

  private endSchedule(subject: string): void {
    if (this.config.allowRollup && !this.config.denyPurge)
      this.removals.purge({ filter: subject, below: 0, keep: 0 });
  }

  private listen(): void {
    if (this.isReplica) return;
    const old = this.listeners;
    this.listeners = this.config.subjects.map((subject) =>
      this.host.listen(subject, (message) => this.receive(message)),
    );
    for (const listener of old) listener[Symbol.dispose]();
  }

  private answer({ reply }: Incoming, payload: string): void {
    if (reply !== "" && !this.config.noAck) this.commit.hold({ reply, payload });
  }

  private confirm({ reply }: Incoming, sequence: number): void {
    if (reply === "" || this.config.noAck) return;
    const subject = Buffer.from(reply, "latin1");
    this.commit.confirm(subject, 0, subject.length, sequence);
  }
}
