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
import { writeObject } from "./codec.ts";
import { consumerShape } from "./consumer/config.ts";
import { reportLost } from "./damage.ts";
import { ConsumerReplica } from "./group/consumer-replica.ts";
import { peerStateOf, type Group, type Groups, type GroupTransport } from "./group/group.ts";
import type { ClusterFigures } from "./group/shared.ts";
import { StreamReplica } from "./group/stream-replica.ts";
import { isKept } from "./making.ts";
import { readMeta, writeMeta } from "./meta.ts";
import type {
  Assignments,
  ConsumerAssignment,
  GroupAssignment,
  PlacedStream,
  StreamAssignment,
} from "./meta/assignments.ts";
import { streamShape } from "./stream/config.ts";

const STREAM_SNAPSHOTS = { entriesMax: 65_536, bytesMax: 8 << 20 };
const CONSUMER_SNAPSHOTS = { entriesMax: 4096, bytesMax: 64 << 10 };
/** When the server that is to lead a new group first campaigns, and how often at most. */
const FIRST_CAMPAIGN_MS = 20;
const CAMPAIGN_MS = 300;
const CAMPAIGNS_MAX = 5;

export interface ClusterAssetsOptions {
  readonly clock: Clock;
  readonly self: PeerId;
  readonly disk: Disk;
  readonly groups: Groups;
  readonly transport: GroupTransport;
  readonly assignments: Assignments;
  /** undefined: the account has no JetStream here. */
  readonly accountNamed: (name: string) => Assets | undefined;
  /** The names of servers. */
  readonly nameOf: (peer: PeerId) => string;
  readonly isOnline: (peer: PeerId) => boolean;
  readonly clusterName: () => string;
  /** Something leads here now, or does no longer. */
  readonly onLeadership: (account: string, stream: string, consumer: string) => void;
}

interface KeptConsumer {
  readonly assignment: ConsumerAssignment;
  /** null: this server keeps it alone. */
  readonly replica: ConsumerReplica | null;
}

interface KeptStream {
  assignment: StreamAssignment;
  readonly assets: StreamAssets;
  /** null: this server keeps it alone. */
  readonly replica: StreamReplica | null;
  readonly consumers: Map<string, KeptConsumer>;
}

export class ClusterAssets {
  private readonly options: ClusterAssetsOptions;
  private readonly kept = new Map<string, Map<string, KeptStream>>();
  /** How groups are opened just now. */
  private how: "fresh" | "known" = "known";

  constructor(options: ClusterAssetsOptions) {
    this.options = options;
  }

  /** Makes everything as it is assigned. */
  followAll(accounts: Iterable<Assets>): void {
    const { assignments, disk } = this.options;
    for (const assets of accounts) {
      const account = assets.host.name;
      for (const name of [...this.of(account).keys()]) this.follow(account, name);
      for (const name of assignments.streamsOf(account).keys()) this.follow(account, name);
      const folder = `${assets.options.folder}/streams`;
      for (const name of disk.names(folder))
        if (!this.of(account).has(name)) assets.quarantine(`${folder}/${name}`, `stream-${name}`);
    }
  }

  /** Makes one stream, with its consumers, as it is assigned. "fresh": it is being made, so that nobody has kept it before. */
  follow(account: string, name: string, how: "fresh" | "known" = "known"): void {
    this.how = how;
    const { assignments, accountNamed, self } = this.options;
    const assets = accountNamed(account);
    if (assets === undefined) return;
    const placed = assignments.stream(account, name);
    const there = this.of(account).get(name);
    const isMine = placed?.assignment.group.peers.includes(self) === true;
    const isSame =
      placed !== undefined &&
      there !== undefined &&
      placed.assignment.created === there.assignment.created &&
      placed.assignment.group.name === there.assignment.group.name;
    if (there !== undefined && (!isMine || !isSame)) this.drop(assets, there);
    if (!isMine || placed === undefined) return;
    if (isSame) this.change(assets, there, placed.assignment);
    else this.of(account).set(name, this.open(assets, placed.assignment));
    this.followConsumers(assets, this.of(account).get(name)!, placed);
  }

  stop(): void {
    for (const streams of this.kept.values())
      for (const { replica, consumers } of streams.values()) {
        for (const { replica: one } of consumers.values()) {
          const group = one?.group;
          one?.stop("409 Server Shutdown");
          group?.stop();
        }
        replica?.stop();
        replica?.group.stop();
      }
  }

  /** The copy of a stream that this server keeps; null: none, or it keeps it alone. */
  replicaOf(account: string, stream: string): StreamReplica | null {
    return this.of(account).get(stream)?.replica ?? null;
  }

  /** "": what is asked for is not kept here. */
  standing(account: string, stream: string, consumer: string): "leads" | "follows" | "" {
    const kept = this.of(account).get(stream);
    if (kept === undefined) return "";
    if (consumer === "") return kept.replica?.leads === false ? "follows" : "leads";
    const one = kept.consumers.get(consumer);
    if (one === undefined) return "";
    return one.replica?.leads === false ? "follows" : "leads";
  }

  /** Hands its leadership on. False: it has none to hand on. */
  stepDown(account: string, stream: string, consumer: string, to: PeerId): boolean {
    const kept = this.of(account).get(stream);
    const replica = consumer === "" ? kept?.replica : kept?.consumers.get(consumer)?.replica;
    if (replica === null || replica === undefined || !replica.leads) return false;
    replica.group.transfer(to);
    return true;
  }

  /** null: it is not assigned. */
  figuresOf(account: string, stream: string, consumer = ""): ClusterFigures | null {
    const { assignments, clusterName, nameOf, isOnline, self } = this.options;
    const placed = assignments.stream(account, stream);
    const assigned = consumer === "" ? placed?.assignment : placed?.consumers.get(consumer);
    if (assigned === undefined) return null;
    const kept = this.of(account).get(stream);
    const replica = consumer === "" ? kept?.replica : kept?.consumers.get(consumer)?.replica;
    const name = clusterName();
    if (replica === null || replica === undefined) {
      const [peer] = assigned.group.peers;
      return { name, group: "", leader: nameOf(peer ?? ""), replicas: [] };
    }
    const { group } = replica;
    const replicas = group.progress().map(({ peer, isCurrent, silentMs, lag }) => ({
      name: nameOf(peer),
      peer,
      isCurrent,
      isOffline: !isOnline(peer),
      silentMs,
      lag,
    }));
    const leader = group.leader === self || group.leads ? nameOf(self) : nameOf(group.leader);
    return { name, group: assigned.group.name, leader, replicas };
  }

  private of(account: string): Map<string, KeptStream> {
    let streams = this.kept.get(account);
    if (streams === undefined) this.kept.set(account, (streams = new Map<string, KeptStream>()));
    return streams;
  }

  private open(assets: Assets, assignment: StreamAssignment): KeptStream {
    const { config, created, group, sync } = assignment;
    const isShared = group.peers.length > 1;
    this.prepare(assets, assignment);
    const opened = assets.open(config, created, undefined, isShared ? "replica" : "alone");
    reportLost(assets.host, config.name, opened.stream.store.lost);
    opened.stream.start();
    opened.origins.follow();
    const { self, transport, onLeadership } = this.options;
    const replica = !isShared
      ? null
      : new StreamReplica({
          stream: opened.stream,
          room: assets.usage.roomFor(config.storage),
          self,
          transport,
          sync,
          onLeadership: () => {
            assets.onChanged(opened);
            onLeadership(assets.host.name, config.name, "");
          },
        });
    if (replica !== null) {
      opened.stream.onSettled = (sequence) => replica.forwardDelete(sequence);
      replica.join(this.openGroup(group, replica));
    }
    assets.onChanged(opened);
    return { assignment, assets: opened, replica, consumers: new Map() };
  }

  private openGroup(group: GroupAssignment, machine: StreamReplica | ConsumerReplica) {
    const { groups, self } = this.options;
    const isNew = this.how === "fresh" && !groups.exists(group.name);
    const opened = groups.open({
      name: group.name,
      self,
      storage: group.storage,
      peers: peerStateOf(group.peers),
      isNew,
      machine,
      snapshots: machine instanceof StreamReplica ? STREAM_SNAPSHOTS : CONSUMER_SNAPSHOTS,
    });
    if (isNew && group.preferred === self) this.campaign(opened);
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
    for (const [name, one] of [...there.consumers]) this.dropConsumer(assets, there, name, one);
    there.replica?.stop();
    there.replica?.group.destroy();
    this.of(assets.host.name).delete(config.name);
    assets.deleteStream(there.assets);
  }

  private followConsumers(assets: Assets, kept: KeptStream, { consumers }: PlacedStream): void {
    const { self } = this.options;
    for (const [name, one] of [...kept.consumers]) {
      const wanted = consumers.get(name);
      const isSame =
        wanted?.created === one.assignment.created && wanted.group.name === one.assignment.group.name;
      if (!isSame) this.dropConsumer(assets, kept, name, one);
    }
    for (const [name, wanted] of consumers) {
      if (!wanted.group.peers.includes(self)) continue;
      const there = kept.consumers.get(name);
      const opened = there ?? this.openConsumer(assets, kept, wanted);
      if (there !== undefined && there.assignment !== wanted)
        this.changeConsumer(assets, kept, there, wanted);
      kept.consumers.set(name, { assignment: wanted, replica: opened.replica });
    }
  }

  private changeConsumer(
    assets: Assets,
    { assets: at }: KeptStream,
    { replica }: KeptConsumer,
    { config, name }: ConsumerAssignment,
  ): void {
    const named = { ...config, name };
    const alone = at.consumers.get(name);
    if (replica !== null) replica.reconfigure(named);
    else if (alone !== undefined && JSON.stringify(alone.config) !== JSON.stringify(named))
      assets.updateConsumer(at, alone, named);
  }

  private openConsumer(assets: Assets, kept: KeptStream, assignment: ConsumerAssignment): KeptConsumer {
    const { config, name, created, group, stream } = assignment;
    const named = { ...config, name };
    const wasNamed = config.name !== "" || config.durable !== "";
    const at = kept.assets;
    if (group.peers.length > 1) {
      const account = assets.host.name;
      const replica = new ConsumerReplica({
        assets,
        stream: at,
        config: named,
        created,
        wasNamed,
        onLeadership: () => this.options.onLeadership(account, stream, name),
      });
      replica.join(this.openGroup(group, replica));
      return { assignment, replica };
    }
    const { disk } = this.options;
    const path = assets.consumerPath(at.stream, name);
    const there = readMeta(disk, path, () => null);
    if (there !== null && there.created !== created) assets.quarantine(path, `consumer-${name}`);
    if (isKept(named, at.stream.config)) {
      disk.makeFolder(path);
      writeMeta(disk, path, created, writeObject(consumerShape, named));
    }
    const consumer = assets.openConsumer(at, { config: named, created, wasNamed, meta: null });
    consumer.start();
    assets.onChanged(at, consumer);
    return { assignment, replica: null };
  }

  private dropConsumer(
    assets: Assets,
    { assets: at, consumers }: KeptStream,
    name: string,
    { replica }: KeptConsumer,
  ): void {
    consumers.delete(name);
    if (replica !== null) {
      const { group } = replica;
      replica.stop("409 Consumer Deleted");
      group.destroy();
      return;
    }
    const consumer = at.consumers.get(name);
    if (consumer !== undefined) assets.deleteConsumer(at, consumer);
  }
}
