/**
 * Opens the groups of streams and consumers, each as what this server is in it:
 *
 *     first member    nobody has kept anything before: its empty log has lost nothing
 *     member          it was one before: the journal has what it kept, or that is lost
 *     to be added     it listens and takes what the leader has, and belongs to the group once that adds it
 */
import type { Clock } from "../base/clock.ts";
import type { PeerId } from "../raft/messages.ts";
import { ConsumerReplica } from "./group/consumer-replica.ts";
import { peerStateOf, type Group, type Groups } from "./group/group.ts";
import type { StreamReplica } from "./group/stream-replica.ts";
import type { GroupAssignment } from "./meta/assignments.ts";

const STREAM_SNAPSHOTS = { entriesMax: 65_536, bytesMax: 8 << 20 };
const CONSUMER_SNAPSHOTS = { entriesMax: 4096, bytesMax: 64 << 10 };
/** When the server that is to lead a new group first campaigns, and how often at most. */
const FIRST_CAMPAIGN_MS = 20;
const CAMPAIGN_MS = 300;
const CAMPAIGNS_MAX = 5;

export interface GroupOpenerOptions {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly groups: Groups;
  /** The journal knows all groups that this server is or was a member of. */
  readonly isWhole: () => boolean;
}

export class GroupOpener {
  /** "fresh": what is opened now is just being made, so that nobody has kept it before. */
  how: "fresh" | "known" = "known";
  private readonly options: GroupOpenerOptions;

  constructor(options: GroupOpenerOptions) {
    this.options = options;
  }

  exists({ name }: GroupAssignment): boolean {
    return this.options.groups.exists(name);
  }

  open(group: GroupAssignment, machine: StreamReplica | ConsumerReplica): Group {
    const { groups, self, isWhole } = this.options;
    const { name, storage, peers, desired, preferred } = group;
    // in a group that is being changed, those count that belonged to it before
    const members = desired === undefined ? peers : desired.members;
    const isFresh = this.how === "fresh" && desired === undefined;
    const isNew = !groups.exists(name) && (isFresh || isWhole());
    const opened = groups.open({
      name,
      self,
      storage,
      peers: peerStateOf(members),
      isNew,
      machine,
      // what this server has kept alone until now
      beginsWith:
        isNew && desired !== undefined && members.every((peer) => peer === self) ? machine.contents() : null,
      snapshots: machine instanceof ConsumerReplica ? CONSUMER_SNAPSHOTS : STREAM_SNAPSHOTS,
    });
    const isAlone = opened.peers.peers.every((peer) => peer === self);
    if (isAlone || (isNew && preferred === self)) this.campaign(opened);
    return opened;
  }

  /** The others may not have opened theirs yet, so it tries again. */
  private campaign(group: Group): void {
    const { clock } = this.options;
    let left = CAMPAIGNS_MAX;
    const attempt = (): void => {
      if (left-- === 0 || group.leader !== "") return;
      group.campaign();
      clock.setTimer(CAMPAIGN_MS, attempt);
    };
    clock.setTimer(FIRST_CAMPAIGN_MS, attempt);
  }
}
