/** A scenario come alive: the members on their network, what they are told of each other, and the faults done to them. */
import { randomInt, type Random } from "../../src/base/random.ts";
import type { PeerAddress } from "../../src/cluster/mesh-types.ts";
import { STEADY_SUBJECT, type Topic } from "./clients.ts";
import { SimMember } from "./member.ts";
import { NameService } from "./name-service.ts";
import { Network } from "./network.ts";
import { ACCOUNTS, pick, SEED_COUNT, type Scenario, type ServerPlan } from "./scenario.ts";
import { SteadyPairs } from "./steady-pairs.ts";
import { Timeline } from "./timeline.ts";

const ROUTE_PORT = 6222;
export const GIVE_UP_MS = 6000;
/** An address behind which any of the members answers. */
const BALANCER = "10.7.7.7";
/** A name that leads to the members. */
const MEMBERS_NAME = "members";
const DISCOVERY_LAG_MS = 1500;
const PUBLISH_EVERY_MS = 250;
/** Subjects that clients subscribe to and leave again. */
export const CHANGING: readonly Topic[] = [
  { subject: "d.one", queue: null },
  { subject: "d.two", queue: null },
  { subject: "d.*", queue: null },
  { subject: "q", queue: "g" },
];
const CHURN_EVERY_MS = 150;
/** What a DNS that lies shows besides the members: nobody, and a server of another cluster. */
export const STRANGERS: readonly PeerAddress[] = ["10.9.9.9", "10.9.0.1"].map(at);

export class World {
  readonly scenario: Scenario;
  readonly timeline = new Timeline();
  readonly network: Network;
  /** By name: the one that runs, or ran last. */
  readonly members = new Map<string, SimMember>();
  readonly everybody: SimMember[] = [];
  /** Names of servers that left for good, with the time. */
  readonly left = new Map<string, number>();
  /** Servers with the name of another one, all that there were. */
  readonly impostors: SimMember[] = [];
  readonly pairs: SteadyPairs;
  readonly log: string[] = [];
  /** Of another cluster. */
  outsider: SimMember | undefined;
  private readonly names: NameService;
  private readonly random: Random;
  private readonly sequences = new Map<string, number>();
  private lastId = 0;
  private hasFaults = true;

  constructor(scenario: Scenario, random: Random) {
    this.scenario = scenario;
    this.random = random;
    const delays = pick(random, [
      { delayMinMs: 0.1, delayMaxMs: 1 },
      { delayMinMs: 0.2, delayMaxMs: 20 },
      { delayMinMs: 5, delayMaxMs: 60 },
    ]);
    const { keepaliveMs, roomBytes } = scenario;
    this.network = new Network(this.timeline, random, { ...delays, keepaliveMs, roomBytes });
    this.names = new NameService(this.timeline, random, STRANGERS);
    this.pairs = new SteadyPairs(this);
    this.network.onFault = (a, b) => this.pairs.disturbed(a, b);
    this.network.balance(BALANCER, () => this.running().map((member) => member.ip));
  }

  running(): SimMember[] {
    return [...this.members.values()].filter((member) => member.alive);
  }

  /** Whether it has the subscription that stays. */
  subscribes(member: SimMember, account: string): boolean {
    const plan = this.scenario.servers.find(({ name }) => name === member.identity.name);
    return plan?.subscribes.includes(account) ?? false;
  }

  startAll(): void {
    for (const plan of this.scenario.servers) {
      this.timeline.at(1 + randomInt(this.random, 300), () => this.start(plan));
    }
    this.timeline.at(300, () => this.publishNow());
    this.timeline.at(300, () => this.churn());
    if (this.scenario.topology === "dns") this.startOutsider();
  }

  start(plan: ServerPlan): void {
    const member = this.create(plan, "sim");
    this.members.set(plan.name, member);
    this.everybody.push(member);
    this.begin(member, plan);
    this.discoveryChanged();
    this.tellOfOthers(member);
    this.note(`${plan.name} starts as ${member.id}`);
  }

  /** A server that has the name of one that runs. */
  startImpostor(of: SimMember): SimMember {
    const { name, poolSize } = of.identity;
    const ip = `10.3.0.${1 + (this.impostors.length % 250)}`;
    const impostor = this.create({ name, ip, nats: false, poolSize, subscribes: [] }, "sim", this.truth());
    this.impostors.push(impostor);
    impostor.start();
    return impostor;
  }

  private begin(member: SimMember, plan: ServerPlan): void {
    member.start();
    member.run(() => {
      for (const account of plan.subscribes) member.clients.subscribe(account, STEADY);
    });
  }

  private startOutsider(): void {
    const plan = { name: "outsider", ip: "10.9.0.1", nats: false, poolSize: 3, subscribes: [] };
    this.outsider = this.create(plan, "another");
    this.outsider.start();
  }

  private create(plan: ServerPlan, cluster: string, routes = this.routesOf(plan)): SimMember {
    const id = `N${randomInt(this.random, 1e9).toString(36).toUpperCase().padStart(6, "0")}${this.lastId++}`;
    const { pinnedAccounts, pingIntervalMs } = this.scenario;
    const identity = {
      name: plan.name,
      ip: plan.ip,
      port: ROUTE_PORT,
      shoal: !plan.nats,
      cluster,
      poolSize: plan.poolSize,
      pinnedAccounts,
      accounts: ACCOUNTS,
      routes,
      giveUpAfterMs: GIVE_UP_MS,
      pingIntervalMs,
    };
    const seed = randomInt(this.random, 2 ** 31);
    return new SimMember(identity, id, seed, this.network, this.timeline);
  }

  /** From now on everybody's discovery knows the truth, be it late and among lies, and no connection is cut. */
  endFaults(): void {
    this.network.healAll();
    this.hasFaults = false;
    for (const impostor of this.impostors) if (impostor.alive) impostor.shutDown();
    this.names.hasFaults = false;
    for (const plan of this.scenario.servers) {
      if (!this.left.has(plan.name) && this.members.get(plan.name)?.alive !== true) this.start(plan);
    }
    for (const member of this.running()) {
      if (this.scenario.topology === "discovered") member.setSource("dns", "discovered", this.truth());
    }
    this.note("faults end");
  }

  note(text: string): void {
    this.log.push(`${this.timeline.nowMs.toFixed(1).padStart(9)} ${text}`);
  }

  publish(member: SimMember, account: string): number {
    const key = `${member.id} ${account}`;
    const sequence = (this.sequences.get(key) ?? 0) + 1;
    this.sequences.set(key, sequence);
    this.pairs.published(member, account, sequence);
    this.publishOn(member, account, STEADY_SUBJECT, `${member.id} ${sequence}`);
    return sequence;
  }

  publishOn(member: SimMember, account: string, subject: string, text: string): void {
    member.run(() => member.clients.publish(account, subject, text));
  }

  /** Gives back what is held of memory that all seeds share. */
  dispose(): void {
    for (const member of [...this.everybody, ...this.impostors]) member.dispose();
    this.outsider?.dispose();
  }

  /** Clients come and go while there are faults. */
  private churn(): void {
    if (!this.hasFaults || this.scenario.faultSeconds === 0) return;
    const running = this.running();
    if (running.length > 0) {
      const member = pick(this.random, running);
      const { clients } = member;
      const [account, topic] = [pick(this.random, ACCOUNTS), pick(this.random, CHANGING)];
      member.run(() => {
        if (clients.isSubscribed(account, topic)) clients.unsubscribe(account, topic);
        else clients.subscribe(account, topic);
      });
    }
    this.timeline.after(CHURN_EVERY_MS, () => this.churn());
  }

  private publishNow(): void {
    this.pairs.look();
    for (const member of this.running()) this.publish(member, pick(this.random, ACCOUNTS));
    this.timeline.after(PUBLISH_EVERY_MS * Math.max(1, this.scenario.servers.length / 20), () =>
      this.publishNow(),
    );
  }

  private routesOf(plan: ServerPlan): PeerAddress[] {
    const { servers, topology } = this.scenario;
    switch (topology) {
      case "static":
        return servers.map(({ ip }) => at(ip));
      case "seeds":
        return servers.slice(0, SEED_COUNT).map(({ ip }) => at(ip));
      case "chain": {
        const before = servers[servers.indexOf(plan) - 1];
        return before === undefined ? [] : [at(before.ip)];
      }
      case "balancer":
        return [at(BALANCER)];
      case "dns":
        return [at(MEMBERS_NAME)];
      case "discovered":
        return [];
    }
  }

  private tellOfOthers(member: SimMember): void {
    const { topology } = this.scenario;
    if (topology === "discovered") member.setSource("dns", "discovered", this.truth());
    if (topology === "dns") this.names.follow(member);
  }

  /** Every member hears of a change at its own time, and some first hear nonsense. */
  private publishDiscovery(): void {
    for (const member of this.running()) {
      const lagMs = randomInt(this.random, DISCOVERY_LAG_MS);
      if (this.random.next() < 0.2) {
        const lie = [...this.truth().slice(1 + randomInt(this.random, 2)), at("10.9.9.9")];
        this.timeline.after(lagMs / 2, () => this.tell(member, lie));
      }
      this.timeline.after(lagMs, () => this.tell(member, this.truth()));
    }
  }

  private tell(member: SimMember, peers: readonly PeerAddress[]): void {
    if (member.alive) member.setSource("dns", "discovered", peers);
  }

  private truth(): PeerAddress[] {
    return this.running().map((member) => at(member.ip));
  }

  discoveryChanged(): void {
    if (this.scenario.topology === "discovered") this.publishDiscovery();
    this.names.change(this.truth());
  }
}

const STEADY: Topic = { subject: STEADY_SUBJECT, queue: null };

function at(host: string): PeerAddress {
  return { host, port: ROUTE_PORT };
}
