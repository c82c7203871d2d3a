/** Clients of a simulated cluster, and what they know: which message was acknowledged with which sequence, and which acknowledgements count. */
import { randomInt, type Random } from "../../../src/base/random.ts";
import { copiesOf, differences, isDamaged, messagesIn } from "./copies.ts";
import { ClientRequests } from "./requests.ts";
import type { SimulatedServer } from "./server.ts";

/** A message that was sent before its acknowledgement was confirmed may come after that. */
const UNDER_WAY_MS = 1000;

const STREAM = { name: "S", subjects: ["s.>"] };

interface ClientsWorld {
  readonly random: Random;
  /** Else servers lose their disks, so that one copy is not enough. */
  readonly changesReplicas: boolean;
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
  readonly requests: ClientRequests;
  private readonly world: ClientsWorld;
  /** Payloads by the sequence that their publisher was told. */
  private readonly stored = new Map<number, string>();
  /** When the acknowledgement of a sequence was confirmed, milliseconds. */
  private readonly confirmed = new Map<number, number>();
  /** Sequences that were acknowledged, whether that was confirmed or not. */
  private readonly acked = new Set<number>();
  private readonly inHand: InHand[] = [];
  /** Somebody has asked for their removal, whatever has become of that. */
  private readonly removed = new Set<number>();
  private made = 0;
  private hasStream = false;
  hasConsumer = false;

  constructor(world: ClientsWorld) {
    this.world = world;
    this.requests = new ClientRequests(world);
  }

  makeAssets(): void {
    if (!this.hasStream) {
      const replicas = this.world.changesReplicas && randomInt(this.world.random, 3) === 0 ? 1 : 3;
      this.requests.ask("STREAM.CREATE.S", { ...STREAM, num_replicas: replicas }, (answer) => {
        if (answer["error"] === undefined) this.hasStream = true;
      });
    } else if (!this.hasConsumer) {
      const config = { durable_name: "c", ack_policy: "explicit", ack_wait: 5e9, max_ack_pending: 50 };
      this.requests.ask("CONSUMER.CREATE.S.c", { stream_name: "S", config }, (answer) => {
        if (answer["error"] === undefined) this.hasConsumer = true;
      });
    }
  }

  /** More replicas, or fewer. */
  scale(): void {
    if (!this.hasStream) return;
    const { servers, random } = this.world;
    const replicas = randomInt(random, 2) === 0 ? 1 : randomInt(random, 2) === 0 ? 3 : servers.length;
    this.requests.ask("STREAM.UPDATE.S", { ...STREAM, num_replicas: replicas }, (answer) =>
      this.world.note(`${replicas} replicas: ${JSON.stringify(answer["error"] ?? "taken")}`),
    );
  }

  /** Another server is to keep the copy of one of them. */
  replace(): void {
    const { servers, random } = this.world;
    const { name } = servers[randomInt(random, servers.length)]!;
    this.requests.ask("STREAM.PEER.REMOVE.S", { peer: name }, (answer) =>
      this.world.note(`${name} is to keep nothing: ${JSON.stringify(answer["error"] ?? "taken")}`),
    );
  }

  /** Removes a message: those that go are no more than forgotten. */
  remove(): void {
    const sequences = [...this.stored.keys()];
    const sequence = sequences[randomInt(this.world.random, Math.max(1, sequences.length))];
    if (sequence === undefined || !this.acked.has(sequence)) return;
    this.removed.add(sequence);
    this.requests.ask("STREAM.MSG.DELETE.S", { seq: sequence }, () => {});
  }

  stepDown(): void {
    const { random } = this.world;
    const what = ["STREAM.LEADER.STEPDOWN.S", "CONSUMER.LEADER.STEPDOWN.S.c"][randomInt(random, 2)]!;
    this.requests.ask(what, {}, () => this.world.note(`${what} was done`));
  }

  publish(): void {
    if (!this.hasStream) return;
    const payload = `message ${++this.made}`;
    this.requests.send({ subject: `s.${randomInt(this.world.random, 5)}`, payload }, (text) => {
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
    this.requests.send({ subject: "$JS.API.CONSUMER.MSG.NEXT.S.c", payload: body }, (payload, reply) => {
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
    this.requests.send({ subject: taken.ack, payload: "+ACK" }, () => {
      this.confirmed.set(taken.sequence, this.world.nowMs);
    });
  }

  judge(): void {
    const { servers } = this.world;
    if (this.stored.size === 0) return this.breach("nothing was acknowledged");
    for (const difference of differences(servers, "S")) this.breach(difference);
    for (const { server, store } of copiesOf(servers, "S")) {
      for (const [sequence, payload] of this.stored) {
        if (this.removed.has(sequence) || isDamaged(store, sequence)) continue;
        const found = store.read(sequence)?.payload.toString("latin1");
        if (found !== payload)
          this.breach(`${server.name} has ${found ?? "nothing"} at ${sequence}: ${payload}`);
      }
      const all = [...messagesIn(store)].map(({ payload }) => payload);
      if (new Set(all).size !== all.length) this.breach(`${server.name} has a message twice`);
    }
    for (const sequence of this.stored.keys())
      if (!this.acked.has(sequence) && !this.removed.has(sequence))
        this.breach(`${sequence} was never delivered`);
    this.world.note(`${this.stored.size} acknowledged, ${this.confirmed.size} consumed`);
  }

  breach(text: string): void {
    if (this.breaches.length < 20) this.breaches.push(text);
    this.world.note(`BREACH: ${text}`);
  }
}
