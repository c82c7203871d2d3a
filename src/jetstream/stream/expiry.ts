/**
 * Removes messages whose time has come: those older than `max_age`, and those with a time of their own. Where the stream marks deleted
 * subjects, the last message of a subject is replaced by a marker. Some in a turn, so that others have theirs.
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
  config(): StreamConfig;
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
  private isStopped = false;

  constructor(host: ExpiryHost) {
    this.host = host;
  }

  /** Something may be due earlier than was known. */
  follow(): void {
    const { maxAgeNs } = this.host.config();
    if (maxAgeNs > 0 && this.ageMs === Infinity) this.setTimer(this.ageDueMs());
    else if (this.host.timed.expiries.nextMs < this.timerMs) this.setTimer(this.ageMs);
  }

  /** The configuration has changed, or the stream begins. */
  restart(): void {
    this.eldest = 0;
    this.run();
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.[Symbol.dispose]();
  }

  private run(): void {
    if (this.isStopped) return;
    const { timed, store } = this.host;
    this.left = PER_TURN;
    timed.trim(store.messages, (sequence) => store.has(sequence));
    const isDone = this.expireOld() && this.expireTimed();
    if (isDone) this.setTimer(this.ageDueMs());
    else this.setTimer(this.host.clock.nowMs() + (this.left === 0 ? 0 : RETRY_MS), "even if more is due");
  }

  /** False: it is to go on later. */
  private expireOld(): boolean {
    const { maxAgeNs } = this.host.config();
    if (maxAgeNs === 0) return true;
    const lastNs = this.host.nowNs() - BigInt(maxAgeNs);
    for (let view = this.oldest(); view !== null && view.timeNs <= lastNs; view = this.oldest()) {
      if (this.left === 0 || !this.expire(view)) return false;
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
      if (this.left === 0 || !this.expire(view)) {
        timed.expiries.add(due.sequence, due.atMs);
        return false;
      }
      this.left--;
    }
    return true;
  }

  /** False: its marker could not be stored, so it stays. */
  private expire(view: RecordView): boolean {
    const { host } = this;
    const { sequence, subject } = view;
    const markerSeconds = Math.floor(host.config().deleteMarkerTtlNs / 1e9);
    if (markerSeconds > 0 && host.store.countOf(subject) === 1 && !isMarkerMessage(view))
      return host.mark(subject, markerHeaders(markerSeconds));
    host.remove(sequence);
    return true;
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
    if (this.isStopped) return;
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

function neverExpires({ body, headerLength }: RecordView): boolean {
  if (headerLength === 0) return false;
  return readTtl(MessageHeaders.of(body, headerLength).get("Nats-TTL")) === TTL_NEVER;
}

function isMarkerMessage({ body, headerLength }: RecordView): boolean {
  return headerLength > 0 && isMarker(MessageHeaders.of(body, headerLength));
}
