/** The state of a node while it runs, and the result of a step. */
import type { Random } from "../base/random.ts";
import type { LogView } from "./log-view.ts";
import type { AppendEntry, Entry, PeerId, PeerState, RaftMessage } from "./messages.ts";

/** Milliseconds, as nats-server has them. */
export const Timing = {
  ELECTION_MIN_MS: 4000,
  ELECTION_MAX_MS: 9000,
  CAMPAIGN_MIN_MS: 100,
  CAMPAIGN_MAX_MS: 800,
  /** A follower whose leader's server is gone campaigns within this; those that follow in the order each wait so much longer. */
  LEADER_LOST_MS: 50,
  LEADER_LOST_NEXT_MS: 250,
  /** A connection that breaks again and again brings about an election at most so often. */
  LEADER_LOST_AGAIN_MS: 10_000,
  /** The successor that a leader has named campaigns after this. */
  SUCCESSION_MS: 10,
  /** All other members wait at least so long for the successor. */
  SUCCESSION_FAILED_MS: 1000,
  HEARTBEAT_MS: 1000,
  /** The same in a group in which nothing happens, between servers that give signs of life. */
  QUIET_HEARTBEAT_MS: 10_000,
  /** A group counts as quiet after so long, in which its members have answered some heartbeats. */
  QUIET_AFTER_MS: 4500,
  /** Signs of life stand for heartbeats of a leader for so long. */
  SIGNS_COVER_MS: 25_000,
  /** A leader that has not heard a quorum for so long steps down. */
  QUORUM_LOST_MS: 10_000,
  CATCHUP_STALLED_MS: 2000,
  /** A peer that has been heard within this is live. */
  LIVE_MS: 3000,
  /** A candidacy of anybody that was voted for before a restart is over after this: longer than any election timeout. */
  VOTE_FORGOTTEN_MS: 12_000,
  /** A voter that has told that it has lost something counts as one for so long: several elections that come to nothing. */
  LOST_COUNTS_MS: 30_000,
  /** Terms are asked for again so often by a node that has lost its own. */
  ASK_TERMS_MS: 1000,
} as const;

/** Unacknowledged bytes of a catch-up. */
export const CATCHUP_BYTES_MAX = 2 << 20;

/** The part of its state that a node has lost and has not replaced yet: entries that it acknowledged, or its term and vote as well. */
export type LostPart = "none" | "log" | "all";

/** The state that has to survive a crash, besides the log. */
export interface HardState {
  readonly term: number;
  /** "" for none in this term. */
  readonly vote: PeerId;
  readonly loss: LostPart;
}

export interface RaftSnapshot {
  readonly index: number;
  readonly term: number;
  readonly peers: PeerState;
  readonly data: Uint8Array;
}

export interface OutgoingMessage {
  readonly subject: string;
  /** "" for none. */
  readonly reply: string;
  readonly message: RaftMessage;
}

/** Stored entries that a catch-up needs: from an index on, about so many bytes; or the snapshot where `fromIndex` is 0. */
export interface ReadRequest {
  readonly peer: PeerId;
  readonly inbox: string;
  readonly fromIndex: number;
  readonly bytesMax: number;
}

/**
 * The work that a step asks for. In this order `save`, `cutAfter`, `snapshot` and `append` become durable, each step's before the next one's;
 * then `send` goes out, and what `commit` covers may be applied. `sendAtOnce` need not wait.
 */
export interface Ready {
  save: HardState | undefined;
  /** Entries behind this index leave the log; -1: none. */
  cutAfter: number;
  /** Takes the place of the whole log. */
  snapshot: RaftSnapshot | undefined;
  readonly append: AppendEntry[];
  readonly send: OutgoingMessage[];
  readonly sendAtOnce: OutgoingMessage[];
  readonly read: ReadRequest[];
  readonly subscribe: string[];
  readonly unsubscribe: string[];
  /** Everything up to this index is committed. */
  commit: number;
  /** When the next tick is due, in milliseconds of the clock that `nowMs` comes from. */
  wakeAtMs: number;
}

export type RaftEvent =
  | { readonly kind: "tick" }
  | {
      readonly kind: "message";
      readonly subject: string;
      readonly reply: string;
      readonly message: RaftMessage;
    }
  /** Ignored where this node does not lead. */
  | { readonly kind: "propose"; readonly entries: readonly Entry[] }
  /** The own log is durable up to an index, whose entry has this term. */
  | { readonly kind: "written"; readonly index: number; readonly term: number }
  /** Answers a ReadRequest; no entries: they could not be read. */
  | {
      readonly kind: "read";
      readonly peer: PeerId;
      readonly inbox: string;
      readonly entries: readonly AppendEntry[];
    }
  | {
      readonly kind: "snapshot read";
      readonly peer: PeerId;
      readonly inbox: string;
      readonly snapshot: RaftSnapshot;
    }
  /** A snapshot of the layer above is durable, and the log up to its index is gone. */
  | { readonly kind: "compacted"; readonly index: number }
  | { readonly kind: "add peer"; readonly peer: PeerId }
  | { readonly kind: "remove peer"; readonly peer: PeerId }
  /** Hands leadership over; "" lets the node choose. */
  | { readonly kind: "transfer"; readonly to: PeerId }
  | { readonly kind: "campaign" }
  /** The connection to a server has ended. If its member led, the others elect a new leader, the first of them `afterMs` later. */
  | {
      readonly kind: "peer lost";
      readonly peer: PeerId;
      readonly afterMs: number;
      /** Added to the time between one that campaigns and the next: how long all groups of this server take. */
      readonly spreadMs: number;
    };

/** A catch-up of one follower, as its leader runs it. */
export interface CatchUp {
  readonly inbox: string;
  readonly progressInbox: string;
  /** The first index that has not been asked for. */
  nextIndex: number;
  /** The last index at the start: the follower goes on by itself from there. */
  readonly endIndex: number;
  isReading: boolean;
  outstandingBytes: number;
  /** Sent and not acknowledged, oldest first. */
  readonly unacknowledged: { readonly index: number; readonly bytes: number }[];
  movedMs: number;
}

export interface Progress {
  /** -Infinity: never. */
  heardMs: number;
  acknowledged: number;
  /** What its last answer has acknowledged; -1: it lacks something. */
  answered: number;
  /** The process that has answered last; "": not known. */
  process: string;
  catchUp: CatchUp | undefined;
}

/** A catch-up that a follower has asked for. */
interface CatchingUp {
  readonly inbox: string;
  /** Where the log has to reach. */
  readonly aimIndex: number;
  movedMs: number;
  /** Entries of the catch-up that came before those they follow on, by the index before. */
  readonly early: Map<number, { readonly append: AppendEntry; readonly reply: string }>;
  /** Live entries that have come meanwhile, in the order of their coming. */
  readonly held: { readonly append: AppendEntry; readonly reply: string }[];
}

/** Entries that are kept during a catch-up, live ones and early ones; others are asked for again. */
export const HELD_MAX = 1024;

/** The leader also keeps so many peers up to date that are not members yet. */
export const LEARNERS_MAX = 16;

/** How a node that has lost something becomes whole again. */
export interface LossRecovery {
  /** Its term and vote are lost as well: terms are asked of the others, once every candidacy of before is over. */
  asksTermsFromMs: number;
  nextAskMs: number;
  readonly heardTerms: Map<PeerId, number>;
  /** When others said that they have nothing either. */
  readonly blanks: Map<PeerId, number>;
}

/** What the driver knows of other servers, by whatever comes from them. A process is known by a name that it draws at its start. */
export interface ServerSigns {
  /** "": it tells nothing of itself. */
  processOf(peer: PeerId): string;
  /** -Infinity: never. */
  heardMs(peer: PeerId): number;
}

export const NO_SIGNS: ServerSigns = { processOf: () => "", heardMs: () => -Infinity };

export type Role = "follower" | "candidate" | "leader";

export interface RaftState {
  readonly id: PeerId;
  readonly group: string;
  readonly random: Random;
  readonly signs: ServerSigns;
  /** Answers come here: those to votes and those to live entries differ in their lengths. */
  readonly inbox: string;
  nowMs: number;
  role: Role;
  term: number;
  vote: PeerId;
  leader: PeerId;
  readonly log: LogView;
  commit: number;
  /** How far the own log is durable. */
  durable: number;
  peers: PeerState;
  /** The one change of the membership that is in the log and not committed; `before` takes its place if it is cut. */
  change: { readonly index: number; readonly before: PeerState } | undefined;
  electionDueMs: number;
  /** When an election was last brought forward because the leader's server was gone; -Infinity: never. */
  leaderLostMs: number;
  heartbeatDueMs: number;
  quorumDueMs: number;
  /** The last heartbeat or entry of the leader: when it came, and from which process. */
  readonly followed: { atMs: number; process: string };
  /** The leader of this term has named its successor: what comes late from it is no sign of life. */
  endedTerm: number;
  /** When something was last appended or committed, where this member leads. */
  busyMs: number;
  /** The votes that a candidate has; null: it is none. */
  votes: Map<PeerId, { readonly isEmpty: boolean }> | null;
  /** The followers, as a leader knows them; null: it leads no more. */
  progress: Map<PeerId, Progress> | null;
  /** The index of the first entry of the own leadership. */
  leadsFrom: number;
  catchingUp: CatchingUp | undefined;
  recovery: LossRecovery | undefined;
  /** Other members that have told of a loss, and when; null: none has. */
  lost: Map<PeerId, number> | null;
  ready: Ready;
}

export function emptyReady(commit: number): Ready {
  return {
    save: undefined,
    cutAfter: -1,
    snapshot: undefined,
    append: [],
    send: [],
    sendAtOnce: [],
    read: [],
    subscribe: [],
    unsubscribe: [],
    commit,
    wakeAtMs: 0,
  };
}
