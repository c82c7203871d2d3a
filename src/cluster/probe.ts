/**
 * Behind one listed address there may be several servers (a load balancer, a name): that it leads to a connected peer does
 * not mean that nobody else is there. Such addresses are dialled again now and then, one at a time; a known peer's answer
 * is closed as a duplicate, an unknown one's joins two islands. An address that its peer itself goes by is left alone.
 */
import { addressKey } from "./address.ts";
import { dialAddress, leadsSomewhere } from "./addresses.ts";
import type { AddressRow, MeshState } from "./mesh-state.ts";

/** Probes one address, if there is one to probe, and says when to do so again: soon after a loss, seldom in quiet times. */
export function probeRound(state: MeshState): void {
  const candidates = [...state.addresses.values()].filter((row) => isAmbiguous(state, row));
  const row = candidates[state.probeCursor++ % Math.max(1, candidates.length)];
  if (row !== undefined) dialAddress(state, row);
  scheduleProbe(state);
}

export function scheduleProbe(state: MeshState): void {
  const { probeMinMs, probeMaxMs } = state.options;
  if (probeMinMs <= 0) return;
  state.agenda.set(state.probeAlarm, state.nowMs + state.probeDelayMs * (0.5 + state.random.next()));
  state.probeDelayMs = Math.min(state.probeDelayMs * 2, probeMaxMs);
}

function isAmbiguous(state: MeshState, row: AddressRow): boolean {
  if (row.busy || row.sources.size === 0 || !leadsSomewhere(state, row)) return false;
  if (row.isSelf) return true;
  const advertised = row.leadsTo === undefined ? undefined : state.peers.get(row.leadsTo)?.advertised;
  return advertised === undefined || addressKey(advertised.host, advertised.port) !== row.key;
}
