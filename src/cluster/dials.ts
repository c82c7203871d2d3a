/** Dials under way: started here, bounded here. What became of one is told to whoever it was for (handshake.ts). */

import { tellLimit, type DialPurpose, type MeshState } from "./mesh-state.ts";

/** The acting side reports a timeout itself; only if it does not, the mesh calls the dial off this much later. */
const DIAL_GRACE_MS = 500;

/** False if as many dials or handshakes are under way as may be. */
export function startDial(state: MeshState, purpose: DialPurpose, nowMs: number): boolean {
  const { limits, dialTimeoutMs } = state.options;
  if (state.dials.size >= limits.dialsInFlightMax) return false;
  if (state.handshakes >= limits.handshakesMax) {
    tellLimit(state, "handshakesMax", nowMs);
    return false;
  }
  const dialId = state.nextDialId++;
  const deadlineMs = nowMs + dialTimeoutMs + DIAL_GRACE_MS;
  state.dials.set(dialId, { id: dialId, purpose, deadlineMs });
  state.agenda.add(deadlineMs, { kind: "dial", id: dialId });
  const { address, origin, account } = purpose;
  state.actions.push({ kind: "dial", dialId, address, origin, account, timeoutMs: dialTimeoutMs });
  return true;
}
