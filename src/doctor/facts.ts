/** What the doctor knows of the servers that answered. Plain values; names are texts for people. */

/** A member of a group, as the server that tells of it sees it. */
export interface ReplicaFacts {
  readonly name: string;
  readonly isCurrent: boolean;
  readonly isOffline: boolean;
  /** Since it was heard; below 0: never, or nobody knows. */
  readonly silentMs: number;
  /** Operations that it lacks. */
  readonly lag: number;
}

export interface GroupFacts {
  /** Name of the server that leads; "": none, as far as this server knows. */
  readonly leader: string;
  /** The others. Where nobody leads, the server that tells stands among them. */
  readonly replicas: readonly ReplicaFacts[];
}

export interface MetaFacts extends GroupFacts {
  /** Name of the cluster. */
  readonly cluster: string;
  readonly size: number;
  readonly quorum: number;
}

export interface ConsumerFacts {
  readonly name: string;
  readonly group: GroupFacts;
  /** Messages that wait. */
  readonly pending: number;
  /** Delivered, and not acknowledged. */
  readonly ackPending: number;
  /** 0 or below: no limit. */
  readonly maxAckPending: number;
  /** Pull requests. */
  readonly waiting: number;
  /** "": clients pull. */
  readonly deliverSubject: string;
  /** Somebody subscribes to the subject that it delivers to. */
  readonly isBound: boolean;
  /** null: it is not paused. */
  readonly pausedForMs: number | null;
  /** Since the last delivery, or since it was made. */
  readonly quietMs: number;
  /** It may hold messages back by itself: a rate, the pace of the original, or groups of clients with priorities. */
  readonly isPaced: boolean;
}

export interface OriginFacts {
  readonly kind: "mirror" | "source";
  readonly name: string;
  /** Messages that are still to come. */
  readonly lag: number;
  /** Since it was heard; below 0: never. */
  readonly silentMs: number;
  /** "": none. */
  readonly error: string;
}

export interface StreamFacts {
  readonly account: string;
  readonly name: string;
  readonly group: GroupFacts;
  readonly messages: number;
  readonly bytes: number;
  /** 0 or below: no limit. */
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** It refuses messages beyond its limits. */
  readonly refusesNew: boolean;
  /** Messages that damage has taken. */
  readonly lost: number;
  readonly origins: readonly OriginFacts[];
  readonly consumers: readonly ConsumerFacts[];
}

/** What a server complains of. */
export interface Complaint {
  /** In nats-server's words, such as "STREAM". */
  readonly kind: string;
  /** "": it is about the server. */
  readonly account: string;
  readonly stream: string;
  readonly consumer: string;
  readonly error: string;
}

/** Something that is assigned to servers of which none is there. */
export interface UnservedFacts {
  readonly account: string;
  readonly stream: string;
  /** "": it is about the stream. */
  readonly consumer: string;
  readonly servers: readonly string[];
}

/** A server that should be connected. */
export interface AwaitedFacts {
  /** "": not known. */
  readonly name: string;
  readonly address: string;
  readonly why: string;
}

export interface JetStreamFacts {
  /** null: it keeps streams by itself, or has not joined others yet. */
  readonly meta: MetaFacts | null;
  readonly storageBytes: number;
  /** 0 or below: not known. */
  readonly maxStorageBytes: number;
  readonly streams: readonly StreamFacts[];
}

export interface ExaminedServer {
  readonly id: string;
  readonly name: string;
  /** "": it belongs to none. */
  readonly cluster: string;
  readonly version: string;
  /** Why it is to be given no clients; empty: it may be, or does not tell. */
  readonly notReady: readonly string[];
  readonly isLameDuck: boolean;
  readonly connections: number;
  /** 0 or below: no limit. */
  readonly maxConnections: number;
  readonly complaints: readonly Complaint[];
  /** Hubs to which there should be a leaf connection, in the words of the server. */
  readonly lostLeaves: readonly string[];
  /** Names of servers to which it has routes; null: it did not tell. */
  readonly routes: readonly string[] | null;
  readonly awaited: readonly AwaitedFacts[];
  /** null: it has none. */
  readonly jetStream: JetStreamFacts | null;
  readonly unserved: readonly UnservedFacts[];
  /** Questions that it did not answer, with the reason. */
  readonly unanswered: readonly string[];
}
