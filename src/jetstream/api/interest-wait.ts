/**
 * Holds answers about what has just been made until other servers know where it listens: whoever gets the answer may publish, or pull, by
 * way of any of them. A server that says nothing is not waited for.
 *
 * Bounded: one round at a time; what comes meanwhile waits for the next one, PATIENCE_MS at most each.
 */
import type { AccountHost } from "../host.ts";

/** Resolves when the other servers have everything that was sent to them before; null: there is no need to wait. */
export type RoutesCaughtUp = (() => Promise<void>) | null;

const PATIENCE_MS = 500;

export class InterestWait {
  private readonly host: AccountHost;
  private readonly caughtUp: RoutesCaughtUp;
  private waiting: (() => void)[] = [];
  private isUnderWay = false;

  constructor(host: AccountHost, caughtUp: RoutesCaughtUp) {
    this.host = host;
    this.caughtUp = caughtUp;
  }

  whenTold(call: () => void): void {
    if (this.caughtUp === null) call();
    else {
      this.waiting.push(call);
      if (!this.isUnderWay) this.begin(this.caughtUp);
    }
  }

  private begin(caughtUp: NonNullable<RoutesCaughtUp>): void {
    const calls = this.waiting;
    this.waiting = [];
    this.isUnderWay = true;
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      timer[Symbol.dispose]();
      this.isUnderWay = false;
      for (const call of calls) call();
      if (this.waiting.length > 0) this.begin(caughtUp);
    };
    const timer = this.host.clock.setTimer(PATIENCE_MS, end);
    // interest is sent at the end of the turn
    this.host.soon(() => void this.wait(caughtUp, end));
  }

  private async wait(caughtUp: NonNullable<RoutesCaughtUp>, end: () => void): Promise<void> {
    await caughtUp();
    this.host.soon(end);
  }
}
