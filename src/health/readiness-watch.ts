/**
 * Follows the readiness of a server from its start: remembers that it has been ready, and says each change in the log, once.
 * Checks on its own until the server is ready for the first time; later only an action of the server itself can change readiness.
 */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { judgeReadiness, type Readiness, type ReadinessInput, type StreamsRule } from "./readiness.ts";

const LOOK_EVERY_MS = 100;
/** The same, where all streams and consumers have to be looked at. */
const LOOK_AT_STREAMS_EVERY_MS = 500;

type ReadinessFacts = Pick<ReadinessInput, "state" | "mesh" | "sources" | "streams" | "faults">;

export interface ReadinessWatchOptions {
  readonly waitMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  facts(): ReadinessFacts;
  /** Without making a snapshot, which takes a while where there are thousands of addresses. */
  isMeshComplete(): boolean;
}

export class ReadinessWatch implements Disposable {
  private readonly options: ReadinessWatchOptions;
  private hasBeenReady = false;
  private wasReady: boolean | null = null;
  private sinceMs: number;
  private timer: Disposable | null = null;
  /** What copies of streams lacked when they last came nearer to what they should hold, and when that was. */
  private least = { troubles: Infinity, behind: Infinity };
  private movedMs: number;
  /** Where copies that catch up were first seen; null: they have everything, or nobody knows what that is. */
  private began: { readonly behind: number; readonly atMs: number } | null = null;

  constructor(options: ReadinessWatchOptions) {
    this.options = options;
    this.sinceMs = this.movedMs = options.clock.nowMs();
  }

  /** The listeners are up: the wait for others begins. */
  begin(): void {
    this.sinceMs = this.movedMs = this.options.clock.nowMs();
    this.lookOn();
  }

  /** As it is now. `expect`: servers that have to be connected, this one included; 0: whatever there is. */
  judge(expect = 0, streamsRule: StreamsRule = "joining"): Readiness {
    const { options, hasBeenReady } = this;
    const waitedMs = options.clock.nowMs() - this.sinceMs;
    const facts = options.facts();
    const readiness = judgeReadiness({
      ...facts,
      hasBeenReady,
      streamsRule,
      stalledMs: this.stalledMs(facts.streams),
      restMs: this.restMs(facts.streams),
      waitedMs,
      waitMs: options.waitMs,
      expect,
    });
    if (expect === 0 && streamsRule === "joining") this.notice(readiness, waitedMs);
    return readiness;
  }

  [Symbol.dispose](): void {
    this.timer?.[Symbol.dispose]();
    this.timer = null;
  }

  /** Since copies of streams last came nearer to what they should hold. */
  private stalledMs(streams: ReadinessFacts["streams"]): number {
    const nowMs = this.options.clock.nowMs();
    const { least } = this;
    const troubles = streams?.troubles.length ?? 0;
    const behind = streams?.behind ?? 0;
    const isNearer = behind < least.behind || (behind === least.behind && troubles < least.troubles);
    if (isNearer) {
      this.least = { troubles, behind };
      this.movedMs = nowMs;
    }
    return nowMs - this.movedMs;
  }

  /** Supposes that copies go on as they have since they were first seen behind. */
  private restMs(streams: ReadinessFacts["streams"]): number | null {
    const behind = streams?.behind ?? 0;
    if (behind === 0 || behind === Infinity) {
      this.began = null;
      return behind === 0 ? 0 : null;
    }
    const atMs = this.options.clock.nowMs();
    if (this.began === null || behind > this.began.behind) this.began = { behind, atMs };
    const done = this.began.behind - behind;
    return done === 0 ? null : ((atMs - this.began.atMs) / done) * behind;
  }

  private lookOn(): void {
    this[Symbol.dispose]();
    const { waitMs, clock } = this.options;
    const mayBeReady = this.options.isMeshComplete() || clock.nowMs() - this.sinceMs >= waitMs;
    let everyMs = LOOK_EVERY_MS;
    if (mayBeReady || this.wasReady === null) {
      const { state, causes } = this.judge();
      if (this.hasBeenReady || state !== "ready") return;
      if (causes.includes("streams")) everyMs = LOOK_AT_STREAMS_EVERY_MS;
    }
    this.timer = this.options.clock.setTimer(everyMs, () => this.lookOn());
  }

  private notice({ isReady, reasons, missing, state, peers }: Readiness, waitedMs: number): void {
    if (isReady) this.hasBeenReady = true;
    if (isReady === this.wasReady || state === "starting") return;
    this.wasReady = isReady;
    const { logger } = this.options;
    const counts = { connected: peers.connected.length, seen: peers.seen };
    if (!isReady) return logger.info("Not ready", { event: "not_ready", reasons, ...counts });
    const fields = { event: "ready", waitedMs: Math.round(waitedMs), ...counts };
    if (missing.length === 0) logger.info("Ready", fields);
    else logger.warn("Ready, having waited in vain", { ...fields, missing });
  }
}
