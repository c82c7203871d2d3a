/**
 * Follows the readiness of a server from its start: remembers that it has been ready, and says each change in the log, once.
 * Checks on its own until the server is ready for the first time; later only an action of the server itself can change readiness.
 */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { judgeReadiness, type Readiness, type ReadinessInput } from "./readiness.ts";

const LOOK_EVERY_MS = 100;

type ReadinessFacts = Pick<ReadinessInput, "state" | "mesh" | "sources" | "faults">;

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

  constructor(options: ReadinessWatchOptions) {
    this.options = options;
    this.sinceMs = options.clock.nowMs();
  }

  /** The listeners are up: the wait for others begins. */
  begin(): void {
    this.sinceMs = this.options.clock.nowMs();
    this.lookOn();
  }

  /** As it is now. `expect`: servers that have to be connected, this one included; 0: whatever there is. */
  judge(expect = 0): Readiness {
    const { options, hasBeenReady } = this;
    const waitedMs = options.clock.nowMs() - this.sinceMs;
    const readiness = judgeReadiness({
      ...options.facts(),
      hasBeenReady,
      waitedMs,
      waitMs: options.waitMs,
      expect,
    });
    if (expect === 0) this.notice(readiness, waitedMs);
    return readiness;
  }

  [Symbol.dispose](): void {
    this.timer?.[Symbol.dispose]();
    this.timer = null;
  }

  private lookOn(): void {
    this[Symbol.dispose]();
    const { waitMs, clock } = this.options;
    const mayBeReady = this.options.isMeshComplete() || clock.nowMs() - this.sinceMs >= waitMs;
    if (mayBeReady || this.wasReady === null) {
      const { state } = this.judge();
      if (this.hasBeenReady || state !== "ready") return;
    }
    this.timer = this.options.clock.setTimer(LOOK_EVERY_MS, () => this.lookOn());
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
