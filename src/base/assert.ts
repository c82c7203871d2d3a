/**
 * Broken invariants are bugs. If the state of one connection is broken, that connection ends (`links/trunk/faults.ts`). If shared state
 * is broken, the process ends and the orchestrator restarts it. Peer errors never come this way.
 *
 * Code that changes shared state in several steps stands between `beginChange` and `endChange`. An exception during a change therefore
 * means that the state is half changed.
 */

/** Shared state is broken. */
class SharedStateBroken extends Error {}

/** Asserts an invariant of shared state. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new SharedStateBroken(`bug: ${message}`);
}

/** Asserts an invariant of one connection or one message. */
export function assertOwn(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`bug: ${message}`);
}

let changesUnderWay = 0;

export function beginChange(): void {
  changesUnderWay++;
}

export function endChange(): void {
  changesUnderWay--;
}

/** Whether the exception has left shared state broken: an assertion about it failed, or a change was in progress. */
export function breaksSharedState(error: unknown): boolean {
  return changesUnderWay > 0 || error instanceof SharedStateBroken;
}
