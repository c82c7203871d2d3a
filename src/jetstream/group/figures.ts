/** Names the servers that keep something, and the one that leads it, as answers and monitoring show them. */
import type { PeerId } from "../../raft/messages.ts";
import type { Group } from "./group.ts";
import type { ClusterFigures, ReplicaFigures } from "./shared.ts";

export interface FiguresHost {
  readonly self: PeerId;
  /** "": it is not known. */
  readonly nameOf: (peer: PeerId) => string;
  readonly isOnline: (peer: PeerId) => boolean;
}

/** Where nobody leads, this server stands among the replicas, as in nats-server. */
export function figuresOf(
  group: Group,
  { self, nameOf, isOnline }: FiguresHost,
): Pick<ClusterFigures, "leader" | "leadsSinceMs" | "replicas"> {
  const replicas = group.progress().map(({ peer, isCurrent, silentMs, lag }): ReplicaFigures => {
    const name = nameOf(peer);
    const isKnown = name !== "";
    return {
      name: isKnown ? name : `Server name unknown at this time (peerID: ${peer})`,
      peer,
      isCurrent,
      isOffline: !isOnline(peer),
      silentMs,
      lag: isKnown ? lag : 0,
    };
  });
  const leader = group.leads ? nameOf(self) : nameOf(group.leader);
  if (leader === "")
    replicas.push({
      name: nameOf(self),
      peer: self,
      isCurrent: false,
      isOffline: false,
      silentMs: -1,
      lag: 0,
    });
  replicas.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { leader, leadsSinceMs: group.leadsSinceMs, replicas };
}
