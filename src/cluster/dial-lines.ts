/**
 * Rows that want to dial and find no room wait in one of three lines and are examined again when there is room. The lines take turns, so
 * that thousands of dead addresses in one line do not delay the others.
 *
 * Invariant: a row stands in one line at most, and once. So the lines are no longer than the tables of the mesh.
 */
import { assert } from "../base/assert.ts";
import type { Due } from "./agenda.ts";

/** Routes that a connected peer lacks, addresses that a source lists, addresses that came by gossip. */
export type Line = "lanes" | "listed" | "gossiped";

const LINES: readonly Line[] = ["lanes", "listed", "gossiped"];

/** The waiting rows, in order. */
export class DialLines {
  private readonly waiting: Readonly<Record<Line, Set<Due>>> = {
    lanes: new Set(),
    listed: new Set(),
    gossiped: new Set(),
  };
  private turn = 0;

  get size(): number {
    return LINES.reduce((sum, line) => sum + this.waiting[line].size, 0);
  }

  /** `due`: of the alarm of the row that wants to dial. */
  enter(due: Due, line: Line): void {
    for (const other of LINES) if (other !== line) this.waiting[other].delete(due);
    this.waiting[line].add(due);
    assert(LINES.filter((each) => this.waiting[each].has(due)).length === 1, "a row stands in one line");
  }

  leave(due: Due): void {
    for (const line of LINES) this.waiting[line].delete(due);
  }

  /** The first of the line whose turn it is. */
  next(): Due | undefined {
    for (let i = 0; i < LINES.length; i++) {
      const line = this.waiting[LINES[this.turn++ % LINES.length] as Line];
      const first = line.values().next();
      if (first.done) continue;
      line.delete(first.value);
      return first.value;
    }
    return undefined;
  }
}
