/** Resource usage of the process: processor time as a share since the last snapshot, and memory. */
import { availableParallelism } from "node:os";

/** A snapshot sooner than this returns the previous figure. */
const WINDOW_MIN_MS = 1000;

export class ProcessUsage {
  readonly cores = availableParallelism();
  private lookedMs: number;
  private spentMs = 0;
  private share = 0;
  private readonly nowMs: () => number;

  /** The first figure covers the time since `startedMs`. */
  constructor(startedMs: number, nowMs: () => number) {
    this.lookedMs = startedMs;
    this.nowMs = nowMs;
  }

  /** Percent of one core, with one decimal. */
  cpuPercent(): number {
    const passedMs = this.nowMs() - this.lookedMs;
    if (passedMs < WINDOW_MIN_MS) return this.share;
    const { user, system } = process.cpuUsage();
    const spentMs = (user + system) / 1000;
    this.share = Math.round((1000 * (spentMs - this.spentMs)) / passedMs) / 10;
    this.spentMs = spentMs;
    this.lookedMs += passedMs;
    return this.share;
  }

  residentBytes(): number {
    return process.memoryUsage.rss();
  }
}
