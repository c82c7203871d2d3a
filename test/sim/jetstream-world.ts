/**
 * JetStream of one account on a simulated disk and clock, with clients that publish, pull and acknowledge at random, and machines that lose
 * power. The world remembers what was confirmed to whom, and checks after each loss that it is so.
 */
import { assert } from "../../src/base/assert.ts";
import { VirtualClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { randomInt, seededRandom, type Random } from "../../src/base/random.ts";
import { NO_LIMITS } from "../../src/jetstream/limits.ts";
import { SENT_ANSWERS, sentLane } from "../support/sent-lane.ts";
import type { AccountHost, Incoming, Outgoing } from "../../src/jetstream/host.ts";
import { JetStream } from "../../src/jetstream/jetstream.ts";
import { subjectMatches } from "../../src/subject/subject.ts";
import { sealed } from "../support/sealed.ts";
import { FaultyDisk } from "../support/faulty-disk.ts";

interface Listener {
  readonly subject: string;
  readonly receive: (message: Incoming) => void;
}

interface Delivered {
  readonly sequence: number;
  readonly ack: string;
  readonly body: string;
}

const INBOX = "_INBOX.";
const START_MS = 1_800_000_000_000;
const ACK_WAIT_MS = 5000;

export class JetStreamWorld {
  private readonly random: Random;
  private readonly clock = new VirtualClock(START_MS);
  private readonly disk: FaultyDisk;
  private listeners: Listener[] = [];
  private afterwards: (() => void)[] = [];
  private jetStream: JetStream;
  private inboxes = 0;
  private made = 0;
  private readonly waiting = new Map<string, (message: Outgoing) => void>();
  /** Bodies by sequence, as publishers were told. */
  private readonly stored = new Map<number, string>();
  /** Sequences whose acknowledgement was confirmed, and of those that were sent one at all. */
  private readonly confirmed = new Set<number>();
  private readonly acked = new Set<number>();
  private readonly inHand: Delivered[] = [];
  /** How many messages each batch has. */
  private readonly batches = new Map<string, number>();
  private readonly isEncrypted: boolean;
  private readonly retention: "limits" | "workqueue";

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.disk = new FaultyDisk(this.random, seed % 2 === 0 ? "at once" : "when asked");
    this.isEncrypted = seed % 5 === 0;
    this.retention = seed % 3 === 0 ? "workqueue" : "limits";
    this.jetStream = this.boot();
    const config = { name: "S", subjects: ["s.>"], retention: this.retention, allow_atomic: true };
    this.request("$JS.API.STREAM.CREATE.S", config);
    this.request("$JS.API.CONSUMER.CREATE.S.c", {
      stream_name: "S",
      config: {
        name: "c",
        durable_name: "c",
        ack_policy: "explicit",
        ack_wait: ACK_WAIT_MS * 1e6,
        max_ack_pending: 20,
      },
    });
  }

  run(steps: number): void {
    for (let i = 0; i < steps; i++) this.step();
    this.drain();
    this.jetStream.stop();
  }

  private step(): void {
    const dice = this.random.next();
    if (dice < 0.33) this.publish();
    else if (dice < 0.4) this.publishBatch();
    else if (dice < 0.55) this.pull();
    else if (dice < 0.8) this.acknowledge();
    else if (dice < 0.9) this.clock.advance(randomInt(this.random, 2000));
    else if (dice < 0.95) this.endSyncs();
    else if (dice < 0.97) this.crash();
    else if (dice < 0.98) this.restart();
    this.settle();
  }

  private publish(): void {
    const body = `message ${++this.made}`;
    this.send(`s.${randomInt(this.random, 5)}`, body, (answer) => {
      const { seq, error } = JSON.parse(text(answer)) as { seq: number; error?: unknown };
      assert(error === undefined, "nothing is refused");
      assert(!this.stored.has(seq), `sequence ${seq} was given twice`);
      this.stored.set(seq, body);
    });
  }

  /** Some messages of which all are stored, or none. */
  private publishBatch(): void {
    const id = `batch ${++this.made}`;
    const size = 2 + randomInt(this.random, 6);
    this.batches.set(id, size);
    for (let i = 1; i <= size; i++) {
      const commit = i === size ? "Nats-Batch-Commit: 1\r\n" : "";
      const headers = `NATS/1.0\r\nNats-Batch-Id: ${id}\r\nNats-Batch-Sequence: ${i}\r\n${commit}\r\n`;
      const body = `${id}: ${"x".repeat(randomInt(this.random, 1500))} ${i}`;
      this.send(
        `s.${randomInt(this.random, 5)}`,
        body,
        (answer) => {
          if (i < size) return;
          const { seq, error } = JSON.parse(text(answer)) as { seq: number; error?: unknown };
          assert(error === undefined, "no batch is refused");
          for (let sequence = seq - size + 1; sequence <= seq; sequence++) {
            assert(!this.stored.has(sequence), `sequence ${sequence} was given twice`);
            const view = this.assets.stream.store.read(sequence);
            if (view !== null) this.stored.set(sequence, view.body.subarray(view.headerLength).toString());
          }
        },
        headers,
      );
    }
  }

  /** Of each batch all messages are there, or none. Work queues give up those that were acknowledged. */
  private checkBatches(): void {
    if (this.retention === "workqueue") return;
    const { store } = this.assets.stream;
    const found = new Map<string, number>();
    for (let at = store.next(1, null); at !== 0; at = store.next(at + 1, null)) {
      const id = store
        .read(at)
        ?.body.toString()
        .match(/^.*\r\n\r\n(batch \d+): /s)?.[1];
      if (id !== undefined) found.set(id, (found.get(id) ?? 0) + 1);
    }
    for (const [id, count] of found)
      assert(
        count === this.batches.get(id),
        `${count} of ${this.batches.get(id)} messages of ${id} are there`,
      );
  }

  private pull(): void {
    const batch = 1 + randomInt(this.random, 5);
    this.send("$JS.API.CONSUMER.MSG.NEXT.S.c", JSON.stringify({ batch, expires: 1e9 }), (message) => {
      const ack = String(message.reply);
      if (ack === "") return;
      const sequence = Number(ack.split(".")[5]);
      const body = text(message);
      const known = this.stored.get(sequence);
      assert(known === undefined || known === body, `message ${sequence} is another one`);
      assert(
        !this.confirmed.has(sequence),
        `message ${sequence} came again though its acknowledgement was confirmed`,
      );
      this.inHand.push({ sequence, ack, body });
    });
  }

  private acknowledge(): void {
    const taken = this.inHand.splice(randomInt(this.random, Math.max(1, this.inHand.length)), 1)[0];
    if (taken === undefined) return;
    const isRefusal = this.random.next() < 0.1;
    if (!isRefusal) this.acked.add(taken.sequence);
    this.send(taken.ack, isRefusal ? "-NAK" : "+ACK", () => {
      if (!isRefusal) this.confirmed.add(taken.sequence);
    });
  }

  private endSyncs(): void {
    for (const sync of this.disk.syncs.splice(0)) sync();
  }

  private crash(): void {
    this.forgetMemory();
    this.disk.crash();
    this.jetStream = this.boot();
    this.check();
  }

  private restart(): void {
    this.endSyncs();
    this.settle();
    this.jetStream.stop();
    this.forgetMemory();
    this.jetStream = this.boot();
    this.check();
  }

  private forgetMemory(): void {
    this.listeners = [];
    this.afterwards = [];
    this.waiting.clear();
    this.inHand.length = 0;
    this.disk.kill();
  }

  /** Everything that was confirmed holds. */
  private check(): void {
    const { stream, consumers } = this.assets;
    const { state } = consumers.get("c")!;
    assert(state.floor.stream <= stream.store.last, "the floor does not pass the stream's last sequence");
    for (const [sequence, body] of this.stored) {
      assert(sequence <= stream.store.last, `the last sequence fell below ${sequence}`);
      if (this.retention === "workqueue" && this.acked.has(sequence)) continue;
      const view = stream.store.read(sequence);
      assert(view !== null, `confirmed message ${sequence} is gone`);
      const payload = view.body.subarray(view.headerLength).toString();
      assert(payload === body, `confirmed message ${sequence} is another one`);
    }
    this.checkBatches();
    for (const sequence of this.confirmed)
      assert(
        !state.pending.has(sequence),
        `message ${sequence} is pending though its acknowledgement was confirmed`,
      );
    for (const { from, to } of stream.store.lost) {
      for (let sequence = from; sequence <= to; sequence++)
        assert(!this.stored.has(sequence), `confirmed message ${sequence} is called lost`);
    }
  }

  /** In the end everything that was confirmed to a publisher reaches the consumer. */
  private drain(): void {
    const isLeft = (): boolean =>
      this.assets.consumers.get("c")!.ahead.count > 0 ||
      [...this.stored.keys()].some((sequence) => !this.confirmed.has(sequence));
    for (let i = 0; i < 1000 && isLeft(); i++) {
      this.endSyncs();
      this.pull();
      this.settle();
      while (this.inHand.length > 0) {
        const taken = this.inHand.pop()!;
        this.send(taken.ack, "+ACK", () => void this.confirmed.add(taken.sequence));
      }
      this.endSyncs();
      this.settle();
      this.clock.advance(ACK_WAIT_MS / 4);
      this.settle();
    }
    for (const sequence of this.stored.keys()) {
      const isSettled = this.confirmed.has(sequence) || this.acked.has(sequence);
      assert(isSettled, `message ${sequence} never reached the consumer`);
    }
    const { num_pending: pending } = this.request("$JS.API.CONSUMER.INFO.S.c", "") as { num_pending: number };
    assert(pending === 0, `${pending} messages are counted as ahead, though all were delivered`);
  }

  private get assets() {
    const found = this.jetStream.accounts.get("A")?.assets.streams.get("S");
    assert(found !== undefined, "the stream is there");
    return found;
  }

  // ---- the server around it ----

  private boot(): JetStream {
    const jetStream = new JetStream({
      disk: this.isEncrypted ? sealed(this.disk, "/js") : this.disk,
      folder: "/js",
      policy: "sync",
      bytesLeft: () => Infinity,
      facts: { level: 0, version: "", server: "sim", domain: "", isStrict: true },
      logger: silentLogger,
      accounts: [{ host: this.host(), limits: NO_LIMITS }],
    });
    jetStream.start();
    this.settle();
    return jetStream;
  }

  private host(): AccountHost {
    const { clock, random } = this;
    const alive = this.listeners;
    return {
      name: "A",
      domain: "",
      clock: {
        nowMs: () => clock.nowMs(),
        // timers of a server that has lost power do not fire
        setTimer: (delayMs, fire) => clock.setTimer(delayMs, () => this.listeners === alive && fire()),
      },
      random,
      logger: silentLogger,
      nowNs: () => BigInt(clock.nowMs()) * 1_000_000n,
      send: (message) => this.deliver(message),
      sendNumbered: ({ subject, before, number, after }) =>
        this.deliver({ subject, reply: "", headers: "", payload: `${before}${number}${after}` }),
      answers: SENT_ANSWERS,
      lane: (subject) =>
        sentLane(
          subject,
          () => this.waiting.has(subject) || alive.some((one) => subjectMatches(one.subject, subject)),
        ),
      isAwaited: (subject) =>
        this.waiting.has(subject) || alive.some((one) => subjectMatches(one.subject, subject)),
      listen: (subject, receive) => {
        const listener = { subject, receive };
        alive.push(listener);
        return { [Symbol.dispose]: () => void alive.splice(alive.indexOf(listener), 1) };
      },
      onInterest: () => {},
      afterwards: (work) => void this.afterwards.push(work),
      soon: (work) => void this.afterwards.push(work),
    };
  }

  private deliver(message: Outgoing): boolean {
    const receive = this.waiting.get(message.subject);
    receive?.(message);
    return receive !== undefined;
  }

  private send(subject: string, payload: string, receive: (message: Outgoing) => void, headers = ""): void {
    const reply = `${INBOX}${++this.inboxes}`;
    this.waiting.set(reply, receive);
    const message = { subject, reply, headerLength: headers.length, body: Buffer.from(headers + payload) };
    for (const listener of [...this.listeners])
      if (subjectMatches(listener.subject, subject)) listener.receive(message);
  }

  private request(subject: string, body: object | string): unknown {
    let answer: unknown = null;
    this.send(
      subject,
      body === "" ? "" : JSON.stringify(body),
      (message) => (answer = JSON.parse(text(message))),
    );
    this.settle();
    while (answer === null && this.disk.syncs.length > 0) this.endSyncs(); // what was made is answered for when it is durable
    assert(answer !== null && !("error" in (answer as object)), `${subject}: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** The turn ends: what was put off is done. */
  private settle(): void {
    while (this.afterwards.length > 0) for (const work of this.afterwards.splice(0)) work();
  }
}

function text({ payload }: Outgoing): string {
  return Buffer.from(payload).toString();
}
