/**
 * Answers that a former leader owes to publishers. Messages that it has proposed may be agreed on under the next leader, which does not answer
 * for them: so the former one does, as soon as it has applied them, and refuses the others once it knows that they never will be.
 *
 * Bounded by what publishers had under way.
 */
import type { UnderWay } from "./in-flight.ts";
import type { MessageOperation } from "./operations.ts";

const NOTHING = Buffer.alloc(0);

export class OwedAnswers {
  private owed = new Map<number, UnderWay>();
  /** In which they were proposed. */
  private term = 0;

  get isEmpty(): boolean {
    return this.owed.size === 0;
  }

  /** The leadership of a term is over. */
  begin(messages: Iterable<UnderWay>, term: number): void {
    this.term = term;
    for (const { sequence, operation, reply } of messages)
      if (reply !== "")
        this.owed.set(sequence, { sequence, operation: { ...operation, body: NOTHING }, reply });
  }

  /** A message is agreed on; undefined: nobody here waits for that. */
  take({ reply, timeNs }: MessageOperation, sequence: number): UnderWay | undefined {
    const found = this.owed.get(sequence);
    if (found?.reply !== reply || found.operation.timeNs !== timeNs) return undefined;
    this.owed.delete(sequence);
    return found;
  }

  /** Something of a term has been applied, and so all of former terms that ever will be. Returns those that are lost. */
  lost(appliedTerm: number): Iterable<UnderWay> {
    if (this.isEmpty || appliedTerm <= this.term) return [];
    const { owed } = this;
    this.owed = new Map();
    return owed.values();
  }

  /** A snapshot takes the place of what was agreed on, so that nobody here knows. */
  forget(): void {
    this.owed.clear();
  }
}
