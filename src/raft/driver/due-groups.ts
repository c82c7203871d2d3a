/**
 * Which groups have their turn when. A group stands in the list of one time at most; where its time has moved back since, it is put down again
 * when that one comes. So what moves the time of a group forward and back, as each message does, costs nothing.
 *
 * Bounded by the number of groups.
 */

/** Milliseconds: how late a group may notice that its time has come. */
const TICK_MS = 100;

export interface DueGroup {
  /** When the next tick is due; Infinity: never. */
  readonly wakeAtMs: number;
  /** The time that it is listed under; Infinity: none. */
  listedMs: number;
}

export class DueGroups<Group extends DueGroup> {
  private readonly lists = new Map<number, Group[]>();

  /** The earliest time of a list; Infinity: there is none. */
  get earliestMs(): number {
    let earliest = Infinity;
    for (const atMs of this.lists.keys()) if (atMs < earliest) earliest = atMs;
    return earliest;
  }

  put(group: Group): void {
    const { wakeAtMs } = group;
    if (wakeAtMs >= group.listedMs) return;
    group.listedMs = wakeAtMs;
    const list = this.lists.get(wakeAtMs);
    if (list === undefined) this.lists.set(wakeAtMs, [group]);
    else list.push(group);
  }

  /** Those whose time has come. */
  take(nowMs: number): Group[] {
    const due: Group[] = [];
    const times = [...this.lists.keys()].filter((atMs) => atMs <= nowMs).sort((a, b) => a - b);
    for (const atMs of times) {
      const list = this.lists.get(atMs)!;
      this.lists.delete(atMs);
      for (const group of list) {
        // it was put down earlier than that meanwhile
        if (group.listedMs !== atMs) continue;
        group.listedMs = Infinity;
        if (group.wakeAtMs <= nowMs) due.push(group);
        else this.put(group);
      }
    }
    return due;
  }
}

/** A time that is not near is rounded up, so that many groups have their turn together. */
export function dueMs(nowMs: number, atMs: number): number {
  return atMs - nowMs < TICK_MS ? atMs : Math.ceil(atMs / TICK_MS) * TICK_MS;
}
