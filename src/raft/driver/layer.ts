/** The layer above a group: a stream, a consumer, or the assignments. It is called in order and never during one of its own calls. */
import type { Entry, PeerId, PeerState } from "../messages.ts";
import type { RaftNode } from "../node.ts";
import type { RaftSnapshot, Role } from "../state.ts";

export interface CommittedEntry {
  readonly index: number;
  readonly term: number;
  /** The peer that led when it was appended. */
  readonly leader: PeerId;
  /** All types are among them; the layer ignores those that it does not know. */
  readonly entries: readonly Entry[];
}

export interface GroupLayer {
  /** The next entry is committed, and durable here. */
  apply(committed: CommittedEntry): void;
  /** The state is replaced: by the snapshot that was stored here when the group was opened, or by one from the leader. */
  restore(snapshot: RaftSnapshot): void;
  /** This member has begun to lead, and has applied everything of former terms; or it has ceased to. Proposals that are not applied are void. */
  leadershipChanged(leads: boolean): void;
  /** The known leader, the role or the membership may have changed. */
  statusChanged(): void;
}

/** A group at one moment. */
export interface GroupStatus {
  readonly role: Role;
  readonly term: number;
  /** "": not known. */
  readonly leader: PeerId;
  /** It leads, and all of former terms is committed. */
  readonly leads: boolean;
  readonly commit: number;
  readonly applied: number;
  readonly lastIndex: number;
  /** The log follows on the snapshot of this index. */
  readonly snapshotIndex: number;
  /** Bytes of the entries behind it. */
  readonly entryBytes: number;
  readonly peers: PeerState;
  /** It has lost something, and neither votes nor counts before it is whole. */
  readonly isRecovering: boolean;
  readonly isCatchingUp: boolean;
  /** The other members, as the leader knows them; empty elsewhere. */
  readonly followers: readonly FollowerStatus[];
}

export interface FollowerStatus {
  readonly peer: PeerId;
  /** Infinity: never. */
  readonly heardMsAgo: number;
  readonly acknowledged: number;
  readonly isCatchingUp: boolean;
}

export function followersOf(node: RaftNode, nowMs: number): readonly FollowerStatus[] {
  return [...node.followers].map(([peer, { acknowledged, catchUp }]) => ({
    peer,
    heardMsAgo: nowMs - node.heardMs(peer),
    acknowledged,
    isCatchingUp: catchUp !== undefined,
  }));
}
