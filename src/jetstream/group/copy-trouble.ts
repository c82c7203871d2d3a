/** What keeps a copy from being where its group is, in words. */
import type { Stream } from "../stream/stream.ts";
import type { Group } from "./group.ts";

export interface CopyTrouble {
  /** "": none. */
  readonly error: string;
  /** What it still has to get. */
  readonly behind: number;
}

/** A new group has a moment to elect its first leader. */
const FIRST_ELECTION_MS = 10_000;
const NONE: CopyTrouble = { error: "", behind: 0 };

export function troubleOf(group: Group): CopyTrouble {
  const { obstacle, behind } = group.standing;
  if (obstacle === "" || (group.term === 0 && group.ageMs < FIRST_ELECTION_MS)) return NONE;
  if (obstacle === "no leader") return { error: "group has no leader", behind: 0 };
  if (obstacle === "recovering")
    return { error: "group recovering: this copy has lost something and gets it again", behind };
  return { error: `group catching up: ${behind} operations to go`, behind };
}

/** `from`: where the copy was at `sinceMs`. The estimate supposes that it goes on as it has. */
export function catchingUp(
  { from, to, sinceMs }: { readonly from: number; readonly to: number; readonly sinceMs: number },
  { store, host }: Stream,
): CopyTrouble {
  const behind = Math.max(0, to - store.last);
  const done = store.last - from;
  const restMs = done > 0 ? ((host.clock.nowMs() - sinceMs) / done) * behind : 0;
  const estimate = done > 0 ? `, about ${Math.max(1, Math.ceil(restMs / 1000))} s at this rate` : "";
  return { error: `stream catching up: ${behind} messages to go${estimate}`, behind };
}
