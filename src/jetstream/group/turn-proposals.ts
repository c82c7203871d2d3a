/** Gathers what a leader proposes in a turn, and proposes it together at the end of the turn, in order. */
import type { AccountHost } from "../host.ts";

export class TurnProposals {
  private readonly host: AccountHost;
  private readonly propose: (operations: readonly Uint8Array[]) => void;
  private waiting: Uint8Array[] = [];
  private isDue = false;

  constructor(host: AccountHost, propose: (operations: readonly Uint8Array[]) => void) {
    this.host = host;
    this.propose = propose;
  }

  add(operation: Uint8Array): void {
    this.waiting.push(operation);
    if (this.isDue) return;
    this.isDue = true;
    this.host.afterwards(() => {
      this.isDue = false;
      const { waiting } = this;
      this.waiting = [];
      if (waiting.length > 0) this.propose(waiting);
    });
  }

  /** The leadership is over. */
  clear(): void {
    this.waiting = [];
  }
}
