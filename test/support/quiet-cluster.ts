/**
 * A cluster of servers with JetStream in one process, on a virtual clock and a network without faults. Time passes only when a test says
 * so, or while it waits for something. Servers can be killed and started again with their disks.
 */
import assert from "node:assert/strict";
import type { Clock } from "../../src/base/clock.ts";
import { seededRandom, type Random } from "../../src/base/random.ts";
import { clockOf } from "../sim/clock.ts";
import { SimulatedServer, type Carried, type ServerWorld } from "../sim/jetstream-cluster/server.ts";
import { Timeline } from "../sim/timeline.ts";

const DELAY_MS = 1;
const TELL_MS = 1000;
const STEP_MS = 20;
/** Virtual time, which costs next to nothing: what has not come by then does not come. */
const PATIENCE_MS = 120_000;
const REQUEST_INFO = 'NATS/1.0\r\nNats-Request-Info: {"acc":"A"}\r\n\r\n';

export type Fields = Readonly<Record<string, unknown>>;

export class QuietCluster implements ServerWorld {
  readonly timeline = new Timeline();
  readonly clock: Clock;
  readonly random: Random = seededRandom(1);
  readonly syncMsMax = 1;
  readonly servers: readonly SimulatedServer[];
  /** What servers have warned of. */
  readonly log: string[] = [];
  private inboxes = 0;

  constructor(
    names: readonly string[] = ["n1", "n2", "n3"],
    { balances = false }: { readonly balances?: boolean } = {},
  ) {
    this.clock = clockOf(this.timeline);
    this.servers = names.map((name) => new SimulatedServer(name, this, names.length));
    for (const server of this.servers) {
      server.tags = [`name:${server.name}`];
      server.balancesLeaders = balances;
    }
  }

  /** Until all know what was agreed on. */
  start(): this {
    for (const server of this.servers) server.start();
    this.tell();
    this.until("all to follow the group of all servers", () =>
      this.servers.every(({ cluster }) => cluster!.meta.isCurrent && cluster!.servers.servers.length > 1),
    );
    return this;
  }

  private tell(): void {
    for (const server of this.servers) server.tellOfItself();
    this.clock.setTimer(TELL_MS, () => this.tell());
  }

  server(name: string): SimulatedServer {
    const found = this.servers.find((one) => one.name === name);
    assert.ok(found !== undefined, `there is a server ${name}`);
    return found;
  }

  advance(ms: number): void {
    this.timeline.runUntil(this.timeline.nowMs + ms);
  }

  /** Lets time pass until there is something. */
  until<T>(what: string, look: () => T | null | undefined | false): T {
    for (let passedMs = 0; passedMs < PATIENCE_MS; passedMs += STEP_MS) {
      const found = look();
      if (found !== undefined && found !== null && found !== false) return found;
      this.advance(STEP_MS);
    }
    throw new Error(`${what}: it did not come\n${this.log.slice(-30).join("\n")}`);
  }

  /** The answer of the API to a client of a server, the first that is alive where none is named. */
  ask(subject: string, body: object | string = "", at?: string): Fields {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return this.until(`an answer to ${subject}`, this.asked(`$JS.API.${subject}`, text, at));
  }

  /** The same; undefined: nobody has answered yet. */
  asked(subject: string, payload: string, at?: string): () => Fields | undefined {
    const isApi = subject.startsWith("$JS.API.") && !subject.includes(".MSG.NEXT.");
    const heard = this.send(isApi ? "$SYS" : "A", subject, payload, isApi ? REQUEST_INFO : "", at);
    return () => {
      const [first] = heard;
      return first === undefined ? undefined : (JSON.parse(first.text || "{}") as Fields);
    };
  }

  /** What comes to the inbox of a request, as it comes. */
  send(
    account: string,
    subject: string,
    payload: string,
    headers = "",
    at?: string,
  ): readonly { readonly text: string; readonly reply: string; readonly subject: string }[] {
    const server = at === undefined ? this.servers.find(({ isAlive }) => isAlive)! : this.server(at);
    const inbox = `_INBOX.${++this.inboxes}`;
    const heard: { text: string; reply: string; subject: string }[] = [];
    server.inboxes.set(inbox, ({ subject: to, reply, body, headerLength }) => {
      const text = Buffer.from(body.subarray(headerLength)).toString("latin1");
      heard.push({ text, reply, subject: to });
    });
    server.send(account, subject, payload, inbox, headers);
    return heard;
  }

  /** Stores messages, one after the other. */
  publish(subject: string, ...payloads: readonly string[]): void {
    for (const payload of payloads) {
      const answer = this.until(`${subject} to be stored`, this.asked(subject, payload));
      assert.ok(answer["error"] === undefined, JSON.stringify(answer));
    }
  }

  /** Its messages, by sequence, as a server has them; null: it has no such stream. */
  contents(name: string, stream: string): readonly string[] | null {
    const store = this.server(name).jetStream?.accounts.get("A")?.assets.streams.get(stream)?.stream.store;
    if (store === undefined) return null;
    const found: string[] = [];
    for (let at = store.next(1, null); at !== 0; at = store.next(at + 1, null)) {
      const view = store.read(at)!;
      found.push(`${at} ${view.subject} ${view.payload.toString("latin1")}`);
    }
    return found;
  }

  /** The servers that keep a stream. */
  keepers(stream: string): string[] {
    return this.servers.filter(({ name }) => this.contents(name, stream) !== null).map(({ name }) => name);
  }

  kill(name: string): void {
    this.server(name).kill();
    for (const other of this.servers) if (other.isAlive) other.serverLost(name);
  }

  // ---- what servers call ----

  carry(from: SimulatedServer, message: Carried): boolean {
    let reached = from.hear(message);
    for (const to of this.servers) {
      if (to === from || !to.listens(message)) continue;
      reached = true;
      const { life } = to;
      this.clock.setTimer(DELAY_MS, () => {
        if (to.life === life) to.receive(message);
      });
    }
    return reached;
  }

  died(server: SimulatedServer): void {
    this.note(`${server.name} has lost power`);
  }

  note(text: string): void {
    this.log.push(`${this.timeline.nowMs.toFixed(0)} ms: ${text}`);
  }
}
