/**
 * JetStream of one account by itself: a disk in memory that outlives it, a clock that is moved by hand, and clients that are functions.
 * Time passes, and work that was put off is done, only when a test says so.
 */
import { VirtualClock } from "../../src/base/clock.ts";
import { silentLogger, type Logger } from "../../src/base/logger.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Assets } from "../../src/jetstream/assets.ts";
import { NO_LIMITS } from "../../src/jetstream/limits.ts";
import { SENT_ANSWERS, sentLane } from "./sent-lane.ts";
import type { AccountHost, Incoming, Outgoing } from "../../src/jetstream/host.ts";
import { JetStream, type JetStreamOptions } from "../../src/jetstream/jetstream.ts";
import type { ScrubCounters } from "../../src/jetstream/scrub.ts";
import type { Message } from "../../src/protocol/message.ts";
import type { Stream } from "../../src/jetstream/stream/stream.ts";
import { MeteredDisk } from "../../src/store/metered-disk.ts";
import { MemoryDisk } from "../../src/store/memory-disk.ts";
import { subjectMatches } from "../../src/subject/subject.ts";

export interface Heard {
  readonly subject: string;
  readonly reply: string;
  readonly headers: string;
  readonly text: string;
}

type Headers = Readonly<Record<string, string>>;

interface Ear {
  readonly subject: string;
  readonly receive: (message: Incoming) => void;
}

export class JetStreamStack {
  readonly clock = new VirtualClock(START_MS);
  readonly disk = new MemoryDisk();
  /** Counts syncs. */
  readonly metered = new MeteredDisk(this.disk, () => this.clock.nowMs());
  /** Messages of errors in the log. */
  readonly errors: string[] = [];
  private readonly logger: Logger = { ...silentLogger, error: (message) => void this.errors.push(message) };
  private readonly more: Partial<JetStreamOptions>;
  private jetStream: JetStream;
  private ears: Ear[] = [];
  private afterwards: (() => void)[] = [];
  private inboxes = 0;
  private interested: ((subject: string) => void)[] = [];
  /** Counts starts: timers of an earlier one do not fire. */
  private life = 0;

  constructor(more: Partial<JetStreamOptions> = {}) {
    this.more = more;
    this.jetStream = this.boot();
  }

  /** Stops and starts again with what is on the disk, which `meanwhile` may change. */
  restart(meanwhile: () => void = () => {}): void {
    this.jetStream.stop();
    this.startAgain(meanwhile);
  }

  /** The process ends without a word, the disk with it as `lose` says, and starts again. */
  crash(lose: () => void): void {
    this.startAgain(lose);
  }

  private startAgain(between: () => void): void {
    this.life++;
    this.ears = [];
    this.afterwards = [];
    this.interested = [];
    between();
    this.jetStream = this.boot();
  }

  stop(): void {
    this.jetStream.stop();
  }

  stream(name: string): Stream {
    return this.assets.streams.get(name)!.stream;
  }

  get assets(): Assets {
    return this.jetStream.accounts.get("A")!.assets;
  }

  /** What the scrub has done; null: it is off. */
  get scrub(): Readonly<ScrubCounters> | null {
    return this.jetStream.scrubber?.counters ?? null;
  }

  /** What a subject hears from here on. */
  listen(subject: string): Heard[] {
    const heard: Heard[] = [];
    this.hear(subject, (message) => heard.push(message));
    return heard;
  }

  /** Calls with each message that a subject hears from here on. */
  hear(subject: string, call: (message: Heard) => void): void {
    this.ears.push({
      subject,
      receive: ({ subject: at, reply, headerLength, body }) => {
        const text = Buffer.from(body).toString("latin1");
        call({ subject: at, reply, headers: text.slice(0, headerLength), text: text.slice(headerLength) });
      },
    });
  }

  publish(subject: string, payload = "", headers: Headers = {}, reply = ""): void {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const block = lines.length === 0 ? "" : `NATS/1.0\r\n${lines.join("")}\r\n`;
    this.deliver({
      subject,
      reply,
      headerLength: block.length,
      body: Buffer.from(block + payload, "latin1"),
    });
    this.settle();
  }

  /** What a consumer says beside messages: a status without a payload. */
  publishStatus(subject: string, status: string, reply = ""): void {
    const body = Buffer.from(`NATS/1.0 ${status}\r\n\r\n`, "latin1");
    this.deliver({ subject, reply, headerLength: body.length, body });
    this.settle();
  }

  /** The first answer; null: there is none yet. */
  ask(subject: string, payload: object | string = "", headers: Headers = {}): Heard | null {
    const inbox = `_INBOX.${++this.inboxes}`;
    const heard = this.listen(inbox);
    this.publish(subject, typeof payload === "string" ? payload : JSON.stringify(payload), headers, inbox);
    return heard[0] ?? null;
  }

  /** The answer of the API, as JSON. */
  request(subject: string, payload: object | string = ""): Record<string, unknown> {
    return JSON.parse(this.ask(`$JS.API.${subject}`, payload)?.text ?? "null") as Record<string, unknown>;
  }

  advance(ms: number): void {
    this.clock.advance(ms);
    this.settle();
  }

  /** A message of a client that comes in the turn that is under way. */
  queue(subject: string, payload: string, reply: string, message: Message): void {
    this.deliver({ subject, reply, headerLength: 0, body: Buffer.from(payload, "latin1"), message });
  }

  /** A message that comes in the turn that is under way. */
  arrive(subject: string, payload: string, reply: string): void {
    this.deliver({ subject, reply, headerLength: 0, body: Buffer.from(payload, "latin1") });
  }

  settle(): void {
    while (this.afterwards.length > 0) this.turn();
  }

  /** Does the work that was put off until now, and nothing that is put off meanwhile. */
  turn(): void {
    for (const work of this.afterwards.splice(0)) work();
  }

  private boot(): JetStream {
    const jetStream = new JetStream({
      disk: this.metered,
      folder: "/js",
      policy: "sync",
      bytesLeft: () => Infinity,
      facts: { level: 5, version: "", server: "test", domain: "", isStrict: true },
      logger: silentLogger,
      accounts: [{ host: this.host(), limits: NO_LIMITS }],
      ...this.more,
    });
    jetStream.start();
    this.settle();
    return jetStream;
  }

  private host(): AccountHost {
    const { clock, life } = this;
    return {
      name: "A",
      domain: this.more.facts?.domain ?? "",
      clock: {
        nowMs: () => clock.nowMs(),
        setTimer: (delayMs, fire) => clock.setTimer(delayMs, () => this.life === life && fire()),
      },
      random: seededRandom(1),
      logger: this.logger,
      nowNs: () => BigInt(Math.floor(this.clock.nowMs() * 1000)) * 1000n,
      send: (message) => this.send(message),
      sendNumbered: ({ subject, before, number, after }) =>
        this.send({ subject, reply: "", headers: "", payload: `${before}${number}${after}` }),
      answers: SENT_ANSWERS,
      lane: (subject) =>
        sentLane(subject, () => this.ears.some((one) => subjectMatches(one.subject, subject))),
      isAwaited: (subject) => this.ears.some((one) => subjectMatches(one.subject, subject)),
      listen: (subject, receive) => {
        const ear = { subject, receive };
        this.ears.push(ear);
        for (const call of this.interested) call(subject);
        return { [Symbol.dispose]: () => void (this.ears = this.ears.filter((one) => one !== ear)) };
      },
      onInterest: (call) => void this.interested.push(call),
      afterwards: (work) => void this.afterwards.push(work),
      soon: (work) => void this.afterwards.push(work),
    };
  }

  private send({ subject, headers, payload, shownSubject, ...more }: Outgoing): boolean {
    const reply = String(more.reply);
    const body = Buffer.concat([Buffer.from(headers, "latin1"), bytesOf(payload)]);
    return this.deliver({ subject, reply, headerLength: headers.length, body }, shownSubject);
  }

  private deliver(message: Incoming, shown = message.subject): boolean {
    const found = this.ears.filter((one) => subjectMatches(one.subject, message.subject));
    for (const { receive } of found) receive({ ...message, subject: shown });
    return found.length > 0;
  }
}

function bytesOf(payload: Uint8Array | string): Uint8Array {
  return typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
}

const START_MS = Date.UTC(2026, 0, 1);
