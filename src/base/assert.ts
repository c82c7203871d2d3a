/** A broken invariant is a bug: it ends the process, the orchestrator restarts it. Peer errors never come this way. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`bug: ${message}`);
}
