/**
 * The load of a rolling restart, by the official client with its own settings: publishers at a steady rate, subscribers of all
 * that is published, requesters and workers in a queue group. Knows of each message who should have got it, and who did.
 */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { setTimeout as delay } from "node:timers/promises";

const perServer = { publishers: 1, subscribers: 4, workers: 2, requesters: 2 };
/** Of each publisher; the timer sends what is due, so that a late one does not lower the rate. */
const TICK_MS = 5;
const REQUEST_EVERY_MS = 20;
const REQUEST_TIMEOUT_MS = 1000;
const SETTLE_MS = 300;

export interface LoadFigures {
  readonly published: number;
  /** Messages times subscribers. */
  readonly deliveries: number;
  /** Of those where publisher and subscriber were connected to members that stayed. */
  readonly lostByStaying: number;
  /** Messages of publishers that moved, lost to all who stayed: they never left the client, or died with their server. */
  readonly lostUnsent: number;
  /** The same, but some who stayed got the message. */
  readonly lostUnevenly: number;
  /** To subscribers that moved. */
  readonly lostByMoving: number;
  readonly doubled: number;
  readonly moves: number;
  /** Of one client while one member restarted. */
  readonly movesMax: number;
  readonly requests: number;
  readonly requestsRetried: number;
  readonly requestsFailed: number;
  /** From asking to the answer, the retry included. */
  readonly requestMaxMs: number;
}

/** A client that knows when it lost its server. */
class Roamer {
  readonly client: NatsConnection;
  /** In the restart that is under way. */
  moves = 0;

  private constructor(client: NatsConnection) {
    this.client = client;
    void this.follow(); // ends with the client
  }

  static async connect(urls: readonly string[], first: number): Promise<Roamer> {
    const servers = [...urls.slice(first), ...urls.slice(0, first)];
    return new Roamer(await connect({ servers, noRandomize: true, maxReconnectAttempts: -1 }));
  }

  private async follow(): Promise<void> {
    for await (const { type } of this.client.status()) if (type === "disconnect") this.moves++;
  }
}

interface Publisher extends Roamer {
  sent: number;
}

type Losses = { -readonly [K in keyof LoadFigures & ("doubled" | `lost${string}`)]: number };

interface Phase {
  /** By publisher: what it had sent. */
  readonly from: readonly number[];
  to: readonly number[];
  /** By publisher. */
  publisherMoved: readonly boolean[];
  /** By subscriber. */
  subscriberMoved: readonly boolean[];
}

export class Load implements AsyncDisposable {
  private readonly publishers: Publisher[] = [];
  private readonly subscribers: { readonly roamer: Roamer; readonly counts: Uint8Array[] }[] = [];
  private readonly others: Roamer[] = [];
  private readonly phases: Phase[] = [];
  private readonly loops: Promise<void>[] = [];
  private readonly rate: number;
  private readonly messagesMax: number;
  private isOver = false;
  private moveTimes = 0;
  private slowestMove = 0;
  private requestCount = { made: 0, retried: 0, failed: 0, maxMs: 0 };

  private constructor(rate: number, messagesMax: number) {
    this.rate = rate;
    this.messagesMax = messagesMax;
  }

  /** `rate`: messages a second of each publisher. Resolves once everybody hears everybody. */
  static async start(urls: readonly string[], rate: number, messagesMax = 200_000): Promise<Load> {
    const load = new Load(rate, messagesMax);
    for (const [index] of urls.entries()) await load.join(urls, index);
    await Promise.all(load.all.map(({ client }) => client.flush()));
    await load.heard();
    for (const [index] of load.publishers.entries()) load.loops.push(load.publish(index));
    for (const roamer of load.others.slice(urls.length * perServer.workers))
      load.loops.push(load.ask(roamer));
    return load;
  }

  /** What happens while `act` runs counts as one restart. */
  async during(act: () => Promise<void>): Promise<void> {
    for (const roamer of this.all) roamer.moves = 0;
    const sent = (): number[] => this.publishers.map((publisher) => publisher.sent);
    const phase: Phase = { from: sent(), to: [], publisherMoved: [], subscriberMoved: [] };
    this.phases.push(phase);
    await act();
    await this.settled();
    phase.to = sent();
    phase.publisherMoved = this.publishers.map(({ moves }) => moves > 0);
    phase.subscriberMoved = this.subscribers.map(({ roamer }) => roamer.moves > 0);
    for (const { moves } of this.all) {
      this.moveTimes += moves;
      this.slowestMove = Math.max(this.slowestMove, moves);
    }
  }

  /** Stops, waits for what is under way, and counts. */
  async finish(): Promise<LoadFigures> {
    this.isOver = true;
    await Promise.all(this.loops);
    await this.heard();
    const figures = { lostByStaying: 0, lostUnsent: 0, lostUnevenly: 0, lostByMoving: 0, doubled: 0 };
    for (const [p, publisher] of this.publishers.entries()) {
      for (let n = 0; n < publisher.sent; n++) this.judge(p, n, figures);
    }
    const published = this.publishers.reduce((sum, { sent }) => sum + sent, 0);
    const { made, retried, failed, maxMs } = this.requestCount;
    return {
      published,
      deliveries: published * this.subscribers.length,
      ...figures,
      moves: this.moveTimes,
      movesMax: this.slowestMove,
      requests: made,
      requestsRetried: retried,
      requestsFailed: failed,
      requestMaxMs: maxMs,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isOver = true;
    await Promise.all(this.all.map(({ client }) => client.close()));
    await Promise.all(this.loops);
  }

  get clients(): number {
    return this.all.length;
  }

  private get all(): Roamer[] {
    return [...this.publishers, ...this.subscribers.map(({ roamer }) => roamer), ...this.others];
  }

  private judge(publisher: number, n: number, into: Losses): void {
    const phase = this.phases.find(({ from, to }) => n >= from[publisher]! && n < to[publisher]!);
    let staying = 0;
    let lost = 0;
    for (const [index, { counts }] of this.subscribers.entries()) {
      const count = counts[publisher]![n]!;
      if (count > 1) into.doubled++;
      const hasMoved = phase?.subscriberMoved[index] ?? false;
      if (!hasMoved) staying++;
      if (count > 0) continue;
      if (hasMoved) into.lostByMoving++;
      else lost++;
    }
    if (lost === 0) return;
    if (phase?.publisherMoved[publisher] !== true) into.lostByStaying += lost;
    else if (lost === staying) into.lostUnsent++;
    else into.lostUnevenly += lost;
  }

  /** Everybody is connected, and has been for a moment. */
  private async settled(): Promise<void> {
    await Promise.all(this.all.map(async ({ client }) => flushed(client)));
    await delay(SETTLE_MS);
    await Promise.all(this.all.map(async ({ client }) => flushed(client)));
  }

  private async join(urls: readonly string[], index: number): Promise<void> {
    const roamers = async (count: number): Promise<Roamer[]> =>
      Promise.all(Array.from({ length: count }, () => Roamer.connect(urls, index)));
    for (const roamer of await roamers(perServer.publishers))
      this.publishers.push(Object.assign(roamer, { sent: 0 }));
    for (const roamer of await roamers(perServer.subscribers)) {
      const counts = urls.map(() => new Uint8Array(this.messagesMax));
      this.subscribers.push({ roamer, counts });
      const callback = (_: unknown, { subject, data }: { subject: string; data: Uint8Array }): void => {
        const of = counts[Number(subject.slice(5))];
        const n = Number(Buffer.from(data).toString());
        if (of !== undefined) of[n] = of[n]! + 1;
      };
      roamer.client.subscribe("tick.*", { callback });
    }
    const workers = await roamers(perServer.workers);
    for (const { client } of workers) {
      client.subscribe("work", { queue: "workers", callback: (_, message) => void message.respond() });
    }
    this.others.unshift(...workers);
    this.others.push(...(await roamers(perServer.requesters)));
  }

  /** Everybody has heard everything, or has had the time for it: nothing arrives any more. */
  private async heard(): Promise<void> {
    for (let quiet = 0, before = -1; quiet < 10; await delay(50)) {
      await Promise.all(this.all.map(async ({ client }) => flushed(client)));
      const now = this.subscribers.reduce((sum, { roamer }) => sum + roamer.client.stats().inMsgs, 0);
      quiet = now === before ? quiet + 1 : 0;
      before = now;
    }
  }

  private async publish(index: number): Promise<void> {
    const publisher = this.publishers[index]!;
    const startMs = performance.now();
    for (; !this.isOver; await delay(TICK_MS)) {
      const due = Math.min(this.messagesMax, Math.floor(((performance.now() - startMs) * this.rate) / 1000));
      for (; publisher.sent < due; publisher.sent++)
        publisher.client.publish(`tick.${index}`, String(publisher.sent));
    }
  }

  private async ask({ client }: Roamer): Promise<void> {
    const ask = async (): Promise<unknown> => client.request("work", "", { timeout: REQUEST_TIMEOUT_MS });
    for (; !this.isOver; await delay(REQUEST_EVERY_MS)) {
      const startMs = performance.now();
      this.requestCount.made++;
      try {
        await ask();
      } catch {
        this.requestCount.retried++;
        // what failed once is asked once more
        await ask().catch(() => this.requestCount.failed++);
      }
      this.requestCount.maxMs = Math.max(this.requestCount.maxMs, performance.now() - startMs);
    }
  }
}

/** Resolves once its server has answered, whichever that is by then. */
async function flushed(client: NatsConnection): Promise<void> {
  for (;;) {
    try {
      return await client.flush();
    } catch {
      await delay(TICK_MS); // it lost its server meanwhile
    }
  }
}
