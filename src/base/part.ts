/**
 * A part of a server: what the server has a list of. There is no registry and nothing is injected; the order of the list is the
 * order in which parts start and follow a reload. In which order they stop is said beside the list.
 */
import type { Prepared } from "./prepared.ts";

/** `Slice`: what the part reads of the configuration. */
export interface Part<Slice> {
  readonly name: string;
  /** Listens, dials, recovers. Rejects with what keeps the server from starting. */
  start?(): Promise<void> | void;
  /**
   * Called at each reload, whether the slice has changed or not, since files may have. Throws what is wrong, with nothing changed and
   * nothing left open. null: there is nothing to do.
   */
  prepare?(next: Slice, before: Slice): Prepared | null;
  /** Lame duck mode begins: hands on, and announces what others have to know, before clients are let go. Never rejects. */
  drain?(): Promise<void> | void;
  /** Called at most once, also for a part that has not started. */
  stop?(): Promise<void> | void;
  /** Resolves when nothing of it is open any more. */
  closed?(): Promise<void>;
}

/** Hands the part its slice of the whole, so that parts of any slices stand in one list. */
export function bind<Whole, Slice>(part: Part<Slice>, sliceOf: (whole: Whole) => Slice): Part<Whole> {
  return {
    name: part.name,
    start: () => part.start?.(),
    prepare: (next, before) => part.prepare?.(sliceOf(next), sliceOf(before)) ?? null,
    drain: () => part.drain?.(),
    stop: () => part.stop?.(),
    closed: async () => part.closed?.(),
  };
}
