/** What the API and monitoring see of streams and consumers that more than one server keeps. */
import type { ConsumerConfig } from "../consumer/config.ts";
import type { ConsumerState } from "../consumer/state.ts";

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

export interface SharedConsumer {
  /** Begins again at a sequence. `done` is called once that is agreed on, and never where the leadership ends before. */
  reset(sequence: number, done: () => void): void;
}

/** A consumer of which this server has a copy, and which another one leads. */
export interface FollowedConsumer {
  readonly config: ConsumerConfig;
  readonly created: string;
  readonly wasNamed: boolean;
  /** The state that was agreed on. */
  readonly state: ConsumerState;
}

export interface ReplicaFigures {
  readonly name: string;
  readonly peer: string;
  readonly isCurrent: boolean;
  readonly isOffline: boolean;
  /** Since it was heard; below 0: it was not, or nobody knows here. */
  readonly silentMs: number;
  /** Operations that it lacks. */
  readonly lag: number;
}

/** Something that this server should keep, and does not keep well. */
export interface ClusterTrouble {
  readonly account: string;
  readonly stream: string;
  /** "": it is about the stream. */
  readonly consumer: string;
  readonly error: string;
  /** Operations, or messages, that it still has to get; 0: it is not a matter of catching up. */
  readonly behind: number;
}

/** The servers that keep something. */
export interface ClusterFigures {
  /** The cluster's. */
  readonly name: string;
  /** "": it has but one copy. */
  readonly group: string;
  /** "": not known. */
  readonly leader: string;
  /** Milliseconds since 1970, where this server leads; else 0. */
  readonly leadsSinceMs: number;
  /** The account that messages between the copies go through. */
  readonly traffic: string;
  /** The others, and this server where nobody leads; by name. */
  readonly replicas: readonly ReplicaFigures[];
  /** Consumers that a stream has, wherever they are kept. */
  readonly consumers: number;
  /** The stream and its mirrors, with their clusters; empty: it has no mirror. */
  readonly alternates: readonly { readonly name: string; readonly cluster: string }[];
}
