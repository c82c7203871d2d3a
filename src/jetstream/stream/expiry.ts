/**
 * Removes messages whose time has come: those older than `max_age`, and those with a time of their own. Where the stream marks deleted
 * subjects, the last message of a subject is replaced by a marker. Some in a turn, so that others have theirs.
 *
 * In a replicated stream the leader decides, and what it has decided happens once that is agreed on: until then it is under way, bounded
 * by what the group lets wait. A leadership that ends leaves it to the next one.
 */
import type { Clock } from "../../base/clock.ts";
import { TIMER_MAX_MS } from "../../base/duration.ts";
import type { RecordView } from "../../store/record.ts";
import type { StreamStore } from "../../store/stream-store.ts";
import { MessageHeaders } from "../headers.ts";
import type { StreamConfig } from "./config.ts";
import type { TimedMessages } from "./timed.ts";
import { isMarker, markerHeaders, readTtl, TTL_NEVER } from "./ttl.ts";

export interface ExpiryHost {
  readonly store: StreamStore;
  readonly timed: TimedMessages;
  readonly clock: Clock;
  nowNs(): bigint;
  /** False: another server decides what has expired. */
  decides(): boolean;
  config(): StreamConfig;
  /** Messages on the subject, those included that are not agreed on yet. */
  countOf(subject: string): number;
  /** It goes, now or once that is agreed on. */
  remove(sequence: number): void;
  /** Stores a marker. False: it could not be. */
  mark(subject: string, headers: string): boolean;
}

/** Messages that one turn removes. */
const PER_TURN = 1000;
const RETRY_MS = 2000;
const MS_NS = 1_000_000n;

export class Expiry {
  private readonly host: ExpiryHost;
  private timer: Disposable | null = null;
  private timerMs = Infinity;
  /** When the oldest message will be too old; Infinity: there was none. */
  private ageMs = Infinity;
  /** What lies below is gone, or never expires by its age. */
  private eldest = 0;
  private left = 0;
  private readonly underWay: ExpiriesUnderWay;

  constructor(host: ExpiryHost) {
    this.host = host;
    this.underWay = new ExpiriesUnderWay(host.store);
  }

  /** Something may be due earlier than was known. */
  follow(): void {
    const { maxAgeNs } = this.host.config();
    if (!this.host.decides()) this.trim();
    else if (maxAgeNs > 0 && this.ageMs === Infinity) this.setTimer(this.ageDueMs());
    else if (this.host.timed.expiries.nextMs < this.timerMs) this.setTimer(this.ageMs);
  }

  /** The configuration has changed, or the stream begins. */
  restart(): void {
    this.eldest = 0;
    this.run();
  }

  /** It does not decide any more, or has ended. */
  yield(): void {
    this.timer?.[Symbol.dispose]();
    this.timer = null;
    this.timerMs = this.ageMs = Infinity;
    this.underWay.giveBack(this.host.timed);
  }

  private run(): void {
    if (!this.host.decides()) return;
    this.left = PER_TURN;
    this.trim();
    this.underWay.prune();
    const isDone = this.expireOld() && this.expireTimed();
    if (isDone) this.setTimer(this.ageDueMs());
    else this.setTimer(this.host.clock.nowMs() + (this.left === 0 ? 0 : RETRY_MS), "even if more is due");
  }

  private trim(): void {
    const { timed, store } = this.host;
    timed.trim(store.messages, (sequence) => store.has(sequence));
  }

  /** False: it is to go on later. */
  private expireOld(): boolean {
    const { maxAgeNs } = this.host.config();
    if (maxAgeNs === 0) return true;
    const lastNs = this.host.nowNs() - BigInt(maxAgeNs);
    for (let view = this.oldest(); view !== null && view.timeNs <= lastNs; view = this.oldest()) {
      const next = view.sequence + 1;
      if (this.left === 0 || !this.expire(view, Infinity)) return false;
      this.eldest = next;
      this.left--;
    }
    return true;
  }

  private expireTimed(): boolean {
    const { timed, clock, store } = this.host;
    for (
      let due = timed.expiries.take(clock.nowMs());
      due !== null;
      due = timed.expiries.take(clock.nowMs())
    ) {
      const view = store.has(due.sequence) ? store.read(due.sequence) : null;
      if (view === null) continue;
      if (this.left === 0 || !this.expire(view, due.atMs)) {
        timed.expiries.add(due.sequence, due.atMs);
        return false;
      }
      this.left--;
    }
    return true;
  }

  /** False: its marker could not be stored, so it stays. `atMs`: by its own time; Infinity: by its age. */
  private expire(view: RecordView, atMs: number): boolean {
    const { host, underWay } = this;
    const { sequence, subject } = view;
    if (underWay.has(sequence)) return true;
    const markerSeconds = Math.floor(host.config().deleteMarkerTtlNs / 1e9);
    const isMarked = markerSeconds > 0 && this.isOnly(subject) && !isMarkerMessage(view);
    if (isMarked && !host.mark(subject, markerHeaders(markerSeconds))) return false;
    if (!isMarked) host.remove(sequence);
    if (host.store.has(sequence)) underWay.add(sequence, { subject, atMs });
    return true;
  }

  /** No other message of the subject stays. */
  private isOnly(subject: string): boolean {
    return this.host.countOf(subject) - this.underWay.countOf(subject) === 1;
  }

  /** The oldest message that expires by its age; null: there is none. */
  private oldest(): RecordView | null {
    const { store } = this.host;
    for (let at = store.next(this.eldest, null); at !== 0; at = store.next(at + 1, null)) {
      const view = store.read(at);
      if (view === null) continue;
      this.eldest = at;
      if (!neverExpires(view)) return view;
    }
    return null;
  }

  private ageDueMs(): number {
    const { maxAgeNs } = this.host.config();
    const view = maxAgeNs === 0 ? null : this.oldest();
    return view === null ? Infinity : Number((view.timeNs + BigInt(maxAgeNs)) / MS_NS) + 1;
  }

  private setTimer(
    ageDueMs: number,
    when: "by what is due" | "even if more is due" = "by what is due",
  ): void {
    const { timed, clock } = this.host;
    this.ageMs = ageDueMs;
    const atMs = when === "by what is due" ? Math.min(ageDueMs, timed.expiries.nextMs) : ageDueMs;
    this.timer?.[Symbol.dispose]();
    this.timer = null;
    this.timerMs = atMs;
    if (atMs === Infinity) return;
    const waitMs = Math.min(TIMER_MAX_MS, Math.max(0, Math.ceil(atMs - clock.nowMs())));
    this.timer = clock.setTimer(waitMs, () => this.run());
  }
}

interface UnderWay {
  readonly subject: string;
  /** When its own time was over; Infinity: it is too old. */
  readonly atMs: number;
}

/** Messages whose removal is decided and has not happened yet. Without replicas there are none, but for what a long purge leaves. */
class ExpiriesUnderWay {
  private readonly store: Pick<StreamStore, "has">;
  private readonly messages = new Map<number, UnderWay>();
  private readonly counts = new Map<string, number>();

  constructor(store: Pick<StreamStore, "has">) {
    this.store = store;
  }

  has(sequence: number): boolean {
    return this.messages.has(sequence);
  }

  countOf(subject: string): number {
    return this.counts.get(subject) ?? 0;
  }

  add(sequence: number, message: UnderWay): void {
    this.messages.set(sequence, message);
    this.counts.set(message.subject, this.countOf(message.subject) + 1);
  }

  /** Those that are gone are under way no longer. */
  prune(): void {
    for (const [sequence, { subject }] of this.messages) {
      if (this.store.has(sequence)) continue;
      this.messages.delete(sequence);
      const left = this.countOf(subject) - 1;
      if (left === 0) this.counts.delete(subject);
      else this.counts.set(subject, left);
    }
  }

  /** Those that are still there may stay: they are due again. */
  giveBack({ expiries }: TimedMessages): void {
    for (const [sequence, { atMs }] of this.messages)
      if (atMs < Infinity && this.store.has(sequence)) expiries.add(sequence, atMs);
    this.messages.clear();
    this.counts.clear();
  }
}

function neverExpires({ body, headerLength }: RecordView): boolean {
  if (headerLength === 0) return false;
  return readTtl(MessageHeaders.of(body, headerLength).get("Nats-TTL")) === TTL_NEVER;
}

function isMarkerMessage({ body, headerLength }: RecordView): boolean {
  return headerLength > 0 && isMarker(MessageHeaders.of(body, headerLength));
}
