/** The consumers of the streams that this server keeps for its cluster, as they are assigned: see cluster-assets.ts. */
import type { Clock } from "../base/clock.ts";
import type { PeerId } from "../raft/messages.ts";
import type { Disk } from "../store/disk.ts";
import { advisePause } from "./advisories.ts";
import type { Assets, StreamAssets } from "./assets.ts";
import type { AdvisedAsset } from "./cluster-advisories.ts";
import { writeObject } from "./codec.ts";
import { consumerShape, type ConsumerConfig } from "./consumer/config.ts";
import type { Consumer } from "./consumer/consumer.ts";
import { ConsumerReplica } from "./group/consumer-replica.ts";
import type { Group } from "./group/group.ts";
import { Reshaping } from "./group/reshaping.ts";
import { isKept } from "./making.ts";
import { readMeta, writeMeta } from "./meta.ts";
import { isShared, type ConsumerAssignment, type PlacedStream } from "./meta/assignments.ts";
import type { Offers } from "./offers.ts";
import { openConsumerState } from "./open-consumer.ts";
import type { GroupOpener } from "./opened-groups.ts";

export interface KeptConsumer {
  assignment: ConsumerAssignment;
  /** null: this server keeps it alone. */
  readonly replica: ConsumerReplica | null;
  /** null: its members stay. */
  reshaping: Reshaping | null;
}

/** What this server has of a stream. */
export interface KeptConsumers {
  readonly assets: StreamAssets;
  readonly consumers: Map<string, KeptConsumer>;
}

export interface ClusterConsumersOptions {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly disk: Disk;
  readonly opener: GroupOpener;
  readonly onLeadership: (asset: AdvisedAsset, group: Group) => void;
  /** The members of its group are those that it is to have. */
  readonly onReshaped: (assignment: ConsumerAssignment) => void;
  readonly offers: Pick<Offers, "stateOf">;
}

export class ClusterConsumers {
  private readonly options: ClusterConsumersOptions;

  constructor(options: ClusterConsumersOptions) {
    this.options = options;
  }

  /** Makes them as they are assigned. */
  follow(assets: Assets, kept: KeptConsumers, { consumers }: PlacedStream): void {
    const { self } = this.options;
    for (const [name, one] of [...kept.consumers]) {
      const wanted = consumers.get(name);
      const isMine = wanted?.group.peers.includes(self) === true;
      if (isMine && wanted?.created === one.assignment.created && becomesShared(one, wanted))
        this.share(assets, kept, one, wanted);
      else if (
        !isMine ||
        wanted?.created !== one.assignment.created ||
        wanted.group.name !== one.assignment.group.name
      )
        this.drop(assets, kept, name);
    }
    for (const [name, wanted] of consumers) {
      if (!wanted.group.peers.includes(self)) continue;
      const there = kept.consumers.get(name);
      if (there === undefined)
        kept.consumers.set(name, this.open(assets, kept, wanted, this.offeredState(wanted)));
      else if (there.assignment !== wanted) this.change(assets, kept, there, wanted);
      this.reshape(kept.consumers.get(name)!);
    }
  }

  /** As JSON, of one that was offered to the cluster; null: the disk has it, or it begins. */
  private offeredState({ account, stream, name }: ConsumerAssignment): string | null {
    return this.options.offers.stateOf(account, stream, name);
  }

  drop(assets: Assets, { assets: at, consumers }: KeptConsumers, name: string): void {
    const one = consumers.get(name);
    if (one === undefined) return;
    consumers.delete(name);
    one.reshaping?.stop();
    const { replica } = one;
    if (replica !== null) {
      const { group } = replica;
      replica.stop("409 Consumer Deleted");
      group.destroy();
      this.options.disk.removeFolder(assets.consumerPath(at.stream, name));
      at.stream.removals.dropUnwanted();
      return;
    }
    const consumer = at.consumers.get(name);
    if (consumer !== undefined) assets.deleteConsumer(at, consumer);
  }

  private change(
    assets: Assets,
    { assets: at }: KeptConsumers,
    there: KeptConsumer,
    assignment: ConsumerAssignment,
  ): void {
    const { config, name } = assignment;
    const named = { ...config, name };
    const alone = at.consumers.get(name);
    const isSame = JSON.stringify(there.assignment.config) === JSON.stringify(config);
    there.assignment = assignment;
    this.beginAgain(there, alone);
    if (isSame) return;
    const working = there.replica === null ? alone : (there.replica.consumer ?? undefined);
    const { pauseUntil = "" } = working?.config ?? {};
    if (there.replica !== null) there.replica.reconfigure(named);
    else if (alone !== undefined) assets.updateConsumer(at, alone, named);
    at.stream.removals.dropUnwanted();
    if (working !== undefined && pauseUntil !== config.pauseUntil)
      advisePause(assets.host, working, config.pauseUntil);
  }

  /** A server that takes messages for another stream has asked for it again: it gets what it has not acknowledged. */
  private beginAgain({ assignment, replica }: KeptConsumer, alone: Consumer | undefined): void {
    if (!assignment.config.sourcing) return;
    const working = replica === null ? alone : (replica.consumer ?? undefined);
    if (working === undefined) return;
    const from = working.state.floor.stream + 1;
    if (replica === null) working.reset(from);
    else replica.reset(from, () => {});
  }

  /** `state`: as JSON, of one that was kept alone in memory; null: the disk has it, or it begins. */
  private open(
    assets: Assets,
    kept: KeptConsumers,
    assignment: ConsumerAssignment,
    state: string | null,
  ): KeptConsumer {
    const { group } = assignment;
    if (isShared(group))
      return { assignment, replica: this.openShared(assets, kept, assignment, state), reshaping: null };
    this.openAlone(assets, kept, assignment, state);
    return { assignment, replica: null, reshaping: null };
  }

  private openAlone(
    assets: Assets,
    { assets: at }: KeptConsumers,
    { config: asked, created, name }: ConsumerAssignment,
    state: string | null,
  ): void {
    const { disk } = this.options;
    const config = { ...asked, name };
    const path = assets.consumerPath(at.stream, name);
    const there = readMeta(disk, path, () => null);
    if (there !== null && there.created !== created) assets.quarantine(path, `consumer-${name}`);
    if (isKept(config, at.stream.config)) {
      disk.makeFolder(path);
      writeMeta(disk, path, created, writeObject(consumerShape, config));
    }
    const kept = isKept(config, at.stream.config) || state === null ? {} : { state };
    const made = { config, created, wasNamed: wasNamed(asked), meta: null, ...kept };
    const consumer = assets.openConsumer(at, made);
    consumer.start();
    assets.onChanged(at, consumer);
  }

  private openShared(
    assets: Assets,
    { assets: stream }: KeptConsumers,
    { config: asked, name, created, group }: ConsumerAssignment,
    state: string | null,
  ): ConsumerReplica {
    const account = assets.host.name;
    const config = { ...asked, name };
    const { onLeadership, opener } = this.options;
    const replica: ConsumerReplica = new ConsumerReplica({
      assets,
      stream,
      config,
      created,
      wasNamed: wasNamed(asked),
      onLeadership: () =>
        onLeadership({ account, stream: stream.stream.config.name, consumer: name }, replica.group),
    });
    const isKnown = opener.exists(group);
    const before = isKnown ? null : (state ?? this.stateOnDisk(assets, stream, config, created));
    if (before !== null) replica.beginWith(before);
    replica.join(opener.open(group, replica));
    return replica;
  }

  /** The state of a consumer that this server kept alone; null: it did not. */
  private stateOnDisk(
    assets: Assets,
    { stream }: StreamAssets,
    config: ConsumerConfig,
    created: string,
  ): string | null {
    const { disk } = this.options;
    const { host } = assets;
    const folder = assets.consumerPath(stream, config.name);
    if (readMeta(disk, folder, () => null)?.created !== created) return null;
    const { state, log } = openConsumerState({ config, given: null, stream, disk, folder, host });
    log.close();
    return state.toJson();
  }

  /** From now on the members of a group agree on what it does. It goes on where it was. */
  private share(assets: Assets, kept: KeptConsumers, one: KeptConsumer, wanted: ConsumerAssignment): void {
    const { name } = one.assignment;
    const consumer = kept.assets.consumers.get(name);
    const state = consumer === undefined ? null : this.end(assets, kept.assets, consumer);
    kept.consumers.set(name, this.open(assets, kept, wanted, state));
    kept.assets.stream.removals.dropUnwanted();
  }

  /** Returns its state, as JSON. What is on the disk of it stays. */
  private end(assets: Assets, at: StreamAssets, consumer: Consumer): string {
    const state = consumer.state.toJson();
    at.consumers.delete(consumer.name);
    at.stream.readers.delete(consumer);
    assets.onChanged(at, consumer);
    consumer.dismiss("409 Leadership Change");
    consumer.stop();
    return state;
  }

  /** The stream is about to be opened again: returns the states of those that this server keeps alone, by name. */
  release(assets: Assets, { assets: at, consumers }: KeptConsumers): ReadonlyMap<string, string> {
    const states = new Map<string, string>();
    for (const [name, consumer] of [...at.consumers]) states.set(name, this.end(assets, at, consumer));
    consumers.clear();
    return states;
  }

  /** Opens those of `states` on the stream as it is opened now. */
  takeUp(
    assets: Assets,
    kept: KeptConsumers,
    { consumers }: PlacedStream,
    states: ReadonlyMap<string, string>,
  ): void {
    for (const [name, state] of states) {
      const wanted = consumers.get(name);
      if (wanted !== undefined && wanted.group.peers.includes(this.options.self))
        kept.consumers.set(name, this.open(assets, kept, wanted, state));
    }
  }

  private reshape(kept: KeptConsumer): void {
    const { assignment, replica, reshaping } = kept;
    const { desired } = assignment.group;
    if (replica === null || (reshaping !== null && reshaping.wanted === desired?.peers)) return;
    reshaping?.stop();
    kept.reshaping = null;
    if (desired === undefined) return;
    const { clock, self, onReshaped } = this.options;
    const { group } = replica;
    kept.reshaping = new Reshaping({
      clock,
      self,
      group,
      wanted: desired.peers,
      isComplete: () => true, // its log and its snapshot say everything
      mayRemove: () => true,
      onStep: () => {},
      finished: () => onReshaped(assignment),
    });
  }
}

function becomesShared({ replica }: KeptConsumer, { group }: ConsumerAssignment): boolean {
  return replica === null && isShared(group);
}

function wasNamed({ name, durable }: ConsumerConfig): boolean {
  return name !== "" || durable !== "";
}
