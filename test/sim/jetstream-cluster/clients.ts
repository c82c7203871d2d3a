/** Clients of a simulated cluster, and what they know: which message was acknowledged with which sequence, and which acknowledgements count. */
import { randomInt, type Random } from "../../../src/base/random.ts";
import type { SimulatedServer } from "./server.ts";

const REQUEST_INFO = 'NATS/1.0\r\nNats-Request-Info: {"acc":"A"}\r\n\r\n';

/** A message that was sent before its acknowledgement was confirmed may come after that. */
const UNDER_WAY_MS = 1000;

interface ClientsWorld {
  readonly random: Random;
  readonly servers: readonly SimulatedServer[];
  readonly nowMs: number;
  note(text: string): void;
}

interface InHand {
  readonly sequence: number;
  readonly ack: string;
}

export class ClusterClients {
  readonly breaches: string[] = [];
  private readonly world: ClientsWorld;
  /** Payloads by the sequence that their publisher was told. */
  private readonly stored = new Map<number, string>();
  /** When the acknowledgement of a sequence was confirmed, milliseconds. */
  private readonly confirmed = new Map<number, number>();
  /** Sequences that were acknowledged, whether that was confirmed or not. */
  private readonly acked = new Set<number>();
  private readonly inHand: InHand[] = [];
  private made = 0;
  private inboxes = 0;
  private hasStream = false;
  private hasConsumer = false;

  constructor(world: ClientsWorld) {
    this.world = world;
  }

  makeAssets(): void {
    if (!this.hasStream) {
      const config = { name: "S", subjects: ["s.>"], num_replicas: 3 };
      this.ask("STREAM.CREATE.S", config, (answer) => {
        if (answer["error"] === undefined) this.hasStream = true;
      });
    } else if (!this.hasConsumer) {
      const config = { durable_name: "c", ack_policy: "explicit", ack_wait: 5e9, max_ack_pending: 50 };
      this.ask("CONSUMER.CREATE.S.c", { stream_name: "S", config }, (answer) => {
        if (answer["error"] === undefined) this.hasConsumer = true;
      });
    }
  }

  stepDown(): void {
    const { random } = this.world;
    const what = ["STREAM.LEADER.STEPDOWN.S", "CONSUMER.LEADER.STEPDOWN.S.c"][randomInt(random, 2)]!;
    this.ask(what, {}, () => this.world.note(`${what} was done`));
  }

  publish(): void {
    if (!this.hasStream) return;
    const payload = `message ${++this.made}`;
    this.request("A", `s.${randomInt(this.world.random, 5)}`, payload, "", (text) => {
      const { seq, error } = JSON.parse(text) as { seq?: number; error?: unknown };
      if (error !== undefined || seq === undefined) return;
      const other = this.stored.get(seq);
      if (other !== undefined && other !== payload) this.breach(`sequence ${seq} was given to two messages`);
      this.stored.set(seq, payload);
    });
  }

  pull(): void {
    if (!this.hasConsumer) return;
    const body = JSON.stringify({ batch: 5, expires: 2e9 });
    this.request("A", "$JS.API.CONSUMER.MSG.NEXT.S.c", body, "", (payload, reply) => {
      const sequence = Number(reply.split(".")[5]);
      if (!reply.startsWith("$JS.ACK.") || !Number.isSafeInteger(sequence)) return;
      const known = this.stored.get(sequence);
      if (known !== undefined && known !== payload)
        this.breach(`message ${sequence} is ${payload}, not ${known}, ${reply}`);
      const sinceMs = this.world.nowMs - (this.confirmed.get(sequence) ?? Infinity);
      if (sinceMs > UNDER_WAY_MS)
        this.breach(`message ${sequence} came again though its acknowledgement was confirmed`);
      this.inHand.push({ sequence, ack: reply });
    });
  }

  acknowledge(): void {
    for (const taken of this.inHand.splice(0, 3)) this.acknowledgeOne(taken);
  }

  private acknowledgeOne(taken: InHand): void {
    this.acked.add(taken.sequence);
    this.request("A", taken.ack, "+ACK", "", () => void this.confirmed.set(taken.sequence, this.world.nowMs));
  }

  judge(): void {
    const { servers } = this.world;
    if (this.stored.size === 0) return this.breach("nothing was acknowledged");
    const copies = servers.flatMap((server) => {
      const stream = server.jetStream?.accounts.get("A")?.assets.streams.get("S")?.stream;
      return stream === undefined ? [] : [{ server, store: stream.store }];
    });
    if (copies.length !== 3) this.breach(`${copies.length} copies of the stream`);
    for (const { server, store } of copies) {
      const replica = server.cluster!.assets.replicaOf("A", "S");
      if (replica?.problem !== "") this.breach(`${server.name}: ${replica?.problem}`);
      if (store.last !== copies[0]!.store.last)
        this.breach(`${server.name} ends at ${store.last}, another at ${copies[0]!.store.last}`);
      for (const [sequence, payload] of this.stored) {
        const found = store.read(sequence)?.payload.toString("latin1");
        if (found !== payload)
          this.breach(`${server.name} has ${found ?? "nothing"} at ${sequence}: ${payload}`);
      }
    }
    const leaders = servers.filter(({ cluster }) => cluster?.assets.replicaOf("A", "S")?.leads);
    if (leaders.length !== 1) this.breach(`${leaders.length} servers lead the stream`);
    for (const sequence of this.stored.keys())
      if (!this.acked.has(sequence)) this.breach(`${sequence} was never delivered`);
    this.world.note(`${this.stored.size} acknowledged, ${this.confirmed.size} consumed`);
  }

  breach(text: string): void {
    if (this.breaches.length < 20) this.breaches.push(text);
    this.world.note(`BREACH: ${text}`);
  }

  private ask(what: string, body: object, take: (answer: Record<string, unknown>) => void): void {
    this.request("$SYS", `$JS.API.${what}`, JSON.stringify(body), REQUEST_INFO, (text) =>
      take(JSON.parse(text) as Record<string, unknown>),
    );
  }

  /** Through any server; answers come to an inbox there. */
  private request(
    account: string,
    subject: string,
    payload: string,
    headers: string,
    take: (payload: string, reply: string) => void,
  ): void {
    const server = this.pick();
    if (server === undefined) return;
    const inbox = `_INBOX.${++this.inboxes}`;
    server.inboxes.set(inbox, ({ body, headerLength, reply }) =>
      take(Buffer.from(body.subarray(headerLength)).toString("latin1"), reply),
    );
    server.send(account, subject, payload, inbox, headers);
  }

  private pick(): SimulatedServer | undefined {
    const alive = this.world.servers.filter(({ isAlive }) => isAlive);
    return alive[randomInt(this.world.random, alive.length)];
  }
}
