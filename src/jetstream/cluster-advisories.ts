/** Advisories that belong to clusters: who leads, who has lost its majority, and what was made, changed and deleted, told by one server. */
import { advise, adviseAbout, adviseStream } from "./advisories.ts";
import { replicaInfo } from "./api/info.ts";
import { figuresOf, type FiguresHost } from "./group/figures.ts";
import type { Group } from "./group/group.ts";
import type { ReplicaFigures } from "./group/shared.ts";
import type { AccountHost } from "./host.ts";
import type { AssignmentChange } from "./meta/assignments.ts";

export interface ClusterAdvisoriesOptions {
  readonly system: AccountHost;
  /** undefined: the account has no JetStream here. */
  readonly hostOf: (account: string) => AccountHost | undefined;
  readonly figuresHost: FiguresHost;
  readonly clusterName: () => string;
}

/** A stream, or a consumer of it. */
export interface AdvisedAsset {
  readonly account: string;
  readonly stream: string;
  /** "": it is the stream. */
  readonly consumer: string;
}

export class ClusterAdvisories {
  private readonly options: ClusterAdvisoriesOptions;

  constructor(options: ClusterAdvisoriesOptions) {
    this.options = options;
  }

  /** A copy here has begun to lead its group, or does no longer. */
  leadershipChanged(asset: AdvisedAsset, group: Group): void {
    if (group.leads) this.aboutGroup(asset, group, "LEADER_ELECTED");
    else if (group.hasLostQuorum) {
      this.options.system.logger.warn("a group of servers has lost its majority: nothing more is stored", {
        ...asset,
        group: group.name,
      });
      this.aboutGroup(asset, group, "QUORUM_LOST");
    }
  }

  /** This server leads the group of all servers now. */
  metaLed(group: Group): void {
    const { system, figuresHost, clusterName } = this.options;
    advise(system, "DOMAIN.LEADER_ELECTED", "domain_leader_elected", () => ({
      leader: figuresHost.self,
      replicas: this.membersOf(group),
      cluster: clusterName(),
    }));
  }

  /** The leader of the group of all servers tells what has gone. */
  removed({ account, stream, consumer, consumers }: AssignmentChange): void {
    const host = this.options.hostOf(account);
    if (host === undefined) return;
    for (const name of consumer === "" ? consumers : [consumer])
      adviseAbout(host, { name, stream: { config: { name: stream } } }, "DELETED", "delete");
    if (consumer === "") adviseStream(host, "DELETED", stream, "delete");
  }

  /** The leader of what was made or changed tells of it. */
  assigned({ account, stream, consumer }: AdvisedAsset, how: "new" | "changed"): void {
    const host = this.options.hostOf(account);
    if (host === undefined) return;
    if (consumer === "")
      adviseStream(host, how === "new" ? "CREATED" : "UPDATED", stream, how === "new" ? "create" : "modify");
    else if (how === "new")
      adviseAbout(host, { name: consumer, stream: { config: { name: stream } } }, "CREATED", "create");
  }

  /** To the account, and, with its name, to the system account. */
  private aboutGroup(asset: AdvisedAsset, group: Group, what: "LEADER_ELECTED" | "QUORUM_LOST"): void {
    const { account, stream, consumer } = asset;
    const { system, hostOf, figuresHost } = this.options;
    const kind = consumer === "" ? "STREAM" : "CONSUMER";
    const subject = `${kind}.${what}.${stream}${consumer === "" ? "" : `.${consumer}`}`;
    const type = `${kind}_${what}`.toLowerCase();
    const fields = (): Readonly<Record<string, unknown>> => ({
      stream,
      ...(consumer === "" ? {} : { consumer }),
      ...(what === "QUORUM_LOST" ? {} : { leader: figuresHost.nameOf(figuresHost.self) }),
      replicas: this.membersOf(group),
    });
    const host = hostOf(account);
    if (host !== undefined && host.name !== system.name) advise(host, subject, type, fields);
    advise(system, subject, type, () => ({ account, ...fields() }));
  }

  /** All members, this one among them. */
  private membersOf(group: Group): readonly object[] {
    const { self, nameOf } = this.options.figuresHost;
    const own: ReplicaFigures = {
      name: nameOf(self),
      peer: self,
      isCurrent: true,
      isOffline: false,
      silentMs: -1,
      lag: 0,
    };
    const { replicas } = figuresOf(group, this.options.figuresHost);
    return [own, ...replicas.filter(({ peer }) => peer !== self)].map(replicaInfo);
  }
}
