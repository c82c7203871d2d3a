/** A change that has been checked and can no longer fail: it is either applied or discarded, once. */
export interface Prepared {
  apply(): void;
  /** Releases what was opened for it. */
  discard?(): void;
}
