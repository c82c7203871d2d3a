/**
 * The heartbeat of a connection: sends PING at intervals, counts those without an answer, and measures the round trip. The
 * first PING comes soon, so that the round trip is known.
 */
import type { Clock } from "../../base/clock.ts";
import type { Live } from "../../base/live.ts";

const FIRST_PING_MS = 2000;

/** Spares a peer that was heard in the last interval, or not. nats-server spares clients, and no routes. */
export type Rhythm = "while silent" | "steady";

export interface HeartbeatOptions {
  readonly pingIntervalMs: number;
  readonly pingMax: number;
}

export interface HeartbeatActions {
  sendPing(): void;
  /** `pingMax` PINGs in a row were not answered. */
  onStale(): void;
}

export class Heartbeat implements Disposable {
  /** Round trip of the last PING that was answered, before that an estimate; 0: unknown. */
  roundTripMs = 0;
  private isMeasured = false;
  private unanswered = 0;
  private sentAtMs = 0;
  private heardSincePing = false;
  private timer: Disposable | null = null;
  /** PINGs sent, and PONGs received. */
  private asked = 0;
  private answered = 0;
  /** Callbacks that wait for the answers to PINGs, in order. */
  private waiting: { readonly ping: number; readonly done: () => void }[] = [];
  private readonly clock: Clock;
  private readonly options: Live<HeartbeatOptions>;
  private readonly actions: HeartbeatActions;
  private readonly rhythm: Rhythm;

  constructor(
    clock: Clock,
    options: Live<HeartbeatOptions>,
    actions: HeartbeatActions,
    rhythm: Rhythm = "while silent",
  ) {
    this.clock = clock;
    this.options = options;
    this.actions = actions;
    this.rhythm = rhythm;
  }

  start(): void {
    this.schedule(Math.min(FIRST_PING_MS, this.options.current.pingIntervalMs));
  }

  /** Anything arrived from the peer. Called for every read. */
  heard(): void {
    this.heardSincePing = true;
  }

  onPong(): void {
    this.unanswered = 0;
    if (this.sentAtMs > 0) {
      this.roundTripMs = Math.max(0.001, this.clock.nowMs() - this.sentAtMs);
      this.isMeasured = true;
    }
    this.sentAtMs = 0;
    this.answered++;
    while (this.waiting.length > 0 && this.waiting[0]!.ping <= this.answered) this.waiting.shift()!.done();
  }

  /** A PING out of turn, which counts for nothing but its answer. */
  ask(): void {
    this.asked++;
    this.actions.sendPing();
  }

  /**
   * Asks, and calls `done` at the answer: what was sent before has been read by the peer then, and what the peer had sent until
   * that has been read here. `done` is called as well when the connection ends. The caller bounds the number of calls.
   */
  roundTrip(done: () => void): void {
    this.ask();
    this.waiting.push({ ping: this.asked, done });
  }

  /** What the peer has answered to was sent then: a round trip at most, until a PING tells better. */
  estimate(sentAtMs: number): void {
    if (!this.isMeasured) this.roundTripMs = Math.max(0.001, this.clock.nowMs() - sentAtMs);
  }

  [Symbol.dispose](): void {
    this.timer?.[Symbol.dispose]();
    this.timer = null;
    for (const { done } of this.waiting.splice(0)) done();
  }

  private schedule(delayMs: number): void {
    this.timer = this.clock.setTimer(delayMs, () => this.beat());
  }

  private beat(): void {
    // A peer that sends is alive; its PONG may stand behind all that it sent.
    if (this.heardSincePing) this.unanswered = 0;
    const needsRoundTrip = !this.isMeasured;
    const wasHeard = this.heardSincePing;
    this.heardSincePing = false;
    if (this.unanswered >= this.options.current.pingMax) {
      this.actions.onStale();
      return;
    }
    // First, since a PING may be too much for a slow reader, whose connection ends then.
    this.schedule(this.options.current.pingIntervalMs);
    if (!wasHeard || needsRoundTrip || this.rhythm === "steady") this.ping();
  }

  private ping(): void {
    this.unanswered++;
    this.sentAtMs = this.clock.nowMs();
    this.ask();
  }
}
