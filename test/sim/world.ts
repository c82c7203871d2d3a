/** A scenario come alive: the members on their network, what they are told of each other, and the faults done to them. */

import { randomInt, seededRandom, type Random } from "../../src/base/random.ts";
import { meshOptions } from "../../src/cluster/mesh-options.ts";
import { createMesh } from "../../src/cluster/mesh.ts";
import type { MeshOptions, PeerAddress } from "../../src/cluster/mesh-types.ts";
import { SimMember, type Wire } from "./member.ts";
import { NatsMesh } from "./nats-mesh.ts";
import { NameService } from "./name-service.ts";
import { Network } from "./network.ts";
import { ACCOUNTS, pick, SEED_COUNT, type Scenario, type ServerPlan } from "./scenario.ts";
import { Timeline } from "./timeline.ts";

const ROUTE_PORT = 6222;
export const GIVE_UP_MS = 6000;
const BALANCER = "balancer";
const DISCOVERY_LAG_MS = 1500;
const PUBLISH_EVERY_MS = 250;
/** What a DNS that lies shows besides the members: nobody, and a server of another cluster. */
export const STRANGERS: readonly PeerAddress[] = ["10.9.9.9", "10.9.0.1"].map(at);

export class World {
  readonly scenario: Scenario;
  readonly timeline = new Timeline();
  readonly network: Network<Wire>;
  /** By name: the one that runs, or ran last. */
  readonly members = new Map<string, SimMember>();
  readonly everybody: SimMember[] = [];
  /** Names of servers that left for good, with the time. */
  readonly left = new Map<string, number>();
  readonly log: string[] = [];
  /** Of another cluster. */
  outsider: SimMember | undefined;
  readonly #names: NameService;
  readonly #random: Random;
  readonly #sequences = new Map<string, number>();
  #lastId = 0;

  constructor(scenario: Scenario, random: Random) {
    this.scenario = scenario;
    this.#random = random;
    const delays = pick(random, [
      { delayMinMs: 0.1, delayMaxMs: 1 },
      { delayMinMs: 0.2, delayMaxMs: 20 },
      { delayMinMs: 5, delayMaxMs: 60 },
    ]);
    this.network = new Network(this.timeline, random, { ...delays, keepaliveMs: scenario.keepaliveMs });
    this.#names = new NameService(this.timeline, random, STRANGERS);
    this.network.balance(BALANCER, () => this.running().map((member) => member.ip));
  }

  running(): SimMember[] {
    return [...this.members.values()].filter((member) => member.alive);
  }

  startAll(): void {
    for (const plan of this.scenario.servers) {
      this.timeline.at(randomInt(this.#random, 300), () => this.start(plan));
    }
    this.timeline.at(300, () => this.#publishNow());
    if (this.scenario.topology === "dns") this.#startOutsider();
  }

  start(plan: ServerPlan): void {
    const member = this.#create(plan, "sim");
    this.members.set(plan.name, member);
    this.everybody.push(member);
    member.start();
    this.discoveryChanged();
    this.#tellOfOthers(plan, member);
    this.note(`${plan.name} starts as ${member.id}`);
  }

  #startOutsider(): void {
    const plan = { name: "outsider", ip: "10.9.0.1", nats: false, poolSize: 3, subscribes: [] };
    this.outsider = this.#create(plan, "another");
    this.outsider.start();
  }

  #create(plan: ServerPlan, cluster: string): SimMember {
    const id = `N${randomInt(this.#random, 1e9).toString(36).toUpperCase().padStart(6, "0")}${this.#lastId++}`;
    const options = this.#optionsOf(plan, id, cluster);
    const random = seededRandom(randomInt(this.#random, 2 ** 31));
    const nowMs = this.timeline.nowMs;
    const mesh = plan.nats ? new NatsMesh(options, random) : createMesh(options, random, nowMs);
    const identity = {
      name: plan.name,
      ip: plan.ip,
      port: ROUTE_PORT,
      shoal: !plan.nats,
      cluster,
      infoAtOnce: plan.nats && plan.poolSize === 0,
      poolSize: plan.poolSize,
      pinnedAccounts: options.pinnedAccounts,
      subscriptions: plan.subscribes.map((account) => ({ account, subject: "s" })),
    };
    return new SimMember(identity, id, mesh, this.network, this.timeline);
  }

  /** From now on everybody's discovery knows the truth, be it late and among lies, and no connection is cut. */
  endFaults(): void {
    this.network.healAll();
    this.#names.hasFaults = false;
    for (const plan of this.scenario.servers) {
      if (!this.left.has(plan.name) && this.members.get(plan.name)?.alive !== true) this.start(plan);
    }
    for (const member of this.running()) {
      if (this.scenario.topology === "discovered") member.setSource("dns", "discovered", this.#truth());
    }
    this.note("faults end");
  }

  note(text: string): void {
    this.log.push(`${this.timeline.nowMs.toFixed(1).padStart(9)} ${text}`);
  }

  publish(member: SimMember, account: string): number {
    const key = `${member.id} ${account}`;
    const sequence = (this.#sequences.get(key) ?? 0) + 1;
    this.#sequences.set(key, sequence);
    member.interest.publish(member.id, { account, subject: "s" }, sequence);
    return sequence;
  }

  #publishNow(): void {
    for (const member of this.running()) this.publish(member, pick(this.#random, ACCOUNTS));
    this.timeline.after(PUBLISH_EVERY_MS * Math.max(1, this.scenario.servers.length / 20), () =>
      this.#publishNow(),
    );
  }

  #optionsOf(plan: ServerPlan, id: string, clusterName: string): MeshOptions {
    return meshOptions({
      id,
      name: plan.name,
      clusterName,
      poolSize: plan.poolSize,
      pinnedAccounts: plan.poolSize > 0 ? this.scenario.pinnedAccounts : [],
      ownAddresses: [`${plan.ip}:${ROUTE_PORT}`],
      giveUpAfterMs: GIVE_UP_MS,
    });
  }

  #tellOfOthers(plan: ServerPlan, member: SimMember): void {
    const { servers, topology } = this.scenario;
    const explicit = (ips: readonly string[]): void => {
      member.setSource("routes", "explicit", ips.map(at));
    };
    switch (topology) {
      case "static":
        return explicit(servers.map((other) => other.ip));
      case "seeds":
        return explicit(servers.slice(0, SEED_COUNT).map((other) => other.ip));
      case "chain": {
        const before = servers[servers.indexOf(plan) - 1];
        return explicit(before === undefined ? [] : [before.ip]);
      }
      case "discovered":
        return member.setSource("dns", "discovered", this.#truth());
      case "balancer":
        return explicit([BALANCER]);
      case "dns":
        return this.#names.follow(member);
    }
  }

  /** Every member hears of a change at its own time, and some first hear nonsense. */
  #publishDiscovery(): void {
    for (const member of this.running()) {
      const lagMs = randomInt(this.#random, DISCOVERY_LAG_MS);
      if (this.#random.next() < 0.2) {
        const lie = [...this.#truth().slice(1 + randomInt(this.#random, 2)), at("10.9.9.9")];
        this.timeline.after(lagMs / 2, () => this.#tell(member, lie));
      }
      this.timeline.after(lagMs, () => this.#tell(member, this.#truth()));
    }
  }

  #tell(member: SimMember, peers: readonly PeerAddress[]): void {
    if (member.alive) member.setSource("dns", "discovered", peers);
  }

  #truth(): PeerAddress[] {
    return this.running().map((member) => at(member.ip));
  }

  discoveryChanged(): void {
    if (this.scenario.topology === "discovered") this.#publishDiscovery();
    this.#names.change(this.#truth());
  }
}

function at(host: string): PeerAddress {
  return { host, port: ROUTE_PORT };
}
