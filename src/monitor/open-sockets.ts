/**
 * The connections to the monitoring port: at most `max`. When one more comes, the one that has been idle longest has to
 * go; where none is idle, the oldest. So nobody can lock out a probe by holding connections.
 */
import { assert } from "../base/assert.ts";
import type { Duplex } from "node:stream";

export class OpenSockets {
  /** Those that made room for newer ones. */
  crowdedOut = 0;
  /** Longest idle first. */
  private readonly idle = new Set<Duplex>();
  private readonly busy = new Set<Duplex>();
  private readonly max: number;
  private readonly onCrowdedOut: (socket: Duplex) => void;

  constructor(max: number, onCrowdedOut: (socket: Duplex) => void = () => undefined) {
    this.max = max;
    this.onCrowdedOut = onCrowdedOut;
  }

  opened(socket: Duplex): void {
    if (this.idle.size + this.busy.size >= this.max) {
      const [victim] = this.idle.size > 0 ? this.idle : this.busy;
      this.crowdOut(victim);
    }
    this.idle.add(socket);
    assert(this.idle.size + this.busy.size <= this.max, "open sockets stay within their bound");
    socket.once("close", () => this.forget(socket));
  }

  private crowdOut(victim: Duplex | undefined): void {
    if (victim === undefined) return;
    this.crowdedOut++;
    this.onCrowdedOut(victim); // while its address can still be told
    victim.destroy();
    this.forget(victim);
  }

  /** A request begins. False: another one on the same connection is still being answered. */
  begin(socket: Duplex): boolean {
    if (!this.idle.delete(socket)) return false;
    assert(!this.busy.has(socket), "a socket is idle or busy");
    this.busy.add(socket);
    return true;
  }

  done(socket: Duplex): void {
    if (this.busy.delete(socket)) this.idle.add(socket);
  }

  forget(socket: Duplex | undefined): void {
    if (socket === undefined) return;
    this.idle.delete(socket);
    this.busy.delete(socket);
  }
}
