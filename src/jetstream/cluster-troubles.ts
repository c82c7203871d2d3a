/** Names the troubles of what this server keeps of a stream for its cluster. */
import type { StreamAssets } from "./assets.ts";
import type { PeerId } from "../raft/messages.ts";
import type { ConsumerReplica } from "./group/consumer-replica.ts";
import type { Group } from "./group/group.ts";
import type { ClusterTrouble } from "./group/shared.ts";
import type { StreamReplica } from "./group/stream-replica.ts";
import type { StreamAssignment } from "./meta/assignments.ts";

interface KeptCopies {
  readonly assets: StreamAssets;
  /** null: this server keeps it alone. */
  readonly replica: StreamReplica | null;
  readonly consumers: ReadonlyMap<string, { readonly replica: ConsumerReplica | null }>;
}

interface AssignedCopies {
  readonly assignment: StreamAssignment;
  /** The names of those that this server is assigned. */
  readonly consumers: readonly string[];
  /** The name of a server. */
  readonly nameOf: (peer: PeerId) => string;
}

export function* troublesOf(
  kept: KeptCopies | undefined,
  { assignment, consumers, nameOf }: AssignedCopies,
): Generator<ClusterTrouble, void> {
  const { account, config } = assignment;
  const about = { account, stream: config.name, consumer: "", behind: 0 };
  if (kept === undefined) {
    yield { ...about, error: "stream not found" };
    return;
  }
  const { problem } = kept.assets.stream;
  if (problem !== "") yield { ...about, error: `stream write error: ${problem}` };
  else if (kept.replica !== null) {
    const { error, behind } = kept.replica.trouble;
    const lost = lossOf(kept.replica.group, nameOf, "stream");
    if (error !== "") yield { ...about, error: lost === "" ? error : lost, behind };
  }
  for (const consumer of consumers) {
    const one = kept.consumers.get(consumer);
    if (one === undefined) yield { ...about, consumer, error: "consumer not found" };
    else if (one.replica !== null) {
      const { error, behind } = one.replica.trouble;
      const lost = lossOf(one.replica.group, nameOf, "consumer");
      if (error !== "") yield { ...about, consumer, error: lost === "" ? error : lost, behind };
    }
  }
}

const WAYS_OUT = {
  stream: "delete the stream and restore a backup of it",
  consumer: "delete the consumer and make it again",
  servers: "begin again with new stores and restore backups",
};

/**
 * Why nobody leads a group and nobody will: so many members have lost what they had acknowledged that the others are no majority. "": it has
 * a leader, or may get one. The others do not go on by themselves, since messages that they lack may have been acknowledged.
 */
export function lossOf(group: Group, nameOf: (peer: PeerId) => string, what: keyof typeof WAYS_OUT): string {
  const { leader, lostPeers, peers } = group;
  const { length: count } = peers.peers;
  const quorum = Math.floor(count / 2) + 1;
  if (leader !== "" || count - lostPeers.length >= quorum) return "";
  const names = lostPeers.map(nameOf).toSorted().join(", ");
  return (
    `group elects no leader: ${lostPeers.length} of its ${count} members have lost something that they had ` +
    `acknowledged (${names}). Give them their disks back, or ${WAYS_OUT[what]}`
  );
}
