/**
 * Dials in progress, bounded in number and pace. A row that finds no room waits in `state.lines` (dial-lines.ts). handshake.ts reports the
 * result of a dial to the row that it was for.
 */
import { assert } from "../base/assert.ts";
import { newAlarm, type Due } from "./agenda.ts";
import { tellLimit, type DialPurpose, type MeshState } from "./mesh-state.ts";

/** The acting side reports a timeout itself; only if it does not, the mesh calls the dial off this much later. */
const DIAL_GRACE_MS = 500;
/** Dials that may begin within PACE_MS: to open a socket takes some 20 µs, with TLS several times that. */
const PACE_DIALS = 32;
const PACE_MS = 10;

/** False if as many dials or handshakes are under way, or have begun just now, as may be. */
export function startDial(state: MeshState, purpose: DialPurpose): boolean {
  if (!hasRoom(state) || !isInPace(state)) return false;
  const { dialTimeoutMs } = state.options;
  const dialId = state.nextDialId++;
  const alarm = newAlarm({ kind: "dial", id: dialId });
  assert(!state.dials.has(dialId), "a dial has a number of its own");
  state.dials.set(dialId, { id: dialId, purpose, alarm });
  assert(state.dials.size <= state.options.limits.dialsInFlightMax, "dials stay within their bound");
  state.agenda.set(alarm, state.nowMs + dialTimeoutMs + DIAL_GRACE_MS);
  state.dialsBegun++;
  const { address, origin, account } = purpose;
  state.actions.push({ kind: "dial", dialId, address, origin, account, timeoutMs: dialTimeoutMs });
  return true;
}

export function endDial(state: MeshState, dialId: number): void {
  const dial = state.dials.get(dialId);
  if (dial === undefined) return;
  state.agenda.clear(dial.alarm);
  state.dials.delete(dialId);
}

/** Gives what room there is to those that wait for it. */
export function serveLines(state: MeshState, look: (due: Due) => void): void {
  if (state.lines.size === 0) return;
  while (hasRoom(state)) {
    if (!isInPace(state)) return state.agenda.set(state.paceAlarm, state.paceFromMs + PACE_MS);
    const due = state.lines.next();
    if (due === undefined) return;
    look(due);
  }
}

/** Where there is none, the end of a dial or of a handshake brings the next step. */
function hasRoom(state: MeshState): boolean {
  const { limits } = state.options;
  if (state.dials.size >= limits.dialsInFlightMax) return false;
  // Those that come here have a bound of their own.
  if (state.handshakes - state.arrivals.size < limits.handshakesMax) return true;
  tellLimit(state, "handshakesMax");
  return false;
}

function isInPace(state: MeshState): boolean {
  if (state.nowMs >= state.paceFromMs + PACE_MS) {
    state.paceFromMs = state.nowMs;
    state.dialsBegun = 0;
  }
  return state.dialsBegun < PACE_DIALS;
}
