/** A member of a simulated group, as its world sees it. */
import type { Random } from "../../../src/base/random.ts";
import type { AppendEntry, PeerId, PeerState } from "../../../src/raft/messages.ts";
import type { RaftNode } from "../../../src/raft/node.ts";
import type { RaftEvent } from "../../../src/raft/state.ts";
import type { Timeline } from "../timeline.ts";
import type { RaftChecks } from "./checks.ts";

export interface SimMember {
  readonly id: PeerId;
  /** Undefined while it is down. */
  readonly node: RaftNode | undefined;
  /** Counts starts: what belongs to an earlier life is void. */
  readonly life: number;
  readonly operations: readonly string[];
  readonly appliedIndex: number;
  /** Does nothing until then, as a stopped process. */
  stalledUntilMs: number;
  /** Its disk was damaged, and it has not become whole since. */
  isLost: boolean;
  /** `peers`: as the layer above has assigned them. */
  start(peers: PeerState): void;
  crash(): void;
  /** Whether it listens to the subject. */
  hears(subject: string): boolean;
  receive(subject: string, reply: string, bytes: Uint8Array): void;
  step(event: RaftEvent): void;
  /** The layer above writes down what it has, and the log before it goes. */
  makeSnapshot(): void;
  /** While it is down. */
  damage(random: Random): void;
  /** Writes take as long as that in addition. */
  slowDiskUntilMs: number;
  /** The disk takes nothing for so long. */
  fillDisk(ms: number): void;
}

export interface SentBytes {
  readonly subject: string;
  readonly reply: string;
  readonly bytes: Uint8Array;
}

export interface MemberWorld {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly checks: RaftChecks;
  readonly writeMsMax: number;
  /** Members that crash before anything is on their disks come back as those of a new group; else as those that may have lost something. */
  readonly knowsBirths: boolean;
  /** `entry`: the message is one, sent live. */
  send(from: PeerId, message: SentBytes, entry?: AppendEntry): void;
  /** The membership that a leader has committed. */
  membershipIs(peers: PeerState): void;
  /** The operation is committed on a member that leads. */
  isDone(operation: string, index: number): void;
}
