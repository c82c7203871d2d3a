/**
 * What this server keeps of what its cluster has agreed on: opens, changes and drops streams and consumers as they are assigned. Until
 * it knows all that was agreed on, it opens nothing: an older assignment may have been taken back.
 *
 *     meta group ─▶ change ─▶ ClusterAssets ─▶ alone: as on a server by itself      replicated: a copy, and its group
 *
 * What the disk has and nobody has assigned to this server is put aside, and never deleted.
 */
import type { Clock } from "../base/clock.ts";
import type { PeerId } from "../raft/messages.ts";
import type { Disk } from "../store/disk.ts";
import type { Assets, StreamAssets } from "./assets.ts";
import type { AdvisedAsset } from "./cluster-advisories.ts";
import { ClusterConsumers, type KeptConsumers } from "./cluster-consumers.ts";
import { ConsumersInterest } from "./consumers-interest.ts";
import { writeObject } from "./codec.ts";
import { reportLost } from "./damage.ts";
import type { ConsumerReplica } from "./group/consumer-replica.ts";
import { figuresOf } from "./group/figures.ts";
import type { Group, Groups, GroupTransport } from "./group/group.ts";
import { Reshaping } from "./group/reshaping.ts";
import type { ClusterFigures, ClusterTrouble } from "./group/shared.ts";
import { StreamReplica } from "./group/stream-replica.ts";
import { troublesOf } from "./cluster-troubles.ts";
import { LEADERLESS_MS } from "./meta/meta-group.ts";
import { readMeta, writeMeta } from "./meta.ts";
import {
  isShared,
  publicNames,
  type Assignments,
  type ConsumerAssignment,
  type PlacedStream,
  type StreamAssignment,
} from "./meta/assignments.ts";
import type { Offers } from "./offers.ts";
import { GroupOpener } from "./opened-groups.ts";
import { releaseStream } from "./releasing.ts";
import { streamShape } from "./stream/config.ts";

export interface ClusterAssetsOptions {
  readonly clock: Clock;
  readonly self: PeerId;
  readonly disk: Disk;
  readonly groups: Groups;
  readonly transport: GroupTransport;
  readonly assignments: Assignments;
  /** undefined: the account has no JetStream here. */
  readonly accountNamed: (name: string) => Assets | undefined;
  /** Something is assigned to this server of an account that it does not know. */
  readonly onUnknownAccount: (name: string) => void;
  /** The names of servers. */
  readonly nameOf: (peer: PeerId) => string;
  readonly isOnline: (peer: PeerId) => boolean;
  readonly clusterName: () => string;
  /** The account that messages between servers go through. */
  readonly traffic: string;
  /** Something leads here now, or does no longer. */
  readonly onLeadership: (asset: AdvisedAsset, group: Group | null) => void;
  /** The members of a group, which this server leads, are those that it is to have. */
  readonly onReshaped: (assignment: StreamAssignment | ConsumerAssignment) => void;
  /** This server knows all that the meta group has agreed on. */
  readonly knowsAll: () => boolean;
  /** The journal knows all groups that this server is or was a member of. */
  readonly isWhole: () => boolean;
  readonly offers: Offers;
}

/** What this server is to a stream or a consumer; "": it does not keep it. */
export type AssetStanding = "leads" | "follows" | "";

export interface KeptStream extends KeptConsumers {
  assignment: StreamAssignment;
  readonly assets: StreamAssets;
  /** null: this server keeps it alone. */
  readonly replica: StreamReplica | null;
  /** null: its members stay. */
  reshaping: Reshaping | null;
}

export class ClusterAssets {
  private readonly options: ClusterAssetsOptions;
  private readonly kept = new Map<string, Map<string, KeptStream>>();
  private readonly opener: GroupOpener;
  private readonly consumers: ClusterConsumers;

  constructor(options: ClusterAssetsOptions) {
    this.options = options;
    const opener = (this.opener = new GroupOpener(options));
    this.consumers = new ClusterConsumers({ ...options, opener });
  }

  /** By name. */
  openStreams(account: string): ReadonlyMap<string, KeptStream> {
    return this.of(account);
  }

  /** Makes everything as it is assigned. */
  followAll(accounts: Iterable<Assets>): void {
    const { assignments, disk, offers } = this.options;
    for (const assets of accounts) {
      const account = assets.host.name;
      offers.gather(assets);
      for (const name of [...this.of(account).keys()]) this.follow(account, name);
      for (const name of assignments.streamsOf(account).keys()) this.follow(account, name);
      const folder = `${assets.options.folder}/streams`;
      for (const name of disk.names(folder))
        if (!this.of(account).has(name)) assets.quarantine(`${folder}/${name}`, `stream-${name}`);
    }
  }

  /** Brings the accounts of all that is assigned to this server. */
  findAccounts(): void {
    const { assignments, accountNamed, self } = this.options;
    const wanted = new Set<string>();
    for (const { assignment } of assignments.all())
      if (assignment.group.peers.includes(self)) wanted.add(assignment.account);
    for (const name of wanted) if (accountNamed(name) === undefined) this.options.onUnknownAccount(name);
  }

  /** Makes one stream, with its consumers, as it is assigned. "fresh": it is being made, so that nobody has kept it before. */
  follow(account: string, name: string, how: "fresh" | "known" = "known"): void {
    this.opener.how = how;
    const { assignments, accountNamed, self } = this.options;
    const assets = accountNamed(account);
    const placed = assignments.stream(account, name);
    if (assets === undefined) {
      if (placed?.assignment.group.peers.includes(self) === true) this.options.onUnknownAccount(account);
      return;
    }
    const there = this.of(account).get(name);
    const isMine = placed?.assignment.group.peers.includes(self) === true;
    const isSame = isMine && there?.assignment.created === placed.assignment.created;
    const staysInGroup = there?.assignment.group.name === placed?.assignment.group.name;
    const becomesShared = isSame && there.replica === null && isShared(placed.assignment.group);
    if (becomesShared) this.share(assets, there, placed.assignment);
    else if (there !== undefined && !(isSame && staysInGroup)) this.drop(assets, there);
    if (!isMine || placed === undefined) return;
    const kept = this.of(account).get(name) ?? this.open(assets, placed.assignment);
    this.change(assets, kept, placed.assignment);
    this.consumers.follow(assets, kept, placed);
    this.reshape(kept);
  }

  /** The account has JetStream no longer: what the disk has of it stays. */
  leave(assets: Assets): void {
    const { name } = assets.host;
    for (const kept of this.of(name).values()) stopKept(kept);
    this.kept.delete(name);
    this.options.offers.leave(assets);
  }

  stop(): void {
    for (const streams of this.kept.values()) for (const kept of streams.values()) stopKept(kept);
  }

  /** Lets others lead what this server leads together with them. Returns how much that was. */
  handOn(): number {
    let count = 0;
    for (const group of this.groups()) {
      if (!group.leads || group.peers.peers.length < 2) continue;
      group.transfer("");
      count++;
    }
    return count;
  }

  /** Publishers wait for what becomes of their messages under the next leader. */
  get owesAnswers(): boolean {
    const kept = [...this.kept.values()].flatMap((streams) => [...streams.values()]);
    return kept.some(({ replica }) => replica?.intake.owes === true);
  }

  /** Of replicated streams and consumers that this server keeps. */
  *groups(): Generator<Group, void> {
    for (const streams of this.kept.values())
      for (const { replica, consumers } of streams.values()) {
        if (replica !== null) yield replica.group;
        for (const one of consumers.values()) if (one.replica !== null) yield one.replica.group;
      }
  }

  /** The copy of a stream that this server keeps; null: none, or it keeps it alone. */
  replicaOf(account: string, stream: string): StreamReplica | null {
    return this.of(account).get(stream)?.replica ?? null;
  }

  /** The same of a consumer. */
  consumerReplicaOf(account: string, stream: string, consumer: string): ConsumerReplica | null {
    return this.of(account).get(stream)?.consumers.get(consumer)?.replica ?? null;
  }

  private copyOf(account: string, stream: string, consumer: string): StreamReplica | ConsumerReplica | null {
    if (consumer === "") return this.replicaOf(account, stream);
    return this.consumerReplicaOf(account, stream, consumer);
  }

  /** This server has a copy, and nobody has led its group for a while. */
  isLeaderless(account: string, stream: string, consumer: string): boolean {
    const replica = this.copyOf(account, stream, consumer);
    if (replica === null) return false;
    const { leader, ageMs, isRecovering } = replica.group;
    return leader === "" && ageMs > LEADERLESS_MS && !isRecovering;
  }

  /** The leader of the group of something that this server has a copy of; "": it knows of none. */
  leaderOf(account: string, stream: string, consumer: string): PeerId {
    return this.copyOf(account, stream, consumer)?.group.leader ?? "";
  }

  /** It led first, and a nats-server does by now. */
  hasHandedOn(account: string, stream: string, consumer: string): boolean {
    return this.copyOf(account, stream, consumer)?.group.hasHandedOn === true;
  }

  standing(account: string, stream: string, consumer: string): AssetStanding {
    const kept = this.of(account).get(stream);
    const one = consumer === "" ? kept : kept?.consumers.get(consumer);
    if (one === undefined) return "";
    return one.replica?.leads === false ? "follows" : "leads";
  }

  /** Hands its leadership on. False: it has none to hand on. */
  stepDown(account: string, stream: string, consumer: string, to: PeerId): boolean {
    const replica = this.copyOf(account, stream, consumer);
    if (replica?.leads !== true) return false;
    replica.group.transfer(to);
    return true;
  }

  /** null: it is not assigned. */
  figuresOf(account: string, stream: string, consumer = ""): ClusterFigures | null {
    const { assignments, clusterName, traffic } = this.options;
    const placed = assignments.stream(account, stream);
    const assigned = consumer === "" ? placed?.assignment : placed?.consumers.get(consumer);
    if (assigned === undefined || placed === undefined) return null;
    const replica = this.copyOf(account, stream, consumer);
    const about = {
      name: clusterName(),
      traffic,
      consumers: publicNames(placed).length,
      alternates: consumer === "" ? assignments.alternatesOf(account, stream) : [],
    };
    if (replica === null || replica === undefined) {
      const [peer = ""] = assigned.group.peers;
      return { ...about, group: "", leader: this.options.nameOf(peer), leadsSinceMs: 0, replicas: [] };
    }
    return { ...about, group: assigned.group.name, ...figuresOf(replica.group, this.options) };
  }

  /** Replicated streams and consumers that this server keeps. */
  get groupCount(): number {
    return [...this.groups()].length;
  }

  /** What this server is assigned and does not keep well. */
  *troubles(): Generator<ClusterTrouble, void> {
    const { assignments, accountNamed, self, nameOf } = this.options;
    for (const { assignment, consumers } of assignments.all()) {
      const { account, config, group } = assignment;
      if (!group.peers.includes(self) || accountNamed(account) === undefined) continue;
      const mine = [...consumers.values()].filter((one) => one.group.peers.includes(self));
      const names = mine.map(({ name }) => name);
      yield* troublesOf(this.of(account).get(config.name), { assignment, consumers: names, nameOf });
    }
  }

  private of(account: string): Map<string, KeptStream> {
    let streams = this.kept.get(account);
    if (streams === undefined) this.kept.set(account, (streams = new Map<string, KeptStream>()));
    return streams;
  }

  private open(assets: Assets, assignment: StreamAssignment): KeptStream {
    const { config, created, group } = assignment;
    const given = this.options.offers.take(assets, config.name, created);
    this.prepare(assets, assignment);
    const role = isShared(group) ? "replica" : "alone";
    const opened = assets.open(config, created, { birth: null, given }, role);
    reportLost(assets.host, config.name, opened.stream.store.lost);
    return this.begin(assets, opened, assignment);
  }

  /** Its store is open. */
  private begin(assets: Assets, opened: StreamAssets, assignment: StreamAssignment): KeptStream {
    const { config, group, sync } = assignment;
    opened.stream.start();
    opened.origins.follow();
    const { self, transport, onLeadership, assignments } = this.options;
    const account = assets.host.name;
    const { level, budgets } = assets.options;
    const replica: StreamReplica | null = !isShared(group)
      ? null
      : new StreamReplica({
          stream: opened.stream,
          batches: { level, budgets, room: assets.usage.roomFor(() => opened.stream.config) },
          interest: new ConsumersInterest({
            isKnown: () => this.options.knowsAll(),
            placed: () => assignments.stream(account, config.name),
            kept: () => this.of(account).get(config.name)?.consumers,
            assets: opened,
          }),
          self,
          transport,
          sync,
          onLeadership: () => {
            assets.onChanged(opened);
            opened.origins.follow();
            onLeadership({ account, stream: config.name, consumer: "" }, replica?.group ?? null);
          },
        });
    replica?.join(this.opener.open(group, replica));
    assets.onChanged(opened);
    const kept = { assignment, assets: opened, replica, consumers: new Map(), reshaping: null };
    this.of(account).set(config.name, kept);
    return kept;
  }

  /** This server kept it alone. From now on the members of a group agree on what happens to it, and it goes on where it was. */
  private share(assets: Assets, there: KeptStream, assignment: StreamAssignment): void {
    const { config, created } = there.assignment;
    const consumers = this.consumers.release(assets, there);
    const store = releaseStream(assets, there.assets);
    const opened = assets.open(config, created, { birth: null, given: store }, "replica");
    const kept = this.begin(assets, opened, { ...assignment, config });
    const placed = this.options.assignments.stream(assets.host.name, config.name);
    if (placed !== undefined) this.consumers.takeUp(assets, kept, placed, consumers);
  }

  private reshape(kept: KeptStream): void {
    const { assignment, replica, reshaping } = kept;
    const { desired } = assignment.group;
    if (replica === null || (reshaping !== null && reshaping.wanted === desired?.peers)) return;
    reshaping?.stop();
    kept.reshaping = null;
    replica.reshape(desired === undefined ? "ends" : "begins");
    if (desired === undefined) return;
    const { clock, self, onReshaped, assignments } = this.options;
    const { account, config } = assignment;
    kept.reshaping = new Reshaping({
      clock,
      self,
      group: replica.group,
      wanted: desired.peers,
      isComplete: (peer) => replica.reports?.isComplete(peer) === true,
      mayRemove: (peer) => !isNeeded(assignments.stream(account, config.name), peer),
      onStep: () => replica.reports?.ask(),
      finished: () => onReshaped(assignment),
    });
  }

  /** Its folder, with its configuration. */
  private prepare(assets: Assets, { config, created }: StreamAssignment): void {
    const { disk } = this.options;
    const streams = `${assets.options.folder}/streams`;
    const path = `${streams}/${config.name}`;
    const there = readMeta(disk, path, () => null);
    const isOther = there === null ? disk.names(streams).includes(config.name) : there.created !== created;
    if (isOther) assets.quarantine(path, `stream-${config.name}`);
    if (config.storage !== "file") return;
    disk.makeFolder(path);
    writeMeta(disk, path, created, writeObject(streamShape, config));
    disk.syncFolder(streams);
  }

  private change(assets: Assets, there: KeptStream, assignment: StreamAssignment): void {
    const { config } = assignment;
    there.assignment = assignment;
    if (JSON.stringify(config) === JSON.stringify(there.assets.stream.config)) return;
    assets.updateStream(there.assets, config);
    there.replica?.reconfigure(config);
  }

  private drop(assets: Assets, there: KeptStream): void {
    const { config } = there.assignment;
    for (const name of [...there.consumers.keys()]) this.consumers.drop(assets, there, name);
    there.reshaping?.stop();
    there.replica?.stop();
    there.replica?.group.destroy();
    this.of(assets.host.name).delete(config.name);
    assets.deleteStream(there.assets);
  }
}

function stopKept({ replica, consumers, reshaping }: KeptStream): void {
  reshaping?.stop();
  for (const one of consumers.values()) {
    one.reshaping?.stop();
    const group = one.replica?.group;
    one.replica?.stop("409 Server Shutdown");
    group?.stop();
  }
  replica?.stop();
  replica?.group.stop();
}

/** A consumer of the stream still has a copy there. */
function isNeeded(placed: PlacedStream | undefined, peer: PeerId): boolean {
  return [...(placed?.consumers.values() ?? [])].some(({ group }) => group.peers.includes(peer));
}
