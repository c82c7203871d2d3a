/** The invariants of a group, checked while it runs. A breach is a text. */
import type { AppendEntry, PeerId } from "../../../src/raft/messages.ts";
import { encodeAppend } from "../../../src/raft/wire.ts";

interface Acknowledged {
  readonly operation: string;
  readonly index: number;
}

export class RaftChecks {
  readonly breaches: string[] = [];
  /** By operation. */
  readonly acknowledged: Acknowledged[] = [];
  private readonly leaders = new Map<number, PeerId>();
  private readonly entries = new Map<string, string>();
  private readonly committed = new Map<number, string>();
  private readonly positions = new Map<string, number>();

  get highestCommitted(): number {
    return this.committed.size === 0 ? 0 : Math.max(...this.committed.keys());
  }

  leads(term: number, peer: PeerId): void {
    const other = this.leaders.get(term);
    if (other !== undefined && other !== peer)
      this.breach(`term ${term} has two leaders: ${other} and ${peer}`);
    this.leaders.set(term, peer);
  }

  /** Two logs that have an entry of one index and term have the same there. */
  appended(entry: AppendEntry): void {
    const key = `${entry.prevIndex + 1} of term ${entry.term}`;
    const content = this.content(entry);
    const other = this.entries.get(key);
    if (other !== undefined && other !== content) this.breach(`logs differ in entry ${key}`);
    this.entries.set(key, content);
  }

  applied(peer: PeerId, index: number, entry: AppendEntry): void {
    const content = `${entry.term} ${this.content(entry)}`;
    const other = this.committed.get(index);
    if (other !== undefined && other !== content)
      this.breach(`${peer} applies at ${index} something else than was committed`);
    this.committed.set(index, content);
  }

  /** The client has been told that its operation is done. `knownAtStart`: what it knew to be done when it asked. */
  acknowledge(operation: string, index: number, knownAtStart: number): void {
    if (index <= knownAtStart)
      this.breach(`${operation} at ${index} was asked for after ${knownAtStart} was acknowledged`);
    this.acknowledged.push({ operation, index });
  }

  /** All that a member has applied in the end. */
  holds(peer: PeerId, operations: readonly string[]): void {
    const all = new Set(operations);
    if (all.size !== operations.length) this.breach(`${peer} has applied an operation twice`);
    const lost = this.acknowledged.filter(({ operation }) => !all.has(operation));
    if (lost.length > 0)
      this.breach(
        `${peer} lacks ${lost.length} acknowledged operations, ${lost[0]!.operation} at ${lost[0]!.index} first`,
      );
    operations.forEach((operation, i) => {
      const other = this.positions.get(operation);
      if (other !== undefined && other !== i)
        this.breach(`${peer} has ${operation} at another place than others`);
      this.positions.set(operation, i);
    });
  }

  breach(text: string): void {
    if (this.breaches.length < 20) this.breaches.push(text);
  }

  private content(entry: AppendEntry): string {
    // the commit index is the leader's at the time, the same for all who got it live
    return Buffer.from(encodeAppend({ ...entry, commit: 0, currentTerm: 0 })).toString("latin1");
  }
}
