/** A group is made with these values, and calls back its driver. */
import type { Random } from "../../base/random.ts";
import type { PeerId, PeerState } from "../messages.ts";
import type { Committer } from "./committer.ts";
import type { RaftJournal } from "./group-log.ts";
import type { GroupLayer } from "./layer.ts";

export interface GroupOptions {
  readonly name: string;
  /** The membership at the start of the group; what the journal says goes before it. */
  readonly peers: PeerState;
  /**
   * The group begins now, and this server is one of its first members. Never true for a server that is added to a group, or that may have
   * been a member before: it would vote a second time in terms that it has forgotten.
   */
  readonly isNewGroup: boolean;
  readonly journal: RaftJournal;
  readonly layer: GroupLayer;
}

/** A group needs this of its driver. */
export interface GroupHost {
  readonly id: PeerId;
  readonly random: Random;
  readonly committer: Committer;
  nowMs(): number;
  soon(work: () => void): void;
  send(subject: string, reply: string, bytes: Uint8Array): void;
  /** The same for a heartbeat to these members, which may travel with others. */
  heartbeat(peers: readonly PeerId[], subject: string, reply: string, bytes: Uint8Array): void;
  listen(subject: string): void;
  ignore(subject: string): void;
  wakesAt(atMs: number): void;
  closed(): void;
}
