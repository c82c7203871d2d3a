/**
 * Three servers with JetStream on a virtual clock, of which each may be wrong by as much as is asked for, and on a network that loses nothing.
 * They are those of the simulation of clusters, without its faults: what happens is what the test asks for.
 */
import assert from "node:assert/strict";
import type { Clock } from "../../../src/base/clock.ts";
import { seededRandom } from "../../../src/base/random.ts";
import type { StreamStore } from "../../../src/store/stream-store.ts";
import { SimulatedServer, type Carried } from "../../sim/jetstream-cluster/server.ts";
import { Timeline } from "../../sim/timeline.ts";

const START_MS = 1_800_000_000_000;
const REQUEST_INFO = 'NATS/1.0\r\nNats-Request-Info: {"acc":"A"}\r\n\r\n';
const DELAY_MS = 1;
const STEP_MS = 2;
/** Bytes of a payload that are compared. */
const SHOWN_BYTES = 100;
/** As long as an answer may take. */
const PATIENCE_MS = 60_000;

const NO_MESSAGE: Carried = { account: "", subject: "", reply: "", headers: "", payload: new Uint8Array(0) };

export interface Heard {
  readonly subject: string;
  readonly reply: string;
  readonly headers: string;
  readonly payload: string;
}

export class QuietCluster {
  readonly servers: readonly SimulatedServer[];
  readonly notes: string[] = [];
  private readonly timeline = new Timeline();
  private inboxes = 0;
  /** Where answers to requests for the API are awaited that came from the account. */
  private readonly replies = new Set<string>();
  /** Messages that others still get from a server; it is not there: all. */
  private readonly left = new Map<SimulatedServer, number>();

  /** `skewsMs`: by how much the clock of each server is ahead. */
  constructor(skewsMs: readonly number[] = [0, 0, 0]) {
    const random = seededRandom(7);
    this.servers = skewsMs.map(
      (skewMs, i) =>
        new SimulatedServer(
          `n${i + 1}`,
          {
            random,
            clock: this.clockOf(skewMs),
            syncMsMax: 1,
            carry: (from, message) => this.carry(from, message),
            died: () => assert.fail("nothing takes the power away"),
            note: (text) => void this.notes.push(text),
          },
          skewsMs.length,
        ),
    );
  }

  /** Until streams can be made. */
  start(): this {
    for (const server of this.servers)
      server.isAwaitedAnywhere = (account, subject) =>
        this.servers.some((one) => one.isAlive && one.listens({ ...NO_MESSAGE, account, subject }));
    for (const server of this.servers) server.start();
    this.tellOfServers();
    this.until("a leader of the meta group", () => this.servers.some(({ cluster }) => cluster?.meta.leads));
    this.advance(5000);
    return this;
  }

  get nowMs(): number {
    return this.timeline.nowMs;
  }

  advance(ms: number): void {
    this.timeline.runUntil(this.timeline.nowMs + ms);
  }

  /** Lets time go by until it is so. */
  until(what: string, isSo: () => boolean): void {
    for (let waitedMs = 0; !isSo(); waitedMs += STEP_MS) {
      assert.ok(waitedMs < PATIENCE_MS, `${what} does not come: ${this.notes.join("\n")}`);
      this.advance(STEP_MS);
    }
  }

  /** The answer of the API, which is no error. */
  ask(what: string, body: object = {}, server = this.living): Record<string, unknown> {
    const subject = `$JS.API.${what}`;
    const message = { account: "$SYS", subject, payload: JSON.stringify(body), headers: REQUEST_INFO };
    const answer = JSON.parse(this.request(message, server).payload) as Record<string, unknown>;
    assert.equal(answer["error"], undefined, `${what}: ${JSON.stringify(answer["error"])}`);
    return answer;
  }

  /** What a publisher is told. */
  publish(subject: string, payload: string, headers: Readonly<Record<string, string>> = {}): unknown {
    return JSON.parse(this.request(publishing(subject, payload, headers)).payload) as unknown;
  }

  /** Without waiting for the answer. */
  send(
    subject: string,
    payload: string,
    headers: Readonly<Record<string, string>> = {},
    server = this.living,
  ): void {
    const message = publishing(subject, payload, headers);
    server.send("A", message.subject, message.payload, "_INBOX.nobody", message.headers);
  }

  request(
    { account, subject, payload, headers }: ReturnType<typeof publishing>,
    server = this.living,
  ): Heard {
    const inbox = `_INBOX.${++this.inboxes}`;
    let heard: Heard | undefined;
    server.inboxes.set(inbox, ({ subject: from, reply, body, headerLength }) => {
      heard = {
        subject: from,
        reply,
        headers: Buffer.from(body.subarray(0, headerLength)).toString("latin1"),
        payload: Buffer.from(body.subarray(headerLength)).toString("latin1"),
      };
    });
    server.send(account, subject, payload, inbox, headers);
    this.until(`an answer to ${subject}`, () => heard !== undefined);
    return heard!;
  }

  /** Pulls one message of a consumer, and acknowledges it. Returns its payload. */
  consume(stream: string, consumer: string): string {
    const body = JSON.stringify({ batch: 1, expires: 5e9 });
    const pull = { account: "A", headers: "", payload: body };
    const { payload, reply } = this.request({
      ...pull,
      subject: `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
    });
    assert.ok(reply.startsWith("$JS.ACK."), `${consumer} delivers a message`);
    this.request({ account: "A", headers: "", payload: "+ACK", subject: reply });
    return payload;
  }

  leaderOf(stream: string, consumer = ""): SimulatedServer {
    this.until(`a leader of ${stream} ${consumer}`, () => this.leading(stream, consumer) !== undefined);
    return this.leading(stream, consumer)!;
  }

  /** Another server leads the stream from now on. */
  lead(stream: string, server: SimulatedServer): void {
    if (this.leaderOf(stream) === server) return;
    this.ask(`STREAM.LEADER.STEPDOWN.${stream}`, { placement: { preferred: server.name } });
    this.until(`${server.name} to lead ${stream}`, () => this.leading(stream) === server);
  }

  storeOf(stream: string, { jetStream }: SimulatedServer): StreamStore {
    return jetStream!.accounts.get("A")!.assets.streams.get(stream)!.stream.store;
  }

  /** What each copy has, once they are the same. */
  contents(stream: string): readonly string[] {
    const alive = this.servers.filter(({ isAlive }) => isAlive);
    const isOpen = ({ jetStream }: SimulatedServer): boolean =>
      jetStream?.accounts.get("A")?.assets.streams.has(stream) === true;
    const all = (): readonly string[] =>
      alive.map((one) => (isOpen(one) ? contentsOf(this.storeOf(stream, one)).join("\n") : one.name));
    this.until(`copies of ${stream} that are the same`, () => new Set(all()).size === 1);
    return contentsOf(this.storeOf(stream, this.living));
  }

  get living(): SimulatedServer {
    return this.servers.find(({ isAlive }) => isAlive)!;
  }

  /** Others get so many more messages from it. */
  cutAfter(server: SimulatedServer, messages: number): void {
    this.left.set(server, messages);
  }

  kill(server: SimulatedServer): void {
    this.left.delete(server);
    server.kill();
    for (const other of this.servers) if (other.isAlive) other.serverLost(server.name);
  }

  private leading(stream: string, consumer = ""): SimulatedServer | undefined {
    return this.servers.find(({ cluster }) => cluster?.assets.standing("A", stream, consumer) === "leads");
  }

  private clockOf(skewMs: number): Clock {
    const { timeline } = this;
    return {
      nowMs: () => START_MS + timeline.nowMs + skewMs,
      setTimer(delayMs, fire) {
        let isSet = true;
        timeline.after(Math.max(0, delayMs), () => isSet && fire());
        return { [Symbol.dispose]: () => void (isSet = false) };
      },
    };
  }

  /** Requests for the API cross to the system account, and answers to them back. */
  private crossing(message: Carried): Carried {
    const { account, subject, reply, headers } = message;
    if (account === "$SYS" && this.replies.delete(subject)) return { ...message, account: "A" };
    const isApi = subject.startsWith("$JS.API.") && !/\.(MSG\.NEXT|DIRECT\.GET)\./.test(subject);
    if (account !== "A" || !isApi) return message;
    if (reply !== "") this.replies.add(reply);
    const more =
      headers === "" ? REQUEST_INFO : headers.replace("\r\n\r\n", REQUEST_INFO.slice("NATS/1.0".length));
    return { ...message, account: "$SYS", headers: more };
  }

  private carry(from: SimulatedServer, sent: Carried): boolean {
    const message = this.crossing(sent);
    let reached = from.hear(message);
    for (const to of this.servers) {
      if (to === from || !to.listens(message)) continue;
      reached = true;
      const left = this.left.get(from) ?? Infinity;
      if (left === 0) continue;
      if (left < Infinity) this.left.set(from, left - 1);
      const { life } = to;
      this.timeline.after(DELAY_MS, () => {
        if (to.life === life) to.receive(message);
      });
    }
    return reached;
  }

  private tellOfServers(): void {
    for (const server of this.servers) server.tellOfItself();
    this.timeline.after(1000, () => this.tellOfServers());
  }
}

function publishing(subject: string, payload: string, headers: Readonly<Record<string, string>>) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const block = lines.length === 0 ? "" : `NATS/1.0\r\n${lines.join("")}\r\n`;
  return { account: "A", subject, payload, headers: block };
}

/** Sequence, subject and payload of each message, with what a marker says of itself. */
function contentsOf(store: StreamStore): readonly string[] {
  const found: string[] = [];
  for (let at = store.next(1, null); at !== 0; at = store.next(at + 1, null)) {
    const view = store.read(at)!;
    const headers = view.body.toString("latin1", 0, view.headerLength);
    const marker = /Nats-Marker-Reason: \w+/.exec(headers)?.[0] ?? "";
    found.push(`${at} ${view.subject} ${view.payload.toString("latin1", 0, SHOWN_BYTES)}${marker}`);
  }
  return found;
}
