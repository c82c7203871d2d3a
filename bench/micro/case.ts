import { MemoryWire } from "../../src/transport/memory.ts";

/** One thing to measure. */
export interface Case {
  readonly name: string;
  /** Carries out the operation about `count` times; returns how often it was. */
  readonly run: (count: number) => number;
}

/** Keeps the compiler from finding out that a result is of no use. */
export const sink = { value: 0 };

/** Whatever is written is gone at once. */
export class NullWire extends MemoryWire {
  override write(): boolean {
    return true;
  }

  override writeMany(): boolean {
    return true;
  }
}
