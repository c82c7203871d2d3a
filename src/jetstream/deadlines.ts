/**
 * Sequences with the time at which something is due for them: a binary heap by time. What became of a message is not known here: who
 * takes a deadline checks whether it still holds. `keep` throws out those that do not, when they have become too many.
 */
import { assert } from "../base/assert.ts";

export interface Deadline {
  readonly atMs: number;
  readonly sequence: number;
}

/** Deadlines beside those of messages that are there, before the heap is rebuilt. */
const SLACK = 1024;

export class Deadlines {
  private heap: Deadline[] = [];

  get size(): number {
    return this.heap.length;
  }

  /** When the next is due; Infinity: none is. */
  get nextMs(): number {
    return this.heap[0]?.atMs ?? Infinity;
  }

  add(sequence: number, atMs: number): void {
    assert(!Number.isNaN(atMs), "a deadline is a time");
    this.heap.push({ atMs, sequence });
    this.rise(this.heap.length - 1);
  }

  /** The one that is due first, by this time; null: none is. */
  take(nowMs: number): Deadline | null {
    const { heap } = this;
    const first = heap[0];
    if (first === undefined || first.atMs > nowMs) return null;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      this.sink(0);
    }
    return first;
  }

  /** Bounds what is kept: by twice the messages that there are. */
  trim(messages: number, holds: (sequence: number) => boolean): void {
    if (this.heap.length <= 2 * messages + SLACK) return;
    this.heap = this.heap.filter(({ sequence }) => holds(sequence));
    for (let i = this.heap.length >> 1; i >= 0; i--) this.sink(i);
  }

  clear(): void {
    this.heap = [];
  }

  private rise(from: number): void {
    const { heap } = this;
    for (let i = from; i > 0;) {
      const parent = (i - 1) >> 1;
      if (heap[parent]!.atMs <= heap[i]!.atMs) return;
      [heap[parent], heap[i]] = [heap[i]!, heap[parent]!];
      i = parent;
    }
  }

  private sink(from: number): void {
    const { heap } = this;
    for (let i = from; ;) {
      const left = 2 * i + 1;
      const right = left + 1;
      let least = i;
      if (left < heap.length && heap[left]!.atMs < heap[least]!.atMs) least = left;
      if (right < heap.length && heap[right]!.atMs < heap[least]!.atMs) least = right;
      if (least === i) return;
      [heap[least], heap[i]] = [heap[i]!, heap[least]!];
      i = least;
    }
  }
}
