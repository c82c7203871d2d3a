/** A cluster of simulated servers to which nothing happens by itself: a test starts and ends them, asks, and lets time go by. */
import type { Clock } from "../../../src/base/clock.ts";
import { seededRandom, type Random } from "../../../src/base/random.ts";
import { clockOf } from "../clock.ts";
import { Timeline } from "../timeline.ts";
import { SimulatedServer, type Carried, type ServerWorld } from "./server.ts";

const DELAY_MS = 2;
const TELL_MS = 1000;
const STEP_MS = 100;
const REQUEST_INFO = 'NATS/1.0\r\nNats-Request-Info: {"acc":"A"}\r\n\r\n';

export class CalmWorld implements ServerWorld {
  readonly clock: Clock;
  readonly random: Random = seededRandom(1);
  readonly syncMsMax = 2;
  readonly servers: SimulatedServer[] = [];
  readonly log: string[] = [];
  private readonly timeline = new Timeline();
  private inboxes = 0;

  /** Of so many servers, who begin together. */
  constructor(size: number) {
    this.clock = clockOf(this.timeline);
    for (let i = 1; i <= size; i++) this.add(`n${i}`, size);
    this.tellOn();
  }

  /** `expected`: servers with which it begins. */
  add(name: string, expected: number): SimulatedServer {
    const server = new SimulatedServer(name, this, expected);
    this.servers.push(server);
    server.start();
    return server;
  }

  get(name: string): SimulatedServer {
    return this.servers.find((one) => one.name === name)!;
  }

  /** Lets time go by until something is there; throws after some minutes of it. */
  until<T>(what: string, find: () => T | undefined | false): T {
    for (let waitedMs = 0; waitedMs < 300_000; waitedMs += STEP_MS) {
      const found = find();
      if (found !== undefined && found !== false) return found;
      this.pass(STEP_MS);
    }
    throw new Error(`in vain: ${what}\n${this.log.slice(-20).join("\n")}`);
  }

  pass(ms: number): void {
    this.timeline.runUntil(this.timeline.nowMs + ms);
  }

  /** The answer to a request of a client in account A. */
  ask<T>(through: string, subject: string, body: object | string): T {
    const inbox = `_INBOX.${++this.inboxes}`;
    const server = this.get(through);
    const answers: T[] = [];
    server.inboxes.set(inbox, ({ body: bytes, headerLength }) => {
      if (bytes.length > headerLength)
        answers.push(JSON.parse(Buffer.from(bytes.subarray(headerLength)).toString()) as T);
    });
    const text = typeof body === "string" ? body : JSON.stringify(body);
    if (subject.startsWith("$JS.API.")) server.send("$SYS", subject, text, inbox, REQUEST_INFO);
    else server.send("A", subject, text, inbox);
    return this.until(`an answer to ${subject}`, () => answers[0]);
  }

  carry(from: SimulatedServer, message: Carried): boolean {
    let reached = from.hear(message);
    for (const to of this.servers) {
      if (to === from || !to.listens(message)) continue;
      reached = true;
      const { life } = to;
      this.clock.setTimer(DELAY_MS, () => to.life === life && to.receive(message));
    }
    return reached;
  }

  died(): void {
    throw new Error("nobody loses power here");
  }

  note(text: string): void {
    this.log.push(text);
  }

  private tellOn(): void {
    for (const server of this.servers) server.tellOfItself();
    this.clock.setTimer(TELL_MS, () => this.tellOn());
  }
}
