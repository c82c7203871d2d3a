/**
 * JetStream of a server that belongs to a cluster: the meta group, the streams and consumers that it assigns to this server, and the
 * requests of clients, each of which one server answers.
 */
import type { Clock } from "../base/clock.ts";
import { hashName } from "../base/base62.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { PeerId } from "../raft/messages.ts";
import { DiskError, type Disk } from "../store/disk.ts";
import type { Assets } from "./assets.ts";
import { Balancer } from "./balancer.ts";
import { ClusterApi } from "./api/cluster-api.ts";
import { emptyServer, type PlacementRoom } from "./api/cluster-moves.ts";
import type { RoutesCaughtUp } from "./api/interest-wait.ts";
import { ClusterAdvisories } from "./cluster-advisories.ts";
import { ClusterAssets } from "./cluster-assets.ts";
import { ClusterUsage } from "./cluster-usage.ts";
import type { FiguresHost } from "./group/figures.ts";
import type { Company, Group, Groups } from "./group/group.ts";
import { SystemTransport } from "./group/transport.ts";
import type { AccountHost } from "./host.ts";
import type { JetStream } from "./jetstream.ts";
import type { AssignmentChange } from "./meta/assignments.ts";
import { KnownServers } from "./meta/known-servers.ts";
import { MetaGroup } from "./meta/meta-group.ts";
import { Leaving, type LeaveResult } from "./leaving.ts";
import { Parting, type NeededBy } from "./parting.ts";
import { Settling } from "./meta/settling.ts";
import { NeededAccounts, type NeededAccountsOptions } from "./needed-accounts.ts";
import { Offers } from "./offers.ts";
import type { Reconciler } from "./reconciler.ts";
import { makeReconciler } from "./reconciling.ts";
import type { StoreOwner } from "./store-owner.ts";

/** How long the others are waited for that are to lead, and how often it is looked. */
const HAND_OVER_MS = 5000;
const HAND_OVER_LOOK_MS = 20;

export interface JetStreamClusterOptions {
  readonly jetStream: JetStream;
  /** The system account. */
  readonly host: AccountHost;
  readonly serverName: string;
  readonly clusterName: () => string;
  /** Absent: shoals alone. */
  readonly company?: Company;
  /** Servers that there have to be before the meta group begins; Infinity: this server only joins one that has begun. */
  readonly expected: () => number;
  readonly owner: Pick<StoreOwner, "isWhole" | "becomeWhole">;
  readonly disk: Disk;
  readonly groups: (options: GroupsOptions) => Groups;
  /** Leaderships are spread over the servers. */
  readonly balancesLeaders?: boolean;
  /** How the tag begins by which any two copies of a stream have to differ; absent: they are spread over zones as far as it goes. */
  readonly uniqueTag?: string;
  /** Absent: what was sent has arrived. */
  readonly routesCaughtUp?: RoutesCaughtUp;
  /** As for NeededAccounts; absent: accounts are configured. */
  readonly lookUpAccount?: NeededAccountsOptions["lookUp"];
}

interface GroupsOptions {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly transport: SystemTransport;
  readonly afterwards: (work: () => void) => void;
  readonly nextRound: (work: () => void) => void;
}

export class JetStreamCluster {
  readonly self: PeerId;
  readonly meta: MetaGroup;
  readonly assets: ClusterAssets;
  readonly servers: KnownServers;
  private readonly options: JetStreamClusterOptions;
  readonly api: ClusterApi;
  readonly figuresHost: FiguresHost & Pick<JetStreamClusterOptions, "clusterName">;
  private readonly groups: Groups;
  private readonly settling: Settling;
  readonly offers: Offers;
  readonly reconciler: Reconciler;
  /** null: leaderships stay where they are. */
  readonly balancer: Balancer | null;
  private readonly leaving: Leaving;
  private readonly parting: Parting;
  private readonly advisories: ClusterAdvisories;
  private readonly usage: ClusterUsage;
  private readonly accounts: NeededAccounts;
  private ledMeta = false;
  /** Everything that was agreed on before is known. */
  private isReady = false;

  constructor(options: JetStreamClusterOptions) {
    const { host, serverName, disk, jetStream, clusterName, expected, company = "shoals" } = options;
    const { clock, random, logger } = host;
    this.options = options;
    const self = (this.self = hashName(serverName));
    const transport = new SystemTransport(host);
    this.servers = new KnownServers(transport, clock);
    const afterwards = (work: () => void): void => host.afterwards(work);
    const nextRound = (work: () => void): void => host.soon(work);
    this.groups = options.groups({ self, clock, random, logger, transport, afterwards, nextRound });
    const nameOf = (peer: PeerId): string => (peer === self ? serverName : this.servers.nameOf(peer));
    const isOnline = (peer: PeerId): boolean => peer === self || this.servers.isOnline(peer);
    this.figuresHost = { self, nameOf, isOnline, clusterName };
    this.meta = new MetaGroup({
      groups: this.groups,
      servers: this.servers,
      ...{ transport, clock, random, logger, clusterName, company, expected },
      changed: (change) => this.changed(change),
      leadershipChanged: () => this.metaLeadershipChanged(),
      begun: () => this.noteWhole(),
    });
    this.accounts = new NeededAccounts({
      clock,
      isKnown: (name) => jetStream.accounts.has(name),
      lookUp: options.lookUpAccount ?? (() => null),
    });
    this.advisories = new ClusterAdvisories({
      system: host,
      hostOf: (name) => jetStream.accounts.get(name)?.assets.host,
      figuresHost: this.figuresHost,
      clusterName,
    });
    this.offers = new Offers({
      ...{ self, clock, logger, disk, transport, assignments: this.meta.assignments },
      mayBegin: () => options.owner.isWhole,
    });
    this.assets = this.openAssets(transport);
    this.settling = new Settling(transport, this.meta);
    [this.leaving, this.parting] = this.makeDepartures(transport);
    this.usage = new ClusterUsage({ self, clock, transport, jetStream });
    this.api = this.openApi(transport);
    this.reconciler = this.makeReconciler();
    this.balancer = options.balancesLeaders === true ? this.makeBalancer(transport) : null;
  }

  private openAssets(transport: SystemTransport): ClusterAssets {
    const { host, disk, jetStream, owner } = this.options;
    return new ClusterAssets({
      disk,
      offers: this.offers,
      clock: host.clock,
      groups: this.groups,
      transport,
      assignments: this.meta.assignments,
      accountNamed: (name) => jetStream.accounts.get(name)?.assets,
      onUnknownAccount: (name) => this.accounts.keep(name),
      ...this.figuresHost,
      traffic: host.name,
      onLeadership: (asset, group) => {
        if (group !== null) this.advisories.leadershipChanged(asset, group);
        this.api.leadershipChanged(asset.account, asset.stream, asset.consumer);
      },
      onReshaped: (assignment) => this.settling.tell(assignment),
      isWhole: () => owner.isWhole,
      knowsAll: () => this.meta.isCurrent,
    });
  }

  private makeBalancer(transport: SystemTransport): Balancer {
    const { meta, assets, self } = this;
    return new Balancer({
      ...{ self, transport, clock: this.options.host.clock },
      groups: () => assets.groups(),
      members: () => meta.group?.peers.peers ?? [],
      isHealthy: () => this.isReady && meta.isCurrent && assets.troubles().next().done === true,
    });
  }

  private makeDepartures(transport: SystemTransport): [Leaving, Parting] {
    const { clock, logger } = this.options.host;
    const { self, meta } = this;
    const { isOnline } = this.figuresHost;
    const groups = () => this.allGroups();
    return [
      new Leaving({ self, transport, clock, logger, meta, around: () => this.around }),
      new Parting({ self, transport, clock, groups, isOnline }),
    ];
  }

  private makeReconciler(): Reconciler {
    const { disk, host, jetStream } = this.options;
    const { self, groups, offers, meta, assets } = this;
    return makeReconciler({
      ...{ self, disk, groups, host, meta, assets, accounts: jetStream.accounts },
      isOffered: (account, stream) => offers.has(account, stream),
      afterRound: () => this.api.completeStreams(),
    });
  }

  private openApi(transport: SystemTransport): ClusterApi {
    const { host, jetStream, clusterName, company = "shoals" } = this.options;
    const { routesCaughtUp = null, uniqueTag = "" } = this.options;
    const { self, usage, meta, advisories, assets, servers, accounts, offers } = this;
    const { nameOf } = this.figuresHost;
    const rooms = { usage, meta, advisories, assets, servers, accounts, offers };
    return new ClusterApi({
      self,
      ...rooms,
      routesCaughtUp,
      host,
      transport,
      jetStream,
      clusterName,
      company,
      uniqueTag,
      nameOf,
    });
  }

  start(): void {
    const { jetStream } = this.options;
    for (const { assets } of jetStream.accounts.values()) this.enter(assets);
    jetStream.onAccount = (assets, what) => {
      if (what === "removed") this.assets.leave(assets);
      else this.enter(assets);
      if (what === "added" && this.isReady) this.assets.followAll([assets]);
    };
    this.meta.start();
    this.usage.start();
    this.api.start();
    this.reconciler.start();
    this.balancer?.start();
  }

  private get around(): PlacementRoom {
    return this.api.around;
  }

  private *allGroups(): Generator<Group, void> {
    if (this.meta.group !== null) yield this.meta.group;
    yield* this.assets.groups();
  }

  /** The groups that would have no majority without this server, while others are missing. */
  neededBy(): Promise<NeededBy> {
    return this.parting.ask();
  }

  /** Resolves when there are none of these, or after a while. */
  untilNotNeeded(withinMs: number): Promise<NeededBy> {
    return this.parting.wait(withinMs);
  }

  /** Moves everything that this server keeps to others, and belongs to the cluster no longer: it does not come back as what it was. */
  async leave(withinMs: number): Promise<LeaveResult> {
    const result = await this.leaving.leave(withinMs);
    if (result === "left") this.meta.forget();
    return result;
  }

  /** Members that are not there; null: this server does not lead them. */
  get missing(): readonly PeerId[] | null {
    const { meta, servers, self } = this;
    if (!meta.leads || meta.group === null) return null;
    return meta.group.peers.peers.filter((peer) => peer !== self && !servers.isOnline(peer));
  }

  /** As the leader: others keep what the server has kept, and it is no member any more. */
  remove(peer: PeerId): void {
    const { meta } = this;
    const { isOnline } = this.figuresHost;
    meta.whenSettled(() => emptyServer({ ...this.around, isThere: isOnline }, peer));
    meta.removePeer(peer);
  }

  /** Lets others lead what this server leads. Resolves when they do and what came meanwhile is answered, or after a while. */
  async handOver(): Promise<void> {
    const { clock } = this.options.host;
    const untilMs = clock.nowMs() + HAND_OVER_MS;
    while ((this.handOn() > 0 || this.owesAnswers) && clock.nowMs() < untilMs)
      await new Promise<void>((resolve) => clock.setTimer(HAND_OVER_LOOK_MS, resolve));
  }

  /** Clients wait for answers that depend on who leads next. */
  private get owesAnswers(): boolean {
    return this.api.isHolding || this.assets.owesAnswers;
  }

  /** How many groups this server was leading. */
  private handOn(): number {
    const { meta } = this;
    const leadsMeta = meta.group?.leads === true && meta.group.peers.peers.length > 1;
    if (leadsMeta) meta.group!.transfer("");
    return this.assets.handOn() + (leadsMeta ? 1 : 0);
  }

  private enter(assets: Assets): void {
    const { name } = assets.host;
    assets.sharedStream = (stream) => this.assets.replicaOf(name, stream);
    assets.sharedConsumer = (stream, consumer) => this.assets.consumerReplicaOf(name, stream, consumer);
    assets.usage.elsewhereBytes = (storage, tier) => this.usage.bytesElsewhere(name, storage, tier);
    assets.clusterOf = (stream, consumer) => this.assets.figuresOf(name, stream, consumer);
    const account = this.options.jetStream.accounts.get(name);
    if (account !== undefined)
      account.stepDown = (stream, consumer) => this.assets.stepDown(name, stream, consumer, "");
    assets.onInactive = ({ stream }, consumer) => this.api.forget(name, stream.config.name, consumer.name);
  }

  stop(): void {
    this.balancer?.stop();
    this.reconciler.stop();
    this.api.stop();
    this.accounts.stop();
    this.settling.stop();
    this.offers.stop();
    this.leaving.stop();
    this.parting.stop();
    this.usage.stop();
    this.servers.stop();
    this.assets.stop();
    this.meta.stop();
    this.groups.stop();
  }

  /** The last connection to a server of the cluster has ended. */
  serverLost(name: string): void {
    this.groups.peerLost(hashName(name));
    this.api.serverLost(hashName(name));
  }

  /** It keeps what it is assigned, and knows all that was agreed on. */
  get isFollowing(): boolean {
    return this.isReady;
  }

  private metaLeadershipChanged(): void {
    const { group, leads } = this.meta;
    if (leads && !this.ledMeta) this.advisories.metaLed(group!);
    this.ledMeta = leads;
    this.becomeReady();
  }

  private becomeReady(): void {
    if (this.isReady || !this.meta.isCurrent) return;
    this.isReady = true;
    this.followAll();
    this.noteWhole();
  }

  /** Once all groups that this server belongs to are in the journal. */
  private noteWhole(): void {
    const { owner, host } = this.options;
    this.groups.whenStored(() => {
      try {
        owner.becomeWhole();
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        host.logger.warn("the store cannot be noted as complete: the next start tries again", {
          error: error.message,
        });
      }
    });
  }

  private followAll(): void {
    const { jetStream } = this.options;
    this.assets.followAll([...jetStream.accounts.values()].map(({ assets }) => assets));
    this.assets.findAccounts();
  }

  private changed(change: AssignmentChange | null): void {
    if (!this.isReady) {
      this.becomeReady();
      return;
    }
    if (change === null) this.followAll();
    else {
      const { account, stream, consumer, kind, isUpdate } = change;
      const before = this.assets.standing(account, stream, consumer);
      this.assets.follow(account, stream, kind === "assigned" && !isUpdate ? "fresh" : "known");
      this.api.changed(change, before);
    }
    this.offers.changed(change);
  }
}
