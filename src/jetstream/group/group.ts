/**
 * A group of servers that agree on a log of operations, as the layers above use it: assignments, streams, consumers. What is agreed on
 * is handed to a machine, in order and once; everything else about Raft is behind this.
 *
 *     propose ─▶ log of the leader ─▶ a majority has it, durable ─▶ apply, on each member
 */
import { assert } from "../../base/assert.ts";
import type { PeerId, PeerState } from "../../raft/messages.ts";
import { PEER_ID_BYTES } from "../../raft/wire.ts";

/** The servers that keep streams together with this one. "nats-servers": these lead, and shoals follow. */
export type Company = "shoals" | "nats-servers";

/** The layer above. Its calls come outside of deliveries, so that it may send. */
export interface GroupMachine {
  /** Operations that are agreed on, in order, also those that the log holds at a start. One index has some. */
  apply(index: number, operations: readonly Uint8Array[]): void;
  /** The state at what has been applied; whatever it stands for is durable when this returns. null: not now. */
  snapshot(): Uint8Array | null;
  /** A snapshot takes the place of everything: at a start, or because this member was too far behind. */
  install(data: Uint8Array): void;
  /** The leader has changed, or this member has begun to lead: then all from before has been applied. */
  leadershipChanged(): void;
  /** The membership has changed. */
  peersChanged(): void;
}

export interface PeerProgress {
  readonly peer: PeerId;
  /** It has all that is committed, and was heard not long ago. */
  readonly isCurrent: boolean;
  /** Since it was heard; -1: never. */
  readonly silentMs: number;
  /** Entries that it lacks. */
  readonly lag: number;
  /** It was heard not long ago, and lacks but what is under way. */
  readonly isNear: boolean;
}

/** Where a member stands in its group. */
export interface GroupStanding {
  /** Why it is not where the group is; "": it is, within some entries. */
  readonly obstacle: "" | "no leader" | "recovering" | "catching up" | "behind";
  /** Entries that it has to apply, as far as it knows. */
  readonly behind: number;
}

export interface Group {
  readonly name: string;
  /** "": not known. */
  readonly leader: PeerId;
  /** It may propose: all from before its leadership has been applied. */
  readonly leads: boolean;
  /** It has lost something, and knows of no leader before it has asked the others. */
  readonly isRecovering: boolean;
  /** It was elected among nats-servers and has handed that on: one of them leads. */
  readonly hasHandedOn: boolean;
  readonly term: number;
  /** Since it was opened here. */
  readonly ageMs: number;
  readonly applied: number;
  /** The term of what was applied last. */
  readonly appliedTerm: number;
  readonly peers: PeerState;
  /** All that the leader said was committed has been applied. */
  readonly isCurrent: boolean;
  readonly standing: GroupStanding;
  /** Members that have lost something, and neither vote nor count before they are whole; as far as is known here. */
  readonly lostPeers: readonly PeerId[];
  /** The log ends with something that no majority is known to have. */
  readonly hasUncommitted: boolean;
  /** When this member began to lead, in milliseconds since 1970; 0: it does not. */
  readonly leadsSinceMs: number;
  /** It led, and gave that up since it heard no majority any more. */
  readonly hasLostQuorum: boolean;
  /** Entries and bytes behind the last snapshot. */
  readonly logged: { readonly entries: number; readonly bytes: number };
  /** The other members, as the leader knows them; elsewhere it is only known whether the leader is there. */
  progress(): PeerProgress[];
  /** The same of one that may be no member. */
  progressOf(peer: PeerId): PeerProgress;
  /** False: this member does not lead. What is proposed is lost if the leadership ends before it is agreed on. */
  propose(operations: readonly Uint8Array[]): boolean;
  /** To whoever leads; it may be lost. */
  forward(operation: Uint8Array): void;
  /** "": to any that has everything. */
  transfer(to: PeerId): void;
  addPeer(peer: PeerId): void;
  removePeer(peer: PeerId): void;
  campaign(): void;
  /** Replaces the log by a snapshot, where the machine has one. */
  compact(): void;
  stop(): void;
  /** Stops it, and removes what it keeps. */
  destroy(): void;
}

export interface JoinOptions {
  readonly name: string;
  /** This server. */
  readonly self: PeerId;
  readonly storage: "file" | "memory";
  /** The members at its beginning; what the log says takes precedence. */
  readonly peers: PeerState;
  /** Nobody has been a member before: an empty log has lost nothing. */
  readonly isNew: boolean;
  readonly machine: GroupMachine;
  /** A new group of this server alone begins with this snapshot instead of nothing, so that whoever is added gets it. */
  readonly beginsWith?: Uint8Array | null;
  /** A snapshot takes the place of the log when so much has been applied since the last one. */
  readonly snapshots: { readonly entriesMax: number; readonly bytesMax: number };
}

export interface Groups {
  readonly self: PeerId;
  open(options: JoinOptions): Group;
  /** Whether this server has kept something of such a group. */
  exists(name: string): boolean;
  /** The groups that this server has kept something of. */
  readonly stored: readonly string[];
  /** Removes what is stored of a group; one that is open ends. */
  discard(name: string): void;
  /** The connection to a server has ended: groups that it led need not wait to elect another leader. */
  peerLost(peer: PeerId): void;
  /** Calls once all that groups have stored so far is durable. */
  whenStored(done: () => void): void;
  stop(): void;
}

/** The way to other servers. Messages are received outside of deliveries, and belong to their receiver. */
export interface GroupTransport {
  send(subject: string, reply: string, payload: Uint8Array): void;
  listen(subject: string, receive: (subject: string, reply: string, payload: Uint8Array) => void): Disposable;
}

/** The membership of a group at its beginning. */
export function peerStateOf(peers: readonly PeerId[]): PeerState {
  for (const peer of peers) assert(peer.length === PEER_ID_BYTES, "the id of a peer has 8 characters");
  return { size: peers.length, peers, domainExtension: 0 };
}
