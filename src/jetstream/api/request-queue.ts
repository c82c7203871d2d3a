/**
 * Waiting requests by sender: the senders take turns. The caller bounds the queue. When it is full, the sender with the most waiting requests
 * loses one.
 */
import { assert } from "../../base/assert.ts";

interface Row<T> {
  readonly items: T[];
  /** Those before it are gone. */
  from: number;
}

export class RequestQueue<T> {
  /** In the order of turns. */
  private readonly rows = new Map<object | null, Row<T>>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  push(sender: object | null, item: T): void {
    const row = this.rows.get(sender);
    if (row === undefined) this.rows.set(sender, { items: [item], from: 0 });
    else row.items.push(item);
    this.count++;
  }

  /** The next one, whose sender then waits behind the others. */
  shift(): T | undefined {
    for (const [sender, row] of this.rows) {
      const item = row.items[row.from++]!;
      this.count--;
      this.rows.delete(sender);
      if (row.from < row.items.length) this.rows.set(sender, tidied(row));
      return item;
    }
    assert(this.count === 0, "a queue without rows is empty");
    return undefined;
  }

  /** Drops the newest item of the sender with the most waiting items. undefined: that is this sender. */
  makeRoomFor(sender: object | null): T | undefined {
    const own = this.rows.get(sender);
    const share = this.count / this.rows.size;
    if (own !== undefined && lengthOf(own) >= share) return undefined;
    let most: Row<T> | null = null;
    for (const row of this.rows.values()) if (most === null || lengthOf(row) > lengthOf(most)) most = row;
    if (most === null || lengthOf(most) < 2) return undefined;
    this.count--;
    return most.items.pop();
  }
}

function lengthOf({ items, from }: Row<unknown>): number {
  return items.length - from;
}

/** Items that are gone do not stay in memory for long. */
function tidied<T>(row: Row<T>): Row<T> {
  if (row.from < row.items.length / 2) return row;
  return { items: row.items.slice(row.from), from: 0 };
}
