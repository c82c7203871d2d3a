/** What the API and monitoring see of streams that more than one server keeps. */

/** Changes that the copies of a stream have to agree on. `done` is told null where nobody knows what has become of the change. */
export interface SharedStream {
  readonly leads: boolean;
  purge(
    request: { readonly filter: string | null; readonly below: number; readonly keep: number },
    done: (purged: number | null) => void,
  ): void;
  /** `done`: 1, or 0 where there is no such message. */
  delete(sequence: number, how: "erase" | "forget", done: (gone: number | null) => void): void;
}

interface ReplicaFigures {
  readonly name: string;
  readonly peer: string;
  readonly isCurrent: boolean;
  readonly isOffline: boolean;
  /** Since it was heard. */
  readonly silentMs: number;
  /** Operations that it lacks. */
  readonly lag: number;
}

/** The servers that keep something. */
export interface ClusterFigures {
  /** The cluster's. */
  readonly name: string;
  /** "": it has but one copy. */
  readonly group: string;
  /** "": not known. */
  readonly leader: string;
  /** Those that do not lead. */
  readonly replicas: readonly ReplicaFigures[];
}
