/**
 * JetStream of a cluster as monitoring shows it: the meta group, and what is wrong with what this server keeps. Judged when it is asked
 * for; nothing is remembered.
 */
import { replicaInfo } from "./api/info.ts";
import type { JetStreamCluster } from "./cluster.ts";
import { lossOf } from "./cluster-troubles.ts";
import type { Difference } from "./differences.ts";
import { figuresOf } from "./group/figures.ts";
import type { ClusterTrouble } from "./group/shared.ts";
import { textOf } from "./report-texts.ts";

export interface MetaReport {
  /** The name of the cluster. */
  readonly name: string;
  /** The name and the id of the server that leads it; "": nobody does, as far as this server knows. */
  readonly leader: string;
  readonly peer: string;
  readonly leads: boolean;
  /** In nats-server's words. */
  readonly replicas: readonly object[];
  readonly size: number;
  readonly quorum: number;
  /** Requests that wait to be handled. */
  readonly pendingRequests: number;
  /** Behind its last snapshot. */
  readonly entries: number;
  readonly bytes: number;
}

/** How far this server is from keeping what it has to keep, for readiness. */
export interface ClusterStanding {
  /** Names of what is not as it should be, some of them; empty: all is well. */
  readonly troubles: readonly ClusterTrouble[];
  /** What those that catch up lack, in operations; Infinity: what there should be is not known here. */
  readonly behind: number;
}

/** A stream, or a consumer, all of whose copies are on servers that are not there. */
interface UnservedAsset {
  readonly account: string;
  readonly stream: string;
  /** "": it is the stream. */
  readonly consumer: string;
  /** Names of the servers, or their ids where those are not known. */
  readonly servers: readonly string[];
}

/** Troubles that are named. */
const NAMED_MAX = 100;

export class JetStreamClusterReport {
  private readonly cluster: JetStreamCluster;

  constructor(cluster: JetStreamCluster) {
    this.cluster = cluster;
  }

  /** null: the group has not begun. */
  get meta(): MetaReport | null {
    const { meta, api, self } = this.cluster;
    const { group } = meta;
    const names = this.cluster.figuresHost;
    const known = { name: names.clusterName(), pendingRequests: api.queued };
    if (group === null) return null;
    const { leader, replicas } = figuresOf(group, names);
    const { size } = group.peers;
    return {
      ...known,
      leader,
      peer: leader === "" ? "" : group.leads ? self : group.leader,
      leads: group.leads,
      replicas: replicas.map(replicaInfo),
      size,
      quorum: Math.floor(size / 2) + 1,
      ...group.logged,
    };
  }

  /** Groups that this server belongs to, that of the servers among them. */
  get groupCount(): number {
    return this.cluster.assets.groupCount + (this.cluster.meta.group === null ? 0 : 1);
  }

  /** Why what was agreed on is not known here, in nats-server's words; "": it is. */
  get metaTrouble(): string {
    const { meta } = this.cluster;
    if (meta.problem !== "") return `JetStream meta layer apply error: ${meta.problem}`;
    const lost = meta.group === null ? "" : lossOf(meta.group, this.cluster.figuresHost.nameOf, "servers");
    if (lost !== "") return `JetStream has no meta leader: ${lost}`;
    const standing = meta.group?.standing;
    if (standing === undefined || standing.obstacle === "no leader")
      return "JetStream has not established contact with a meta leader";
    if (standing.obstacle === "recovering") return "JetStream is still recovering meta layer";
    if (standing.obstacle !== "" || !this.cluster.isFollowing)
      return "JetStream is not current with the meta leader";
    return "";
  }

  /** Where what it has open or on its disk differs from what was agreed on, as of the last minute. */
  get differences(): readonly Difference[] {
    return this.cluster.reconciler.shown;
  }

  /** What this server should keep and does not keep well. */
  troubles(): Iterable<ClusterTrouble> {
    return this.cluster.assets.troubles();
  }

  /** What nobody keeps of those that are there, NAMED_MAX of it. Consumers of such a stream are left out. */
  unserved(isThere: (server: string) => boolean): UnservedAsset[] {
    const { meta, figuresHost } = this.cluster;
    const nameOf = (peer: string): string => figuresHost.nameOf(peer) || peer;
    const away = (meta.group?.peers.peers ?? []).filter((peer) => !isThere(nameOf(peer)));
    const found: UnservedAsset[] = [];
    if (away.length === 0) return found;
    const isAway = ({ group }: { readonly group: { readonly peers: readonly string[] } }): boolean =>
      group.peers.every((peer) => away.includes(peer));
    for (const { assignment, consumers } of meta.assignments.all()) {
      const lost = isAway(assignment) ? [assignment] : [...consumers.values()].filter(isAway);
      for (const one of lost) {
        if (found.length === NAMED_MAX) return found;
        found.push({
          account: textOf(assignment.account),
          stream: textOf(assignment.config.name),
          consumer: "name" in one ? textOf(one.name) : "",
          servers: one.group.peers.map(nameOf),
        });
      }
    }
    return found;
  }

  get standing(): ClusterStanding {
    const { metaTrouble } = this;
    if (metaTrouble !== "") {
      const trouble = { account: "", stream: "", consumer: "", error: metaTrouble, behind: 0 };
      return { troubles: [trouble], behind: Infinity };
    }
    const troubles: ClusterTrouble[] = [];
    let sum = 0;
    for (const trouble of this.troubles()) {
      sum += trouble.behind;
      if (troubles.length < NAMED_MAX) troubles.push(trouble);
    }
    return { troubles, behind: sum };
  }
}
