/**
 * Keeps this server's INFO back on routes until clients can connect here, since INFO tells where they do. Until then the port for routes
 * may listen, and members may be dialled and greeted: a connection that came here waits before its first word, one that was dialled
 * waits after the other side's.
 *
 * Bound: WAITING_MAX connections wait; what comes beyond is closed.
 */
import { assert } from "../../base/assert.ts";
import type { Wire } from "../../transport/wire.ts";

interface Waiting {
  readonly wire: Wire;
  readonly begin: () => void;
}

const WAITING_MAX = 1024;

type State = { readonly kind: "holding"; readonly waiting: Waiting[] } | { readonly kind: "open" | "closed" };

export class RouteGate {
  private state: State = { kind: "open" };

  hold(): void {
    assert(this.state.kind === "open", "a gate is held once");
    this.state = { kind: "holding", waiting: [] };
  }

  /** Calls `begin` now, or when the gate opens. */
  pass(wire: Wire, begin: () => void): void {
    const { state } = this;
    if (state.kind === "open") begin();
    else if (state.kind === "holding" && state.waiting.length < WAITING_MAX)
      state.waiting.push({ wire, begin });
    else wire.destroy();
  }

  /** Lets the waiting connections begin in order. */
  open(): void {
    const { state } = this;
    if (state.kind !== "holding") return;
    this.state = { kind: "open" };
    for (const { begin } of state.waiting) begin();
  }

  /** Closes the waiting connections and all later ones. */
  close(): void {
    const { state } = this;
    this.state = { kind: "closed" };
    if (state.kind === "holding") for (const { wire } of state.waiting) wire.destroy();
  }
}
