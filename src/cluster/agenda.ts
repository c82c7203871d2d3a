/**
 * The times at which something is due: a binary heap of alarms, each naming what to look at then. A row of a table owns one alarm and sets it
 * to another time as often as it likes, so the heap holds one entry for each row at most and is bounded by the tables.
 *
 * Invariant: `heap[alarm.place] === alarm` for each alarm that is set, and `place` is -1 for each that is not.
 */
import { assert } from "../base/assert.ts";

export type Due =
  | { readonly kind: "address"; readonly key: string }
  | { readonly kind: "peer"; readonly id: string }
  | { readonly kind: "conn"; readonly id: number }
  | { readonly kind: "dial"; readonly id: number }
  | { readonly kind: "gossip" }
  | { readonly kind: "probe" }
  | { readonly kind: "dialPace" };

export interface Alarm {
  readonly due: Due;
  /** Infinity: not set. */
  atMs: number;
  /** Index in the heap; -1: not set. */
  place: number;
}

export function newAlarm(due: Due): Alarm {
  return { due, atMs: Number.POSITIVE_INFINITY, place: -1 };
}

export class Agenda {
  private readonly heap: Alarm[] = [];

  get size(): number {
    return this.heap.length;
  }

  nextMs(): number | undefined {
    return this.heap[0]?.atMs;
  }

  /** Sets the alarm to this time, wherever it stood before. Infinity takes it off. */
  set(alarm: Alarm, atMs: number): void {
    assert(!Number.isNaN(atMs), "an alarm needs a time");
    if (atMs === Number.POSITIVE_INFINITY) return this.clear(alarm);
    const beforeMs = alarm.atMs;
    alarm.atMs = atMs;
    if (alarm.place === -1) {
      alarm.place = this.heap.length;
      this.heap.push(alarm);
      this.rise(alarm);
    } else if (atMs < beforeMs) {
      this.rise(alarm);
    } else {
      this.sink(alarm);
    }
  }

  clear(alarm: Alarm): void {
    const { place } = alarm;
    if (place === -1) return;
    assert(this.heap[place] === alarm, "an alarm stands where it says");
    alarm.place = -1;
    alarm.atMs = Number.POSITIVE_INFINITY;
    const last = this.heap.pop() as Alarm;
    if (last === alarm) return;
    last.place = place;
    this.heap[place] = last;
    this.rise(last);
    this.sink(last);
  }

  /** Takes the earliest alarm off if its time has come. */
  takeDue(nowMs: number): Due | undefined {
    const first = this.heap[0];
    if (first === undefined || first.atMs > nowMs) return undefined;
    assert(first.place === 0, "the earliest alarm stands first");
    this.clear(first);
    return first.due;
  }

  private rise(alarm: Alarm): void {
    const { heap } = this;
    let hole = alarm.place;
    while (hole > 0) {
      const above = (hole - 1) >> 1;
      const parent = heap[above] as Alarm;
      if (parent.atMs <= alarm.atMs) break;
      this.put(parent, hole);
      hole = above;
    }
    this.put(alarm, hole);
  }

  private sink(alarm: Alarm): void {
    const { heap } = this;
    let hole = alarm.place;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as Alarm).atMs < (heap[child] as Alarm).atMs) child++;
      const below = heap[child] as Alarm;
      if (below.atMs >= alarm.atMs) break;
      this.put(below, hole);
      hole = child;
    }
    this.put(alarm, hole);
  }

  private put(alarm: Alarm, place: number): void {
    assert(place >= 0 && place < this.heap.length, "an alarm stands within the heap");
    this.heap[place] = alarm;
    alarm.place = place;
  }
}
