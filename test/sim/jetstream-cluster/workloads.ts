/**
 * Clients do more with a replicated stream than to publish and to consume: a work queue, messages with ids that are sent again
 * until they are acknowledged, messages that expire by themselves, and counters. Each judges in the end what its stream holds.
 *
 * Whatever is sent has a name of its own, so that a message that is stored twice shows.
 */
import { randomInt, type Random } from "../../../src/base/random.ts";
import { copiesOf, differences, messagesIn, type StoredMessage } from "./copies.ts";
import type { Answer, ClientRequests } from "./requests.ts";
import type { SimulatedServer } from "./server.ts";

/** A message that was sent before its acknowledgement was confirmed may come after that. */
const UNDER_WAY_MS = 1000;
/** An answer that has not come by then is not waited for. */
const ANSWER_MS = 3000;

export interface WorkloadHost {
  readonly random: Random;
  readonly servers: readonly SimulatedServer[];
  readonly requests: ClientRequests;
  readonly nowMs: number;
  breach(text: string): void;
  readonly note: (text: string) => void;
}

export abstract class Workload {
  abstract readonly stream: string;
  abstract readonly config: object;
  protected readonly host: WorkloadHost;
  protected isMade = false;
  private sent = 0;

  constructor(host: WorkloadHost) {
    this.host = host;
  }

  /** Until the stream is there, and whatever belongs to it. */
  make(): void {
    if (this.isMade) return;
    const { stream: name, config } = this;
    const all = { name, subjects: [`${name.toLowerCase()}.>`], num_replicas: 3, ...config };
    this.host.requests.ask(
      `STREAM.CREATE.${name}`,
      all,
      ({ error }) => (this.isMade ||= error === undefined),
    );
  }

  /** Sends something. */
  abstract publish(): void;

  /** Takes and acknowledges. */
  consume(): void {
    // most have no consumer
  }

  /** Another server is to keep the copy of one of them. */
  replace(): void {
    const { servers, random, requests, note } = this.host;
    const { name } = servers[randomInt(random, servers.length)]!;
    if (this.isMade)
      requests.ask(`STREAM.PEER.REMOVE.${this.stream}`, { peer: name }, ({ error }) =>
        note(`${name} is to keep nothing of ${this.stream}: ${JSON.stringify(error ?? "taken")}`),
      );
  }

  judge(): void {
    const { servers } = this.host;
    for (const difference of differences(servers, this.stream)) this.host.breach(difference);
    const copies = copiesOf(servers, this.stream);
    const copy = copies.find(({ store }) => store.lost.count === 0) ?? copies[0];
    if (copy === undefined) return this.host.breach(`nobody has a copy of ${this.stream}`);
    const held = [...messagesIn(copy.store)];
    const names = new Set<string>();
    for (const { headers, sequence } of held) {
      const name = /^Name: (\d+)/m.exec(headers)?.[1] ?? "";
      if (names.has(name)) this.host.breach(`${this.stream} has message ${name} again at ${sequence}`);
      names.add(name);
    }
    this.judgeHeld(new Map(held.map((message) => [message.sequence, message])));
  }

  /** Of one copy: the others are the same. */
  protected abstract judgeHeld(held: ReadonlyMap<number, StoredMessage>): void;

  /** `more`: headers. */
  protected send(
    message: { readonly token: string; readonly payload: string; readonly more?: string },
    take: (answer: Answer) => void,
  ): number {
    const { token, payload, more = "" } = message;
    const name = ++this.sent;
    const subject = `${this.stream.toLowerCase()}.${token}`;
    const headers = `NATS/1.0\r\nName: ${name}\r\n${more}\r\n`;
    this.host.requests.send({ subject, payload, headers }, (text) => take(JSON.parse(text) as Answer));
    return name;
  }
}

/** Each message goes once it is acknowledged. */
class WorkQueue extends Workload {
  readonly stream = "W";
  readonly config = { retention: "workqueue" };
  private hasConsumer = false;
  private made = 0;
  private readonly stored = new Map<number, string>();
  private readonly taken = new Set<number>();
  private readonly confirmed = new Map<number, number>();

  override make(): void {
    super.make();
    if (!this.isMade || this.hasConsumer) return;
    const config = { durable_name: "w", ack_policy: "explicit", ack_wait: 4e9 };
    this.host.requests.ask("CONSUMER.CREATE.W.w", { stream_name: "W", config }, ({ error }) => {
      if (error === undefined) this.hasConsumer = true;
    });
  }

  publish(): void {
    const payload = `work ${++this.made}`;
    this.send({ token: "a", payload }, ({ seq, error }) => {
      if (error === undefined) this.stored.set(seq as number, payload);
    });
  }

  override consume(): void {
    if (!this.hasConsumer) return;
    const payload = JSON.stringify({ batch: 5, expires: 2e9 });
    this.host.requests.send({ subject: "$JS.API.CONSUMER.MSG.NEXT.W.w", payload }, (text, reply) => {
      const sequence = Number(reply.split(".")[5]);
      if (!reply.startsWith("$JS.ACK.") || !Number.isSafeInteger(sequence)) return;
      this.take(sequence, text, reply);
    });
  }

  private take(sequence: number, text: string, reply: string): void {
    const { host, stored, confirmed } = this;
    const known = stored.get(sequence);
    if (known !== undefined && known !== text) host.breach(`work at ${sequence} is ${text}, not ${known}`);
    if (host.nowMs - (confirmed.get(sequence) ?? Infinity) > UNDER_WAY_MS)
      host.breach(`work at ${sequence} came again though its acknowledgement was confirmed`);
    this.taken.add(sequence);
    if (randomInt(host.random, 6) === 0) return; // a worker that fails
    host.requests.send({ subject: reply, payload: "+ACK" }, () => {
      if (!confirmed.has(sequence)) confirmed.set(sequence, host.nowMs);
    });
  }

  protected judgeHeld(held: ReadonlyMap<number, StoredMessage>): void {
    const { host } = this;
    for (const sequence of this.stored.keys())
      if (!this.taken.has(sequence)) host.breach(`work at ${sequence} was never delivered`);
    for (const sequence of held.keys()) host.breach(`work at ${sequence} is still there`);
    host.note(`${this.stored.size} pieces of work, ${this.confirmed.size} done`);
  }
}

/** Messages with ids, each sent again until it is acknowledged, and now and then after that. */
class Deduplicated extends Workload {
  readonly stream = "D";
  readonly config = { duplicate_window: 600e9 };
  private readonly stored = new Map<string, number>();
  private id = 0;
  private sentMs = -Infinity;
  private isAnswered = true;

  publish(): void {
    const { host } = this;
    if (!this.isAnswered && host.nowMs - this.sentMs < ANSWER_MS && randomInt(host.random, 4) > 0) return;
    if (this.isAnswered && randomInt(host.random, 5) > 0) this.id++;
    const id = `id-${this.id}`;
    this.isAnswered = false;
    this.sentMs = host.nowMs;
    this.send({ token: "a", payload: id, more: `Nats-Msg-Id: ${id}\r\n` }, ({ seq, error }) => {
      if (error !== undefined) return;
      if (id === `id-${this.id}`) this.isAnswered = true;
      const before = this.stored.get(id);
      if (before !== undefined && before !== seq)
        host.breach(`${id} was stored at ${before} and at ${String(seq)}`);
      this.stored.set(id, seq as number);
    });
  }

  protected judgeHeld(held: ReadonlyMap<number, StoredMessage>): void {
    const { host, stored } = this;
    const ids = [...held.values()].map(({ payload }) => payload);
    if (new Set(ids).size !== ids.length) host.breach("a message with an id is stored twice");
    for (const [id, sequence] of stored)
      if (held.get(sequence)?.payload !== id)
        host.breach(`${id} was acknowledged at ${sequence}, where ${held.get(sequence)?.payload} is`);
    host.note(`${stored.size} ids were acknowledged`);
  }
}

/** Some expire soon, some late, some never. */
class Expiring extends Workload {
  readonly stream = "T";
  readonly config = { allow_msg_ttl: true };
  private readonly stored = new Map<number, "soon" | "late">();

  publish(): void {
    const { random } = this.host;
    const dice = randomInt(random, 3);
    const ttl = dice === 0 ? `${1 + randomInt(random, 15)}s` : dice === 1 ? "24h" : "never";
    const message = { token: `${randomInt(random, 3)}`, payload: ttl, more: `Nats-TTL: ${ttl}\r\n` };
    this.send(message, ({ seq, error }) => {
      if (error === undefined) this.stored.set(seq as number, dice === 0 ? "soon" : "late");
    });
  }

  protected judgeHeld(held: ReadonlyMap<number, StoredMessage>): void {
    const { host, stored } = this;
    for (const [sequence, when] of stored)
      if (held.has(sequence) !== (when === "late"))
        host.breach(
          `message ${sequence}, which expires ${when}, is ${held.has(sequence) ? "there" : "gone"}`,
        );
    for (const { sequence, payload } of held.values())
      if (!payload.startsWith("24h") && payload !== "never")
        host.breach(`message ${sequence} of ${payload} has not expired`);
    host.note(`${stored.size} messages were to expire or not`);
  }
}

/** A counter is the sum of what was stored. */
class Counters extends Workload {
  readonly stream = "C";
  readonly config = { allow_msg_counter: true };
  private readonly told = new Map<number, string>();
  private readonly added = new Map<string, number>();

  publish(): void {
    const { random } = this.host;
    const more = 1 + randomInt(random, 9);
    const token = `${randomInt(random, 2)}`;
    const name = this.send({ token, payload: "", more: `Nats-Incr: ${more}\r\n` }, ({ seq, val, error }) => {
      if (error === undefined) this.told.set(seq as number, val as string);
    });
    this.added.set(`${name}`, more);
  }

  protected judgeHeld(held: ReadonlyMap<number, StoredMessage>): void {
    const { host, told, added } = this;
    const sums = new Map<string, number>();
    for (const { sequence, subject, headers, payload } of held.values()) {
      const name = /^Name: (\d+)/m.exec(headers)?.[1] ?? "";
      const sum = (sums.get(subject) ?? 0) + (added.get(name) ?? NaN);
      sums.set(subject, sum);
      if (payload !== `{"val":"${sum}"}`) host.breach(`${subject} at ${sequence} is ${payload}, not ${sum}`);
      const value = told.get(sequence);
      if (value !== undefined && value !== `${sum}`)
        host.breach(`${subject} at ${sequence} was told to be ${value}`);
    }
    for (const sequence of told.keys())
      if (!held.has(sequence)) host.breach(`what was added at ${sequence} is gone`);
    host.note(`${told.size} increments were acknowledged`);
  }
}

const KINDS = [WorkQueue, Deduplicated, Expiring, Counters];

export function workloadOf(number: number, host: WorkloadHost): Workload {
  return new KINDS[number % KINDS.length]!(host);
}
