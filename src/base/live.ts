/**
 * Settings that a reload can change. They are in one cell, whose owner replaces them as a whole; other code holds the cell and reads
 * `current` at the place of use, so nobody keeps a stale copy.
 */
export interface Live<T> {
  readonly current: T;
}

/** The owner's side of the cell. */
export interface LiveCell<T> extends Live<T> {
  current: T;
}

export function liveCell<T>(first: T): LiveCell<T> {
  return { current: first };
}
