/**
 * Clusters that are joined by leaf connections, as hubs and spokes and in chains, of production code on a virtual clock and a network with faults:
 * connections break, hosts are cut off from each other, stall, crash and come back, while clients publish and change what they subscribe
 * to. Nobody gets a message twice, whatever happens. Once the faults are over all connections stand again, and each message gets to
 * everybody and to one member of each queue group.
 */
import { assert } from "../../src/base/assert.ts";
import { randomInt, seededRandom, type Random } from "../../src/base/random.ts";
import { slabSnapshot } from "../../src/slab/chunks.ts";
import { GLOBAL_ACCOUNT } from "../../src/subject/account-names.ts";
import { STEADY_SUBJECT } from "./clients.ts";
import { LeafMember, type LeafPlan } from "./leaf-member.ts";
import { Network } from "./network.ts";
import { pick } from "./scenario.ts";
import { Timeline } from "./timeline.ts";

const KEEPALIVE_MS = 3000;
const PUBLISH_EVERY_MS = 40;
const FAULT_EVERY_MS = 600;
/** For dead connections to be noticed, remotes to be dialled again, and routes to come. */
const SETTLE_MAX_MS = 90_000;
const QUIET_MS = 3000;
const STEADY = { subject: STEADY_SUBJECT, queue: null };
const CHANGING = [
  { subject: "d.one", queue: null },
  { subject: "d.*", queue: null },
  { subject: "q", queue: "g" },
] as const;

export class LeafChaos {
  readonly timeline = new Timeline();
  readonly plans: readonly LeafPlan[];
  readonly members = new Map<string, LeafMember>();
  private readonly everybody: LeafMember[] = [];
  private readonly random: Random;
  private readonly network: Network;
  private hasFaults = true;
  private sequence = 0;
  private lastId = 0;

  constructor(seed: number, plans?: readonly LeafPlan[]) {
    this.random = seededRandom(seed);
    this.plans = plans ?? drawPlans(this.random);
    const delays = pick(this.random, [
      { delayMinMs: 0.1, delayMaxMs: 1 },
      { delayMinMs: 2, delayMaxMs: 40 },
    ]);
    this.network = new Network(this.timeline, this.random, {
      ...delays,
      keepaliveMs: KEEPALIVE_MS,
      roomBytes: 64 * 1024,
    });
  }

  run(faultSeconds: number): void {
    for (const plan of this.plans) this.timeline.at(randomInt(this.random, 300), () => this.start(plan));
    this.publishSteadily();
    this.churn();
    this.disturb();
    this.timeline.runUntil(faultSeconds * 1000);
    this.endFaults();
    this.settle();
    this.checkQuiet();
    this.checkAlone();
    this.checkTwice();
  }

  dispose(): void {
    for (const member of this.everybody) member.dispose();
    const { chunksInUse } = slabSnapshot();
    assert(chunksInUse === 0, "all memory is given back");
  }

  start(plan: LeafPlan): void {
    const id = `N${plan.name.toUpperCase()}${++this.lastId}`;
    const member = new LeafMember(plan, id, randomInt(this.random, 2 ** 31), this.network, this.timeline);
    this.members.set(plan.name, member);
    this.everybody.push(member);
    member.start();
    member.run(() => member.server.clients.subscribe(GLOBAL_ACCOUNT, STEADY));
  }

  running(): LeafMember[] {
    return [...this.members.values()].filter((member) => member.isAlive);
  }

  publish(member: LeafMember, subject: string, text: string): void {
    member.run(() => member.server.clients.publish(GLOBAL_ACCOUNT, subject, text));
  }

  /** How often each running server's client got one message of the steady subject. */
  copiesOf(publisher: LeafMember, sequence: number): readonly number[] {
    const key = `${publisher.server.id} ${GLOBAL_ACCOUNT}`;
    return this.running().map(
      ({ server }) => (server.clients.received.get(key) ?? []).filter((one) => one === sequence).length,
    );
  }

  nextSequence(): number {
    return ++this.sequence;
  }

  private publishSteadily(): void {
    for (const member of this.running()) {
      this.publish(member, STEADY_SUBJECT, `${member.server.id} ${this.nextSequence()}`);
      if (this.random.next() < 0.3) this.publish(member, pick(this.random, ["d.one", "d.two", "q"]), "x");
    }
    this.timeline.after(PUBLISH_EVERY_MS, () => this.publishSteadily());
  }

  private churn(): void {
    if (!this.hasFaults) return;
    const running = this.running();
    if (running.length > 0) {
      const member = pick(this.random, running);
      const topic = pick(this.random, CHANGING);
      const { clients } = member.server;
      member.run(() => {
        if (clients.isSubscribed(GLOBAL_ACCOUNT, topic)) clients.unsubscribe(GLOBAL_ACCOUNT, topic);
        else clients.subscribe(GLOBAL_ACCOUNT, topic);
      });
    }
    this.timeline.after(70, () => this.churn());
  }

  // ---- faults ----

  private disturb(): void {
    if (!this.hasFaults) return;
    const { random, network, timeline } = this;
    const running = this.running();
    if (running.length > 1) {
      const [one, other] = [pick(random, running), pick(random, running)];
      const lengthMs = randomInt(random, 5000);
      const dice = random.next();
      if (dice < 0.4) network.dropOne(random.next() < 0.8 ? one.ip : one.server.ip);
      else if (dice < 0.6 && one !== other) this.cutOff(one, other, lengthMs);
      else if (dice < 0.8) network.stall(one.ip, other.ip, timeline.nowMs + lengthMs);
      else if (dice < 0.9) this.end(one, lengthMs);
    }
    timeline.after(random.next() * 2 * FAULT_EVERY_MS, () => this.disturb());
  }

  private cutOff(one: LeafMember, other: LeafMember, lengthMs: number): void {
    for (const [a, b] of [
      [one.ip, other.ip],
      [one.server.ip, other.server.ip],
    ] as const) {
      this.network.cut(a, b);
      this.timeline.after(lengthMs, () => this.network.heal(a, b));
    }
  }

  private end(member: LeafMember, forMs: number): void {
    if (this.random.next() < 0.5) member.crash();
    else member.leave();
    this.timeline.after(forMs, () => {
      if (this.members.get(member.plan.name) === member) this.start(member.plan);
    });
  }

  private endFaults(): void {
    this.hasFaults = false;
    this.network.healAll();
    for (const plan of this.plans) if (this.members.get(plan.name)?.isAlive !== true) this.start(plan);
  }

  // ---- what holds ----

  private settle(): void {
    const untilMs = this.timeline.nowMs + SETTLE_MAX_MS;
    // What died just before the faults ended may still seem to be there.
    this.timeline.runUntil(this.timeline.nowMs + 2 * KEEPALIVE_MS);
    while (!this.isWhole() && this.timeline.nowMs < untilMs)
      this.timeline.runUntil(this.timeline.nowMs + 200);
    const missing = this.running().filter(({ port }) => [...port.unconnectedRemotes()].length > 0);
    assert(this.isWhole(), `not connected again: ${missing.map(({ plan }) => plan.name).join(" ")}`);
    this.timeline.runUntil(this.timeline.nowMs + QUIET_MS);
  }

  private isWhole(): boolean {
    const sizes = new Map<string, number>();
    for (const { cluster } of this.plans) sizes.set(cluster, (sizes.get(cluster) ?? 0) + 1);
    return this.running().every(
      ({ server, port, plan }) =>
        [...port.unconnectedRemotes()].length === 0 &&
        server.mesh.isComplete() &&
        server.mesh.size().connected === sizes.get(plan.cluster),
    );
  }

  /** Each message gets everywhere, once; of a queue group one member gets it. */
  private checkQuiet(): void {
    const group = { subject: "work", queue: "g" };
    for (const { run, server } of this.each()) run(() => server.clients.subscribe(GLOBAL_ACCOUNT, group));
    this.timeline.runUntil(this.timeline.nowMs + QUIET_MS);
    const sent = this.running().flatMap((member) =>
      [1, 2, 3].map(() => {
        const sequence = this.nextSequence();
        this.publish(member, STEADY_SUBJECT, `${member.server.id} ${sequence}`);
        this.publish(member, "work", `${sequence}`);
        return { member, sequence };
      }),
    );
    this.timeline.runUntil(this.timeline.nowMs + QUIET_MS);
    for (const { member, sequence } of sent) {
      const copies = this.copiesOf(member, sequence);
      assert(
        copies.every((count) => count === 1),
        `of what ${member.plan.name} publishes each gets one copy: ${copies.join(" ")}`,
      );
      const taken = this.running().map(
        ({ server }) => server.clients.heard.get(`${GLOBAL_ACCOUNT} work ${sequence}`) ?? 0,
      );
      const sum = taken.reduce((total, count) => total + count, 0);
      assert(
        sum === 1,
        `a message of ${member.plan.name} for a queue group goes to one member: ${taken.join(" ")}`,
      );
    }
  }

  /** What one server alone wants gets there from everywhere, and nobody goes on believing that it is wanted. */
  private checkAlone(): void {
    const running = this.running();
    const own = ({ plan }: LeafMember): { subject: string; queue: null } => ({
      subject: `only.${plan.name}`,
      queue: null,
    });
    for (const one of running) one.run(() => one.server.clients.subscribe(GLOBAL_ACCOUNT, own(one)));
    this.timeline.runUntil(this.timeline.nowMs + QUIET_MS);
    for (const from of running) for (const to of running) this.publish(from, own(to).subject, from.plan.name);
    this.timeline.runUntil(this.timeline.nowMs + QUIET_MS);
    for (const to of running)
      for (const from of running) {
        const copies = to.server.clients.heard.get(`${GLOBAL_ACCOUNT} ${own(to).subject} ${from.plan.name}`);
        assert(copies === 1, `${to.plan.name} gets one copy of what ${from.plan.name} publishes: ${copies}`);
      }
    for (const { run, server } of this.each())
      run(() => {
        for (const topic of [...CHANGING, STEADY, ...running.map(own)])
          server.clients.unsubscribe(GLOBAL_ACCOUNT, topic);
      });
    this.timeline.runUntil(this.timeline.nowMs + QUIET_MS);
    for (const { plan, server } of running)
      for (const { subject } of [...CHANGING, STEADY, ...running.map(own)]) {
        const isWanted = server.accounts.global.interest.covers(subject.replace("*", "two"));
        assert(!isWanted, `${plan.name} believes that ${subject} is wanted`);
      }
  }

  private checkTwice(): void {
    for (const { plan, server } of this.everybody)
      for (const [from, sequences] of server.clients.received)
        assert(
          new Set(sequences).size === sequences.length,
          `${plan.name} got a message twice from ${from}: ${twice(sequences).join(" ")}`,
        );
  }

  private each(): readonly {
    readonly run: (work: () => void) => void;
    readonly server: LeafMember["server"];
  }[] {
    return this.running().map((member) => ({
      run: (work: () => void) => member.run(work),
      server: member.server,
    }));
  }
}

function twice(sequences: readonly number[]): number[] {
  return sequences.filter((one, at) => sequences.indexOf(one) !== at);
}

/** A hub cluster, and clusters below it or below each other. */
function drawPlans(random: Random): LeafPlan[] {
  const plans: LeafPlan[] = [];
  const clusters: LeafPlan[][] = [];
  const count = 2 + randomInt(random, 3);
  for (let c = 0; c < count; c++) {
    const size = 1 + randomInt(random, c === 0 ? 3 : 2);
    const ips = Array.from({ length: size }, (_, i) => `10.${c}.0.${i + 1}`);
    const above = c === 0 ? null : pick(random, clusters);
    const members = ips.map((ip, i): LeafPlan => ({
      name: `c${c}s${i}`,
      cluster: `C${c}`,
      ip,
      leafIp: `10.${c}.1.${i + 1}`,
      routes: ips,
      hubs: above === null ? [] : [above.map(({ leafIp }) => leafIp)],
    }));
    clusters.push(members);
    plans.push(...members);
  }
  return plans;
}
