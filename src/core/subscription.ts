/**
 * Interest in a subject: a `Subscription` on a connection of this server, or the `RemoteInterest` of another
 * server. The two interfaces are all that the core knows of connections.
 */
import type { TracedConnection } from "../protocol/message-trace.ts";
import type { Message } from "../protocol/message.ts";
import type { HeadDialect, Heads } from "./heads.ts";
import type { NeighbourTier, Source } from "./reach.ts";

/** A connection of this server that receives messages. */
export interface Subscriber {
  /** Writes the message to the connection. Returns false when it could not (the connection is gone). */
  deliver(subscription: Subscription, message: Message): boolean;
  /**
   * Room for one delivery of so many bytes, as an offset in the slab, with whose end `wrote` is called; 0: only `deliver` will do.
   * Absent: always. The receiver gets what is written there as it is.
   */
  room?(length: number, kind: "plain" | "headed"): number;
  /** A delivery was written, up to `end`, with so many bytes of headers and payload. */
  wrote?(subscription: Subscription, end: number, size: number): void;
  /**
   * It is of the class that nearly all receivers have. The router calls these in places of their own, since the engine compiles a call for
   * the classes that it has seen there.
   */
  readonly isCommon?: boolean;
  /** It receives no more; its subscriptions are ended one after the other. */
  readonly isGone?: boolean;
  /** The receiver's identity in traces; absent: the server itself, which traces do not name. */
  readonly traced?: TracedReceiver | undefined;
}

/** A receiver as traces name it. */
export interface TracedReceiver extends TracedConnection {
  readonly account: string;
  readonly isOpen: boolean;
}

/** What the owner of a subscription, or another server, may not get of what is asked for. */
export interface DeliveryFilter {
  /** Asked when a plan for the literal subject is built. */
  admits(subject: string, queue: string | null): boolean;
}

/** Rank of members in a leaf cluster, whether it is a neighbour or a route tells of it: behind those on any server of the cluster. */
const LEAF_RANK = 3;

/** A connection to another server, one hop away. */
export interface Neighbour {
  /** It receives no more; its interest is ended piece by piece. */
  readonly isGone?: boolean;
  /** Forwards the message once, for its plain subscriptions and the named queue groups (joined by blanks, or ""). */
  forward(plan: Heads, message: Message, queues: string): void;
  /** Which head its messages begin with. */
  readonly dialect: HeadDialect;
  /** Names of the queue groups chosen for the message under way; scratch of the router. */
  chosenQueues: string;
  /** Rank of the members of queue groups behind it, but for those of leaf clusters: see `RemoteInterest.rank`. */
  readonly rank: number;
  readonly tier: NeighbourTier;
  /** It is one of another account, as it stands in the account that exports to that: what it is interested in is told of as interest here. */
  readonly isShadow?: boolean;
  /** The cluster that it is a leaf of, or "". */
  readonly leafCluster: string;
  /** As traces name it; absent: they do not. */
  readonly traced?: TracedNeighbour | undefined;
}

export interface TracedNeighbour extends TracedConnection {
  /** Whether it traces, too. */
  readonly supportsTraces: boolean;
}

export class Subscription {
  readonly subject: string;
  /** null: no queue group. */
  readonly queue: string | null;
  readonly sid: string;
  readonly owner: Subscriber;
  /** null: it gets all that it covers. */
  readonly filter: DeliveryFilter | null;
  /** `sid` and a blank as bytes, when they fit into eight; else sidLength is above 8. */
  readonly sidLow: number;
  readonly sidHigh: number;
  readonly sidLength: number;
  /** Messages delivered so far. */
  delivered = 0;
  /** The subscription ends when `delivered` reaches this; 0: never. */
  max = 0;

  constructor(
    owner: Subscriber,
    subject: string,
    queue: string | null,
    sid: string,
    filter: DeliveryFilter | null = null,
  ) {
    this.owner = owner;
    this.filter = filter;
    this.subject = subject;
    this.queue = queue;
    this.sid = sid;
    this.sidLength = sid.length + 1;
    this.sidLow = packBytes(sid + " ", 0);
    this.sidHigh = packBytes(sid + " ", 4);
  }
}

export class RemoteInterest {
  readonly subject: string;
  readonly queue: string | null;
  readonly neighbour: Neighbour;
  /** Members of the queue group behind the neighbour. */
  weight: number;
  /** null: it gets all that it covers. */
  readonly filter: DeliveryFilter | null;
  /** The cluster of the leaf whose interest a route told of, or that of the neighbour, which is a leaf itself; "": of none. */
  leafCluster: string;

  constructor(
    neighbour: Neighbour,
    subject: string,
    queue: string | null,
    weight: number,
    filter: DeliveryFilter | null = null,
  ) {
    this.neighbour = neighbour;
    this.leafCluster = neighbour.leafCluster;
    this.filter = filter;
    this.subject = subject;
    this.queue = queue;
    this.weight = weight;
  }

  /**
   * Which members of a queue group get a message before others: those of the lowest rank there are share it. Members on this server
   * have rank 0.
   */
  get rank(): number {
    const { rank } = this.neighbour;
    return this.leafCluster === "" ? rank : Math.max(rank, LEAF_RANK);
  }
}

/** Leads to another account: whoever is interested there gets the message. */
export interface Crossing {
  readonly subject: string;
  readonly queue: null;
  readonly isCrossing: true;
  /** Whether messages of other servers cross here, too. Else the server where they were published has seen to it. */
  readonly takesRouted: boolean;
  /** Returns whether anyone got it. What follows goes as far as the source allows. */
  cross(message: Message, source: Source): boolean;
}

export type Interested = Subscription | RemoteInterest | Crossing;

export function isCrossing(item: Interested): item is Crossing {
  return "isCrossing" in item;
}

/** Leaves out who is gone, and what owners may not get. */
export function dropFiltered(items: Interested[], subject: string): void {
  let kept = 0;
  let known: Subscriber | Neighbour | null = null;
  let isGone = false;
  for (let i = 0; i < items.length; i++) {
    const item = items[i]!;
    if (!isCrossing(item)) {
      const owner: Subscriber | Neighbour = item instanceof RemoteInterest ? item.neighbour : item.owner;
      if (owner !== known) {
        known = owner;
        isGone = owner.isGone === true;
      }
      if (isGone || (item.filter !== null && !item.filter.admits(subject, item.queue))) continue;
    }
    if (kept !== i) items[kept] = item;
    kept++;
  }
  items.length = kept;
}

function packBytes(value: string, from: number): number {
  let word = 0;
  for (let i = 0; i < 4 && from + i < value.length; i++)
    word |= (value.charCodeAt(from + i) & 0xff) << (8 * i);
  return word;
}
