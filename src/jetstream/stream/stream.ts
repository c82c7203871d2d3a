/**
 * A stream: judges what arrives (limits, expected sequences, duplicates), and applies what was accepted to its store. What is
 * applied depends on the operation and the store alone, so that replicas come to the same result.
 *
 *     deliver ─▶ judge ─▶ refused, or a duplicate ─▶ answer
 *                  └────▶ apply ─▶ store, limits ─▶ held answer ─▶ (end of turn) written, synced ─▶ answer, consumers
 */
import { assert } from "../../base/assert.ts";
import type { DiskError } from "../../store/disk.ts";
import type { PurgeOptions, StreamStore } from "../../store/stream-store.ts";
import { subjectMatches } from "../../subject/subject.ts";
import { ApiError, apiErrors } from "../api-error.ts";
import { MessageHeaders } from "../headers.ts";
import type { AccountHost, Incoming } from "../host.ts";
import { Commit, type Answer, type SyncPolicy } from "./commit.ts";
import type { StreamConfig } from "./config.ts";
import { Duplicates } from "./duplicates.ts";

/** What a stream needs to know of those who read it. */
export interface Reader {
  /** Messages up to this sequence may be delivered. */
  committed(sequence: number): void;
  /** A message has come. */
  added(sequence: number, subject: string): void;
  /** A message is gone. */
  removed(sequence: number, subject: string): void;
  /** Many are gone: counts are worked out anew. */
  purged(): void;
  /** Whether it still has to deliver the message, or waits for its acknowledgement. */
  needs(sequence: number, subject: string): boolean;
  /** Whether it gets messages on the subject. */
  takes(subject: string): boolean;
}

export interface StreamOptions {
  readonly config: StreamConfig;
  /** RFC 3339. */
  readonly created: string;
  readonly host: AccountHost;
  readonly store: StreamStore;
  readonly policy: SyncPolicy;
  /** Bytes that the account may still store; Infinity: no limit. */
  readonly bytesLeft: () => number;
}

/** What was accepted: everything that a replica needs. */
interface Operation {
  readonly message: Incoming;
  readonly timeNs: bigint;
  readonly id: string | null;
  readonly rollup: "sub" | "all" | null;
}

/** Messages that one turn removes for their age. */
const EXPIRED_PER_TURN = 1000;
const MS_NS = 1_000_000n;
const RETRY_MS = 1000;

export class Stream {
  config: StreamConfig;
  readonly created: string;
  readonly store: StreamStore;
  readonly commit: Commit;
  readonly readers = new Set<Reader>();
  readonly host: AccountHost;
  readonly duplicates: Duplicates;
  /** Nothing can be written: publishers are refused. "": all is well. */
  problem = "";
  private readonly options: StreamOptions;
  private lastId: string | null = null;
  private listeners: Disposable[] = [];
  private expiry: Disposable | null = null;
  private retry: Disposable | null = null;
  private isDue = false;
  private isStopped = false;

  constructor(options: StreamOptions) {
    const { config, created, host, store, policy } = options;
    this.options = options;
    this.config = config;
    this.created = created;
    this.host = host;
    this.store = store;
    this.duplicates = new Duplicates(config.duplicateWindowNs);
    this.commit = new Commit(store, policy, {
      send: ({ reply, payload }) =>
        void host.send({ subject: reply, reply: "", headers: "", payload: Buffer.from(payload, "latin1") }),
      committed: (sequence) => {
        for (const reader of this.readers) reader.committed(sequence);
      },
      failed: (error, answers) => this.onFailed(error, answers),
    });
    this.recallIds();
  }

  /** Takes messages from here on. */
  start(): void {
    this.listen();
    this.enforceLimits("");
    this.expire();
  }

  /** The configuration has been checked. */
  reconfigure(config: StreamConfig): void {
    const { subjects } = this.config;
    this.config = config;
    this.duplicates.setWindow(config.duplicateWindowNs);
    if (subjects.join(" ") !== config.subjects.join(" ")) this.listen();
    this.enforceLimits("");
    for (const { subject } of [...this.store.subjectsMatching(">")]) this.enforcePerSubject(subject);
    this.expire();
    this.touch();
  }

  stop(): void {
    this.isStopped = true;
    for (const listener of this.listeners) listener[Symbol.dispose]();
    this.listeners = [];
    this.expiry?.[Symbol.dispose]();
    this.retry?.[Symbol.dispose]();
    this.commit.finish();
    this.store.close();
  }

  /** A message arrives on one of the subjects. */
  receive(message: Incoming): void {
    try {
      const operation = this.judge(message);
      if (typeof operation === "number")
        this.answer(message, `${this.ackHead(operation)},"duplicate": true}`);
      else this.answer(message, `${this.ackHead(this.apply(operation))}}`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const { code, errorCode, message: description } = error;
      const shown = JSON.stringify({ code, err_code: errorCode, description });
      this.answer(message, `{"error":${shown},"stream":${JSON.stringify(this.config.name)},"seq":0}`);
    }
    this.touch();
  }

  /** Has what was stored written and confirmed at the end of the turn. */
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

  /** Returns how many messages went. */
  purge(options: PurgeOptions): number {
    const gone = this.store.purge(options);
    for (const reader of this.readers) reader.purged();
    this.touch();
    return gone;
  }

  /** A reader needs the message no longer: with interest or work queue retention it may go. */
  settled(sequence: number): void {
    const { retention } = this.config;
    if (retention === "limits" || !this.store.has(sequence)) return;
    if (retention === "interest") {
      const subject = this.store.subjectOf(sequence);
      for (const reader of this.readers) if (reader.needs(sequence, subject)) return;
    }
    this.remove(sequence);
  }

  /** A reader has come or gone, or its filters have changed: what nobody wants is looked for. Only for interest retention. */
  dropUnwanted(): void {
    if (this.config.retention !== "interest") return;
    const { store } = this;
    for (let at = store.next(1, null); at !== 0; at = store.next(at + 1, null)) this.settled(at);
  }

  /** Gives back the room of what is gone, one block at a time. */
  clean(): void {
    if (this.problem === "") this.store.clean();
  }

  // ---- judging ----

  /** The operation to apply, or the sequence of which the message is a duplicate. Throws `ApiError`. */
  private judge(message: Incoming): Operation | number {
    const { config, store, host } = this;
    if (this.problem !== "") throw apiErrors.insufficientStorage();
    if (config.sealed) throw apiErrors.sealed();
    const timeNs = host.nowNs();
    const headers = message.headerLength > 0 ? MessageHeaders.of(message.body, message.headerLength) : null;
    const id = headers?.get("Nats-Msg-Id") ?? null;
    if (headers !== null) {
      if (headers.get("Nats-Expected-Stream") !== null && headers.get("Nats-Expected-Stream") !== config.name)
        throw apiErrors.expectedStream();
      if (id !== null && id !== "") {
        const sequence = this.duplicates.find(id, timeNs);
        if (sequence !== 0) return sequence;
      }
    }
    if (config.maxMessageBytes >= 0 && message.body.length > config.maxMessageBytes)
      throw apiErrors.messageTooLarge();
    if (headers !== null) this.judgeExpectations(headers, message.subject);
    const rollup = this.judgeRollup(headers);
    this.judgeRoom(message, rollup !== null);
    assert(store.last < Number.MAX_SAFE_INTEGER, "sequences stay whole numbers");
    return { message, timeNs, id: id === "" ? null : id, rollup };
  }

  private judgeExpectations(headers: MessageHeaders, subject: string): void {
    const { store } = this;
    const last = headers.get("Nats-Expected-Last-Sequence");
    if (last !== null && Number(last) !== store.last) throw apiErrors.wrongLastSequence(store.last);
    const id = headers.get("Nats-Expected-Last-Msg-Id");
    if (id !== null && id !== (this.lastId ?? "")) throw apiErrors.wrongLastMessageId(this.lastId ?? "");
    const ofSubject = headers.get("Nats-Expected-Last-Subject-Sequence");
    const pattern = headers.get("Nats-Expected-Last-Subject-Sequence-Subject");
    if (ofSubject === null) {
      if (pattern !== null) throw apiErrors.missingLastSequence();
      return;
    }
    const there = store.lastMatching(pattern ?? subject);
    if (Number(ofSubject) !== there) throw apiErrors.wrongLastSequence(there);
  }

  private judgeRollup(headers: MessageHeaders | null): Operation["rollup"] {
    const value = headers?.get("Nats-Rollup") ?? null;
    if (value === null) return null;
    if (!this.config.allowRollup || this.config.denyPurge)
      throw apiErrors.rollupFailed("rollup not permitted");
    const rollup = value.toLowerCase();
    if (rollup !== "sub" && rollup !== "all")
      throw apiErrors.rollupFailed(`rollup value invalid: ${JSON.stringify(value)}`);
    return rollup;
  }

  private judgeRoom(message: Incoming, isRollup: boolean): void {
    const { subject, body } = message;
    const { config, store, options } = this;
    if (body.length > options.bytesLeft()) throw apiErrors.resourcesExceeded();
    if (config.discard !== "new") return;
    const ofSubject = store.countOf(subject);
    const isFullSubject = config.maxPerSubject > 0 && ofSubject >= config.maxPerSubject;
    if (isFullSubject && config.discardNewPerSubject && !isRollup)
      throw apiErrors.storeFailed("maximum messages per subject exceeded");
    const freed = isFullSubject ? 1 : 0;
    if (config.maxMessages > 0 && store.messages - freed >= config.maxMessages)
      throw apiErrors.storeFailed("maximum messages exceeded");
    const freedBytes = isFullSubject ? store.bytesOf(store.firstOf(subject)) : 0;
    if (config.maxBytes > 0 && store.bytes - freedBytes + store.bytesFor(message) > config.maxBytes)
      throw apiErrors.storeFailed("maximum bytes exceeded");
  }

  // ---- applying ----

  private apply({ message, timeNs, id, rollup }: Operation): number {
    const { store } = this;
    const { subject, headerLength, body } = message;
    this.lastId = id;
    if (this.isUnwanted(subject)) {
      const skipped = store.skip();
      if (id !== null) this.duplicates.note(id, skipped, timeNs);
      return skipped;
    }
    const sequence = store.append({ subject, headerLength, body, timeNs });
    if (id !== null) this.duplicates.note(id, sequence, timeNs);
    for (const reader of this.readers) reader.added(sequence, subject);
    if (rollup !== null) this.purge({ filter: rollup === "sub" ? subject : null, below: 0, keep: 1 });
    this.enforceLimits(subject);
    if (this.expiry === null) this.expire();
    return sequence;
  }

  /** With interest retention a message that no reader takes is not kept. */
  private isUnwanted(subject: string): boolean {
    if (this.config.retention !== "interest") return false;
    for (const reader of this.readers) if (reader.takes(subject)) return false;
    return true;
  }

  /** Removes the oldest until all limits hold: of the subject first ("": of none). */
  private enforceLimits(subject: string): void {
    const { config, store } = this;
    if (subject !== "") this.enforcePerSubject(subject);
    while (config.maxMessages > 0 && store.messages > config.maxMessages) this.remove(store.first);
    while (config.maxBytes > 0 && store.bytes > config.maxBytes && store.messages > 0)
      this.remove(store.first);
  }

  private enforcePerSubject(subject: string): void {
    const { config, store } = this;
    if (config.maxPerSubject <= 0) return;
    while (store.countOf(subject) > config.maxPerSubject) this.remove(store.firstOf(subject));
  }

  /** Removes what is too old, some in a turn, and sets a timer for the next. */
  private expire(): void {
    const { config, store, host } = this;
    this.expiry?.[Symbol.dispose]();
    this.expiry = null;
    if (config.maxAgeNs === 0 || this.isStopped) return;
    const eldestNs = host.nowNs() - BigInt(config.maxAgeNs);
    for (let i = 0; store.messages > 0; i++) {
      const timeNs = store.timeOf(store.first);
      if (timeNs > eldestNs || i === EXPIRED_PER_TURN) {
        const waitMs = timeNs > eldestNs ? Number((timeNs - eldestNs) / MS_NS) + 1 : 0;
        this.expiry = host.clock.setTimer(Math.min(waitMs, 2 ** 31 - 1), () => this.expire());
        return;
      }
      this.remove(store.first);
    }
  }

  /** Ids within the window are known again after a restart. */
  private recallIds(): void {
    const { store, host, config } = this;
    const from = store.atTime(host.nowNs() - BigInt(config.duplicateWindowNs));
    for (let at = store.next(from, null); at !== 0; at = store.next(at + 1, null)) {
      const view = store.read(at);
      if (view === null || view.headerLength === 0) continue;
      const id = MessageHeaders.of(view.body, view.headerLength).get("Nats-Msg-Id");
      if (id !== null && id !== "") this.duplicates.note(id, at, view.timeNs);
      if (at === store.last) this.lastId = id;
    }
  }

  private listen(): void {
    const old = this.listeners;
    this.listeners = this.config.subjects.map((subject) =>
      this.host.listen(subject, (message) => this.receive(message)),
    );
    for (const listener of old) listener[Symbol.dispose]();
  }

  private ackHead(sequence: number): string {
    return `{"stream":${JSON.stringify(this.config.name)},"seq":${sequence}`;
  }

  private answer({ reply }: Incoming, payload: string): void {
    if (reply !== "" && !this.config.noAck) this.commit.hold({ reply, payload });
  }

  /** Nobody is told that anything was kept. Publishers are refused until a later attempt to write succeeds. */
  private onFailed(error: DiskError, answers: readonly Answer[]): void {
    const { host, config } = this;
    if (this.problem === "")
      host.logger.error("a stream cannot be written: publishers are refused until it can", {
        stream: config.name,
        account: host.name,
        error: error.message,
      });
    this.problem = error.message;
    const { code, errorCode, message } = apiErrors.insufficientStorage();
    const shown = JSON.stringify({ code, err_code: errorCode, description: message });
    const payload = Buffer.from(
      `{"error":${shown},"stream":${JSON.stringify(config.name)},"seq":0}`,
      "latin1",
    );
    for (const { reply } of answers) host.send({ subject: reply, reply: "", headers: "", payload });
    this.retry?.[Symbol.dispose]();
    this.retry = host.clock.setTimer(RETRY_MS, () => this.tryAgain());
  }

  private tryAgain(): void {
    assert(this.problem !== "", "a stream is tried again after it failed");
    this.problem = "";
    this.commit.end();
    if (this.problem === "")
      this.host.logger.info("the stream can be written again", { stream: this.config.name });
  }
}

/** Whether one of the patterns covers the subject; no patterns: they cover everything. */
export function isCovered(subject: string, filters: readonly string[]): boolean {
  return filters.length === 0 || filters.some((filter) => subjectMatches(filter, subject));
}
