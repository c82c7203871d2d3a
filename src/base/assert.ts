/**
 * Broken invariants are bugs. What they cost depends on whose state is broken: that of one connection ends the connection
 * (`links/trunk/faults.ts`), that which connections share ends the process, and the orchestrator restarts it. Peer errors never come
 * this way.
 *
 * Code that changes shared state in more than one step stands between `beginChange` and `endChange`. Whoever catches an
 * exception while a change is under way knows that the state is half changed.
 */

/** State that connections share is not what it has to be. */
class SharedStateBroken extends Error {}

/** Of state that connections share, and of the server's own. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new SharedStateBroken(`bug: ${message}`);
}

/** Of what belongs to one connection or one message. */
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

/** Whether the exception has left shared state broken: no change ends by one, so that of a caught one none is under way. */
export function breaksSharedState(error: unknown): boolean {
  return changesUnderWay > 0 || error instanceof SharedStateBroken;
}
