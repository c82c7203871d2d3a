/**
 * Once a minute compares what the cluster has agreed on, what this server has open, and what lies on its disk. What differs is shown in
 * health; what differs in two rounds in a row, both while this server knows all that its leader has agreed on, is mended:
 *
 *     assigned, not open; open, not assigned     it is followed again
 *     a folder of nothing that is assigned       put aside, never deleted
 *     a log of nothing that is assigned          removed: a name is never used again
 *
 * Bounded: DIFFERENCES_MAX differences a round. A round is done STEPS at a time, between which others have their turn.
 */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Difference } from "./differences.ts";

const ROUND_MS = 60_000;
const STEPS = 64;
const DIFFERENCES_MAX = 1000;

export interface ReconcilerHost {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Calls once, after others have had their turn. */
  readonly soon: (work: () => void) => void;
  /** This server has applied all that the leader of the meta group has agreed on. */
  readonly isCurrent: () => boolean;
  /** null: nothing was found in this step. */
  readonly differences: () => Generator<Difference | null, void>;
  readonly mend: (difference: Difference) => void;
  /** At the end of each round. */
  readonly afterRound: () => void;
}

export class Reconciler {
  /** Those of the last round. */
  shown: readonly Difference[] = [];
  /** Since the start. */
  mended = 0;
  private readonly host: ReconcilerHost;
  private timer: Disposable | null = null;
  /** Those of the last round, as texts. */
  private before: ReadonlySet<string> = new Set();
  private isStopped = false;

  constructor(host: ReconcilerHost) {
    this.host = host;
  }

  start(): void {
    if (this.isStopped) return;
    this.timer = this.host.clock.setTimer(ROUND_MS, () => this.begin());
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.[Symbol.dispose]();
  }

  private begin(): void {
    if (this.host.isCurrent()) this.go(this.host.differences(), []);
    else this.end([], "not current");
  }

  private go(steps: Generator<Difference | null, void>, found: Difference[]): void {
    if (this.isStopped) return;
    for (let i = 0; i < STEPS; i++) {
      const { value, done } = steps.next();
      if (done === true || found.length >= DIFFERENCES_MAX) {
        this.end(found, this.host.isCurrent() ? "current" : "not current");
        return;
      }
      if (value !== null && value !== undefined) found.push(value);
    }
    this.host.soon(() => this.go(steps, found));
  }

  private end(found: readonly Difference[], how: "current" | "not current"): void {
    const { before } = this;
    this.shown = found;
    this.before = new Set(how === "current" ? found.map(keyOf) : []);
    if (how === "current") for (const one of found) if (before.has(keyOf(one))) this.mend(one);
    this.host.afterRound();
    this.start();
  }

  private mend(difference: Difference): void {
    const { logger, mend } = this.host;
    const { kind, ...about } = difference;
    logger.error("what this server keeps differs from what its cluster has agreed on: it is mended", {
      ...{ difference: kind, ...about },
    });
    this.mended++;
    mend(difference);
  }
}

function keyOf({ kind, account, stream, consumer, group }: Difference): string {
  return JSON.stringify([kind, account, stream, consumer, group]);
}
