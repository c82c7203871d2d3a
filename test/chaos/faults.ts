/** Carries out the faults of a chaos run, and ends them: what it stopped, cut off or filled is well again when a fault is over. */
import type { NatsConnection } from "@nats-io/transport-node";
import { randomInt, type Random } from "../../src/base/random.ts";
import { ask, pause, type ClusterInfo } from "./clients.ts";
import type { Fault } from "./schedule.ts";
import type { Servers } from "./servers.ts";
import { CONSUMERS, EVENTS, KEYS, streamConfig, STREAMS, WORK } from "./workloads.ts";

/** Files of one server that are damaged at once, at most. */
const DAMAGED_FILES_MAX = 3;

export interface FaultsOptions {
  readonly servers: Servers;
  readonly random: Random;
  readonly nc: NatsConnection;
  /** A client of the system account. */
  readonly system: NatsConnection;
  readonly note: (text: string) => void;
}

export class Faults {
  private readonly options: FaultsOptions;
  /** What faults under way keep down, so that none starts what another one ended. */
  private readonly down = new Map<string, number>();

  constructor(options: FaultsOptions) {
    this.options = options;
  }

  /** Resolves when it is over. */
  async carryOut(fault: Fault): Promise<void> {
    const { kind, servers: names, lastsMs } = fault;
    this.options.note(`${kind}: ${names.join(" ")} for ${lastsMs} ms`);
    const { servers } = this.options;
    switch (kind) {
      case "kill":
      case "kill all":
        return this.keepDown(fault, () => this.each(names, (name) => servers.end(name, "SIGKILL")));
      case "leave":
        return this.keepDown(fault, () => this.each(names, (name) => servers.end(name, "SIGTERM")));
      case "lose power":
      case "all lose power":
        return this.keepDown(fault, () => servers.losePower(names));
      case "damage":
      case "wipe":
        return this.keepDown(fault, () => this.destroy(fault));
      case "pause":
        for (const name of names) servers.pause(name);
        await pause(lastsMs);
        for (const name of names) servers.goOn(name);
        return;
      case "cut off":
      case "cut one way":
        return this.cut(fault);
      case "fill disk":
        for (const name of names) servers.disks.get(name)!.fill();
        await pause(lastsMs);
        for (const name of names) servers.disks.get(name)!.free();
        return;
      case "scale":
        return this.scale();
      case "replace":
        return this.replace();
      case "step down":
        return this.stepDown();
    }
  }

  private async each(names: readonly string[], act: (name: string) => Promise<void>): Promise<void> {
    await Promise.all(names.map(act));
  }

  private async keepDown({ servers: names, lastsMs }: Fault, end: () => Promise<void>): Promise<void> {
    for (const name of names) this.down.set(name, (this.down.get(name) ?? 0) + 1);
    await end();
    await pause(lastsMs);
    for (const name of names) {
      const others = this.down.get(name)! - 1;
      this.down.set(name, others);
      if (others === 0) this.options.servers.start(name);
    }
  }

  private async destroy({ kind, servers: names }: Fault): Promise<void> {
    const { servers, random, note } = this.options;
    for (const name of names) {
      await servers.end(name, "SIGKILL");
      const disk = servers.disks.get(name)!;
      if (kind === "wipe") disk.wipe();
      else
        for (const done of disk.damage(random, 1 + randomInt(random, DAMAGED_FILES_MAX)))
          note(`${name}: ${done}`);
    }
  }

  /** These servers from the others, in both directions or in one. */
  private async cut({ kind, servers: names, lastsMs }: Fault): Promise<void> {
    const { servers, random } = this.options;
    const others = servers.names.filter((name) => !names.includes(name));
    const isOutward = randomInt(random, 2) === 0;
    for (const name of names)
      for (const other of others) {
        if (kind === "cut off" || isOutward) servers.cut(name, other);
        if (kind === "cut off" || !isOutward) servers.cut(other, name);
      }
    await pause(lastsMs);
    servers.joinAll();
  }

  private async scale(): Promise<void> {
    const { nc, random } = this.options;
    const stream = [EVENTS, KEYS, WORK][randomInt(random, 3)]!;
    const info = await this.clusterOf(stream);
    if (info === undefined) return;
    const replicas = (info.replicas?.length ?? 0) >= 4 ? 3 : 5;
    const answer = await ask(nc, `STREAM.UPDATE.${stream}`, {
      ...streamConfig(stream),
      num_replicas: replicas,
    });
    this.options.note(`${stream}: ${replicas} replicas, ${answer?.error?.description ?? "asked"}`);
  }

  private async replace(): Promise<void> {
    const { nc, random } = this.options;
    const stream = [EVENTS, KEYS, WORK][randomInt(random, 3)]!;
    const info = await this.clusterOf(stream);
    const replicas = info?.replicas ?? [];
    // with a copy on each server there is nowhere to go
    if (replicas.length !== 2) return;
    const peer = replicas[randomInt(random, replicas.length)]!.name;
    const answer = await ask(nc, `STREAM.PEER.REMOVE.${stream}`, { peer });
    this.options.note(`${stream}: without ${peer}, ${answer?.error?.description ?? "asked"}`);
  }

  private async stepDown(): Promise<void> {
    const { nc, system, random } = this.options;
    const dice = randomInt(random, 3);
    if (dice === 0) {
      this.options.note("the leader of the cluster steps down");
      await ask(system, "META.LEADER.STEPDOWN");
    } else if (dice === 1)
      await ask(nc, `STREAM.LEADER.STEPDOWN.${STREAMS[randomInt(random, STREAMS.length)]!}`);
    else {
      const { stream, consumer } = CONSUMERS[randomInt(random, CONSUMERS.length)]!;
      await ask(nc, `CONSUMER.LEADER.STEPDOWN.${stream}.${consumer}`);
    }
  }

  private async clusterOf(stream: string): Promise<ClusterInfo | undefined> {
    return (await ask(this.options.nc, `STREAM.INFO.${stream}`))?.cluster;
  }
}
