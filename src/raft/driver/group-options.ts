/** A group is made with these values, and calls back its driver. */
import type { Random } from "../../base/random.ts";
import type { PeerId, PeerState } from "../messages.ts";
import type { RaftEvent, ServerSigns } from "../state.ts";
import type { Committer } from "./committer.ts";
import type { DueGroup } from "./due-groups.ts";
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

/** The driver sees a group so. */
export interface HostedGroup extends DueGroup {
  readonly name: string;
  readonly members: readonly PeerId[];
  /** When a follower was heard last, where this member leads; -Infinity: never. */
  heardMs(peer: PeerId): number;
  receive(subject: string, reply: string, bytes: Uint8Array): void;
  step(event: RaftEvent): void;
}

/** A group needs this of its driver. It is the same for all groups, so that an idle one costs little. */
export interface GroupHost {
  readonly id: PeerId;
  readonly random: Random;
  readonly signs: ServerSigns;
  committerOf(journal: RaftJournal): Committer;
  nowMs(): number;
  /** Since then a group of this name has voted for nobody of whom its journal may know nothing. */
  forgotMs(group: string): number;
  soon(work: () => void): void;
  /** Later than `soon`: all that came at about the same time has been read. */
  nextRound(work: () => void): void;
  send(subject: string, reply: string, bytes: Uint8Array): void;
  /** The same for a heartbeat to the members, which may travel with those of others. */
  heartbeat(group: HostedGroup, subject: string, reply: string, bytes: Uint8Array): void;
  /** Nobody else has had it. */
  newInbox(): string;
  listen(subject: string, group: HostedGroup): void;
  ignore(subject: string): void;
  /** Its time has changed. */
  wakes(group: HostedGroup): void;
  closed(group: HostedGroup): void;
}
