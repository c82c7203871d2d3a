/**
 * Broken invariants are bugs. If the state of one connection is broken, that connection ends (`links/trunk/faults.ts`). If shared state
 * is broken, the process ends and the orchestrator restarts it. Peer errors never come this way.
 *
 * Code that changes shared state in several steps catches what is thrown between them, and throws `halfChanged` of it.
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

/** An error that was thrown in the middle of a change of shared state, as one that says that this state is broken. */
export function halfChanged(error: unknown): Error {
  if (error instanceof SharedStateBroken) return error;
  const problem = error instanceof Error ? error.message : String(error);
  return new SharedStateBroken(`bug: shared state was left half changed: ${problem}`, { cause: error });
}

/** Whether the exception has left shared state broken: an assertion about it failed, or it came in the middle of a change. */
export function breaksSharedState(error: unknown): boolean {
  return error instanceof SharedStateBroken;
}
