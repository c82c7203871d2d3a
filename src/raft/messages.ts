/**
 * The messages between the members of a group, and the entries of a log. Terms and indexes are counts, below 2^53. An append entry is one
 * index, however many entries it has; one without entries is a heartbeat, which is not stored and takes no index.
 */

/** Eight characters: the hash of the server's name. */
export type PeerId = string;

export const EntryType = {
  /** An operation of the layer above. */
  NORMAL: 0,
  /** A snapshot as servers of long ago wrote it. */
  OLD_SNAPSHOT: 1,
  /** The whole membership. */
  PEER_STATE: 2,
  ADD_PEER: 3,
  REMOVE_PEER: 4,
  /** Names the peer that is to lead next. */
  LEADER_TRANSFER: 5,
  SNAPSHOT: 6,
} as const;

export interface Entry {
  /** One of EntryType. Others are kept, and ignored. */
  readonly type: number;
  readonly data: Uint8Array;
}

export interface AppendEntry {
  readonly leader: PeerId;
  /** The term of the entries; in a heartbeat, the term of the leader. */
  readonly term: number;
  readonly commit: number;
  /** Term and index of the entry before; both are 0 at the start of a log. */
  readonly prevTerm: number;
  readonly prevIndex: number;
  readonly entries: readonly Entry[];
  /** In a catch-up the leader's current term, else 0. */
  readonly currentTerm: number;
}

/** The index that a stored append entry has. */
export const indexOf = (entry: AppendEntry): number => entry.prevIndex + 1;

export interface VoteRequest {
  readonly term: number;
  readonly lastTerm: number;
  readonly lastIndex: number;
  readonly candidate: PeerId;
}

export interface VoteResponse {
  /** The term of the voter after it has seen the request. */
  readonly term: number;
  readonly peer: PeerId;
  readonly isGranted: boolean;
  /** The log of the voter is empty, although the voter was a member before. */
  readonly isEmpty: boolean;
  /** The voter has lost something that it had acknowledged, and is not whole again. */
  readonly hasLost: boolean;
}

export interface AppendResponse {
  /** On success and when a catch-up is asked for, that of the last entry; on refusal the responder's own. */
  readonly term: number;
  readonly index: number;
  readonly peer: PeerId;
  readonly isSuccess: boolean;
}

/** The membership of a group. The size may exceed the number of known peers while the group forms. */
export interface PeerState {
  readonly size: number;
  readonly peers: readonly PeerId[];
  /** 0: undetermined, 1: extended, 2: not extended. */
  readonly domainExtension: number;
}

export type RaftMessage =
  | { readonly kind: "vote request"; readonly body: VoteRequest }
  | { readonly kind: "vote response"; readonly body: VoteResponse }
  | { readonly kind: "append"; readonly body: AppendEntry }
  | { readonly kind: "append response"; readonly body: AppendResponse };
