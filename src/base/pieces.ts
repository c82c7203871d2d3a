/**
 * Work that is done in pieces: a generator that yields where others may go first. Whoever has time runs it at once, a running server does
 * one piece in each round of the event loop.
 */
import { assert } from "./assert.ts";

export type Pieces<T> = Generator<undefined, T, undefined>;

/** Steps per piece, of some microseconds each. */
const STEPS_PER_PIECE = 500;

/** Says when a piece is long enough. */
export class PieceLength {
  private left = STEPS_PER_PIECE;

  /** Counts steps that are done. True: it is time to yield. */
  isOver(steps = 1): boolean {
    assert(steps >= 0, "work is never taken back");
    this.left -= steps;
    if (this.left > 0) return false;
    this.left = STEPS_PER_PIECE;
    return true;
  }
}

export function atOnce<T>(pieces: Pieces<T>): T {
  for (;;) {
    const piece = pieces.next();
    if (piece.done === true) return piece.value;
  }
}

export async function inRounds<T>(pieces: Pieces<T>): Promise<T> {
  for (;;) {
    const piece = pieces.next();
    if (piece.done === true) return piece.value;
    await new Promise<void>((resolve) => void setImmediate(resolve));
  }
}
