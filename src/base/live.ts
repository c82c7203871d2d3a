/**
 * Settings that a reload can change. They sit in one cell, whose owner replaces them as a whole; everybody else holds the cell and
 * reads `current` where the value is used. So it never matters which copy somebody kept.
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
