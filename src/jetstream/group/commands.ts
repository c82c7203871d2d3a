/**
 * What the leader of a replicated stream has proposed beside messages, and who wants to know that it is done. Other servers propose removals,
 * too: what is agreed on is known by its bytes. Bounded by the requests to the API that are under way.
 */
export type Done = (result: number | null) => void;

export class Commands {
  private readonly waiting: { readonly operation: Uint8Array; readonly done: Done }[] = [];

  add(operation: Uint8Array, done: Done): void {
    this.waiting.push({ operation, done });
  }

  /** Returns the call of whoever waits for what is agreed on now. */
  doneOf(operation: Uint8Array): Done {
    const [first] = this.waiting;
    if (first === undefined || Buffer.compare(first.operation, operation) !== 0) return () => {};
    this.waiting.shift();
    return first.done;
  }

  /** The leadership is over: nobody knows what becomes of them. */
  clear(): void {
    for (const { done } of this.waiting.splice(0)) done(null);
  }
}
