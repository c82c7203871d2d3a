/**
 * One chaos run: servers, clients and faults for so many minutes, then peace, and what is found wrong. The order is: faults end, everything has
 * a leader and complete copies, publishers stop, consumers take what is left, and each copy is read while its server leads.
 */
import type { NatsConnection } from "@nats-io/transport-node";
import { seededRandom, type Random } from "../../src/base/random.ts";
import { checkConsumer, checkCopies, checkEmpty, checkPublishes, checkPuts, checkWork } from "./checker.ts";
import { ask, client, pause } from "./clients.ts";
import { Faults } from "./faults.ts";
import { History, type Copy } from "./history.ts";
import { LOOK_EVERY_MS, Observer } from "./observer.ts";
import { destroys, drawRound, type FaultKind, type Round } from "./schedule.ts";
import { Servers } from "./servers.ts";
import { CONSUMERS, EVENTS, KEYS, makeAssets, PULL, PUSH, STREAMS, WORK, Workloads } from "./workloads.ts";

const START_WITHIN_MS = 60_000;
/** Looks at intervals of half a second. */
const SETTLE_LOOKS = 240;
const HEAL_LOOKS = 120;
const DRAIN_LOOKS = 240;
/** Of so many ends that nobody asked for one run is not the place to explain. */
const ENDS_BY_ITSELF_MAX = 20;

export interface ChaosOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly program: string;
  readonly setting: string;
  readonly folder: string;
  readonly serverCount: number;
  readonly without: ReadonlySet<FaultKind>;
  readonly note: (text: string) => void;
}

export interface ChaosResult {
  readonly violations: readonly string[];
  readonly summary: string;
  readonly history: History;
}

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, note } = options;
  await using servers = new Servers({ ...options, count: options.serverCount });
  const run = new ChaosRun(options, servers, seededRandom(seed));
  await run.connect();
  try {
    const violations = await run.all();
    return { violations, summary: run.summary, history: run.history };
  } finally {
    note("the run ends");
    await run.close();
  }
}

class ChaosRun {
  readonly history = new History();
  private readonly options: ChaosOptions;
  private readonly servers: Servers;
  private readonly random: Random;
  private readonly workloads: Workloads;
  private readonly counts = new Map<FaultKind, number>();
  private observer!: Observer;
  private nc!: NatsConnection;
  private system!: NatsConnection;

  constructor(options: ChaosOptions, servers: Servers, random: Random) {
    this.options = options;
    this.servers = servers;
    this.random = random;
    const { history } = this;
    // chances of the clients are not those of the schedule, which would depend on what they meet
    this.workloads = new Workloads({
      servers: servers.urls,
      history,
      random: seededRandom(options.seed + 1_000_000),
    });
  }

  async connect(): Promise<void> {
    this.nc = await client(this.servers.urls);
    this.system = await client(this.servers.urls, "sys");
    const { servers, nc } = this;
    const { note } = this.options;
    this.observer = new Observer({
      servers,
      nc,
      streams: STREAMS,
      consumers: CONSUMERS,
      note,
    });
  }

  async close(): Promise<void> {
    await this.workloads.stop();
    await Promise.all([this.nc.close(), this.system.close()]);
  }

  get summary(): string {
    const { publishes, puts, deliveries } = this.history;
    const sure = (all: readonly { acknowledged?: object }[]): number =>
      all.filter(({ acknowledged }) => acknowledged !== undefined).length;
    const faults = [...this.counts].map(([kind, count]) => `${count} × ${kind}`).join(", ");
    return [
      `${sure(publishes)} of ${publishes.length} messages and ${sure(puts)} of ${puts.length} changes of keys acknowledged`,
      `${deliveries.length} deliveries, ${deliveries.filter(({ confirmedMs }) => confirmedMs !== undefined).length} confirmed`,
      `faults: ${faults === "" ? "none" : faults}`,
      `${this.servers.endsByItself} servers ended by themselves`,
    ].join("; ");
  }

  async all(): Promise<string[]> {
    if (!(await makeAssets(this.nc, START_WITHIN_MS))) return ["streams and consumers could not be made"];
    await this.workloads.start();
    await this.faults();
    this.options.note("peace");
    const unsettled = await this.observer.settled(SETTLE_LOOKS);
    if (unsettled !== "") return [`${SETTLE_LOOKS} looks after the last fault: ${unsettled}`];
    const counts = STREAMS.map((stream) => this.history.acknowledged(stream));
    await this.workloads.stopPublishing();
    this.options.note(`publishers have stopped; acknowledged before: ${counts.join(" ")}`);
    const undrained = await this.drained();
    if (undrained !== "")
      return [`${DRAIN_LOOKS} looks after the last message: ${undrained}`, ...this.judge([])];
    const copies = await this.observer.copies();
    return [...copies.failures, ...this.health(), ...this.judge(copies.found)];
  }

  private async faults(): Promise<void> {
    const { minutes, without, note } = this.options;
    const { servers, random, nc, system } = this;
    const skipped = new Set([
      ...without,
      ...(servers.losesUnsynced ? [] : (["lose power", "all lose power"] as const)),
    ]);
    const faults = new Faults({
      servers,
      random: seededRandom(this.options.seed + 2_000_000),
      nc,
      system,
      note,
    });
    const endMs = performance.now() + minutes * 60_000;
    while (performance.now() < endMs && servers.endsByItself < ENDS_BY_ITSELF_MAX) {
      const round = drawRound(random, servers.names, skipped);
      if (round.faults.some(destroys) && (await this.observer.settled(HEAL_LOOKS)) !== "") continue;
      await this.carryOut(round, faults);
      if (round.faults.some(destroys)) await this.observer.settled(HEAL_LOOKS);
      await pause(round.calmMs);
    }
  }

  private async carryOut({ faults, apartMs }: Round, how: Faults): Promise<void> {
    const underWay: Promise<void>[] = [];
    for (const fault of faults) {
      this.counts.set(fault.kind, (this.counts.get(fault.kind) ?? 0) + 1);
      underWay.push(how.carryOut(fault));
      await pause(apartMs);
    }
    await Promise.all(underWay);
  }

  /** Waits until consumers have delivered all and know that it was acknowledged. */
  private async drained(): Promise<string> {
    let found = "not asked yet";
    for (let look = 0; look < DRAIN_LOOKS; look++, await pause(LOOK_EVERY_MS)) {
      found = "";
      for (const { stream, consumer } of CONSUMERS) {
        const answer = await ask(this.nc, `CONSUMER.INFO.${stream}.${consumer}`);
        const { num_pending: pending, num_ack_pending: unacknowledged } = answer ?? {};
        if (pending !== 0 || unacknowledged !== 0)
          found = `${consumer} of ${stream} has ${pending} messages to deliver, and ${unacknowledged} delivered ones unacknowledged`;
      }
      if (found === "") return "";
    }
    await this.describeConsumers();
    return found;
  }

  /** What consumers say of themselves, and to one more request, for whoever looks for the reason. */
  private async describeConsumers(): Promise<void> {
    const { nc } = this;
    const { note } = this.options;
    for (const { stream, consumer } of CONSUMERS) {
      note(JSON.stringify(await ask(nc, `CONSUMER.INFO.${stream}.${consumer}`)));
      if (consumer === PUSH) continue;
      const asked = await nc
        .request(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, '{"batch":1,"expires":5000000000}', {
          timeout: 10_000,
        })
        .catch(String);
      note(
        typeof asked === "string"
          ? asked
          : `${asked.subject}: ${asked.headers?.description ?? ""} ${asked.string()}`,
      );
    }
  }

  private health(): string[] {
    const { servers } = this;
    const large = servers.largeLogs().map((name) => `${name} has written a log beyond all measure`);
    if (servers.endsByItself < ENDS_BY_ITSELF_MAX) return large;
    return [...large, `servers ended by themselves ${servers.endsByItself} times`];
  }

  private judge(copies: readonly Copy[]): string[] {
    const { publishes, puts, deliveries } = this.history;
    const of = (stream: string): Copy[] => copies.filter((copy) => copy.stream === stream);
    return [
      ...of(EVENTS).flatMap((copy) => checkPublishes(EVENTS, publishes, copy)),
      ...of(KEYS).flatMap((copy) => checkPuts(puts, copy)),
      ...checkWork(WORK, publishes, deliveries),
      ...of(WORK).flatMap(checkEmpty),
      ...of(EVENTS)
        .slice(0, 1)
        .flatMap((copy) => [PULL, PUSH].flatMap((consumer) => checkConsumer(consumer, deliveries, copy))),
      ...STREAMS.flatMap((stream) => checkCopies(of(stream))),
    ];
  }
}
