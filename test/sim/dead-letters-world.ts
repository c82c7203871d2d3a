/**
 * A consumer with dead letters on a simulated disk and clock: clients pull, acknowledge, refuse and terminate messages or let them be, and the
 * server is killed or loses power at any moment, also between the turns of its work. The world remembers what was stored, acknowledged and
 * terminated, and checks after each end that whatever the consumer holds no longer was acknowledged, or lies where dead letters go.
 */
import { assert } from "../../src/base/assert.ts";
import { randomInt, seededRandom, type Random } from "../../src/base/random.ts";
import type { Consumer } from "../../src/jetstream/consumer/consumer.ts";
import type { Stream } from "../../src/jetstream/stream/stream.ts";
import { FaultyDisk } from "../support/faulty-disk.ts";
import { JetStreamStack } from "../support/jetstream-stack.ts";

const ACK_WAIT_MS = 1000;
const HOUR_NS = 3_600_000_000_000;
/** Turns after which work may be cut off by the end of the server. */
const TURNS_MAX = 4;
const DRAINED_WITHIN = 400;

interface Delivered {
  readonly sequence: number;
  readonly ack: string;
}

export class DeadLettersWorld {
  private readonly random: Random;
  private readonly disk: FaultyDisk;
  private readonly stack: JetStreamStack;
  private readonly inHand: Delivered[] = [];
  /** Bodies by sequence, as publishers were told. */
  private readonly stored = new Map<number, string>();
  /** Messages for which an acknowledgement was sent. */
  private readonly acked = new Set<number>();
  /** Messages whose termination was confirmed. */
  private readonly terminated = new Set<number>();
  private made = 0;
  private inboxes = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.disk = new FaultyDisk(this.random, seed % 2 === 0 ? "at once" : "when asked");
    this.stack = new JetStreamStack({ disk: this.disk });
    const retention = seed % 3 === 0 ? "workqueue" : "limits";
    const dead = { name: "DEAD", subjects: ["dead.>"], duplicate_window: HOUR_NS };
    this.make("STREAM.CREATE.DEAD", dead);
    this.make("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], retention });
    this.make("CONSUMER.CREATE.S.c", {
      stream_name: "S",
      config: {
        ...{ name: "c", durable_name: "c", ack_policy: "explicit", max_deliver: 2 },
        ack_wait: ACK_WAIT_MS * 1e6,
        metadata: { "shoal.dead_letter": seed % 4 < 2 ? "DEAD" : "dead.s" },
      },
    });
  }

  run(steps: number): void {
    for (let i = 0; i < steps; i++) this.step();
    this.drain();
    this.stack.stop();
  }

  private step(): void {
    const dice = this.random.next();
    if (dice < 0.25) this.publish();
    else if (dice < 0.45) this.pull();
    else if (dice < 0.7) this.settleOne();
    else if (dice < 0.85) this.stack.advance(randomInt(this.random, 1500));
    else if (dice < 0.95) this.endSyncs();
    else if (dice < 0.97) this.end(() => this.disk.crash());
    else if (dice < 0.99) this.end(() => this.disk.kill());
    else this.restart();
    if (this.random.next() < 0.6) this.stack.settle();
    else for (let turns = randomInt(this.random, TURNS_MAX); turns > 0; turns--) this.stack.turn();
  }

  private publish(): void {
    const body = `message ${++this.made}`;
    this.send(`s.${randomInt(this.random, 3)}`, body, (text) => {
      const { seq, error } = JSON.parse(text) as { seq: number; error?: unknown };
      assert(error === undefined, "nothing is refused");
      this.stored.set(seq, body);
    });
  }

  private pull(): void {
    const request = JSON.stringify({ batch: 1 + randomInt(this.random, 4), expires: 1e9 });
    this.send("$JS.API.CONSUMER.MSG.NEXT.S.c", request, (_, ack) => {
      if (ack === "") return;
      const sequence = Number(ack.split(".")[5]);
      assert(!this.terminated.has(sequence), `message ${sequence} came again though its end was confirmed`);
      this.inHand.push({ sequence, ack });
    });
  }

  private settleOne(): void {
    const taken = this.inHand.splice(randomInt(this.random, Math.max(1, this.inHand.length)), 1)[0];
    if (taken === undefined) return;
    const { sequence, ack } = taken;
    const dice = this.random.next();
    if (dice < 0.25) {
      this.acked.add(sequence);
      this.send(ack, "+ACK", () => {});
    } else if (dice < 0.6) this.send(ack, "+TERM not for me", () => void this.terminated.add(sequence));
    else if (dice < 0.8) this.send(ack, "-NAK", () => {});
  }

  private endSyncs(): void {
    for (const sync of this.disk.syncs.splice(0)) sync();
  }

  private end(lose: () => void): void {
    this.inHand.length = 0;
    this.stack.crash(lose);
    this.check();
  }

  private restart(): void {
    this.endSyncs();
    this.inHand.length = 0;
    this.stack.restart();
    this.check();
  }

  private check(): void {
    const { consumer, stream } = this;
    const letters = this.letters();
    for (const [sequence, body] of this.stored) {
      const letter = letters.get(sequence);
      assert(letter === undefined || letter === body, `the letter of message ${sequence} is another one`);
      if (this.acked.has(sequence) || letter !== undefined) continue;
      const subject = stream.store.subjectOf(sequence);
      const isHeld = subject !== "" && consumer.needs(sequence, subject);
      assert(isHeld, `message ${sequence} was given up, and is not among the dead letters`);
    }
    for (const sequence of this.terminated) {
      if (this.acked.has(sequence)) continue;
      assert(letters.has(sequence), `message ${sequence} was confirmed as terminated, and has no letter`);
      assert(!consumer.state.pending.has(sequence), `message ${sequence} is pending after its end`);
    }
  }

  /** In the end each message was acknowledged, or is a dead letter, and nothing is pending. */
  private drain(): void {
    const isLeft = (): boolean => {
      const letters = this.letters();
      const { consumer } = this;
      if (consumer.ahead.count > 0 || consumer.state.pending.size > 0) return true;
      return [...this.stored.keys()].some((one) => !this.acked.has(one) && !letters.has(one));
    };
    for (let i = 0; i < DRAINED_WITHIN && isLeft(); i++) {
      this.pull();
      this.stack.settle();
      this.endSyncs();
      this.stack.advance(ACK_WAIT_MS);
      this.endSyncs();
      this.stack.settle();
    }
    assert(!isLeft(), "everything is given up in the end, and kept elsewhere");
    this.check();
  }

  /** Payloads by the sequence that they had; each is there once. */
  private letters(): Map<number, string> {
    const { store } = this.stack.stream("DEAD");
    const found = new Map<number, string>();
    for (let at = store.next(1, null); at !== 0; at = store.next(at + 1, null)) {
      const view = store.read(at);
      assert(view !== null, "a dead letter can be read");
      const sequence = Number(/Shoal-Dead-Letter-Sequence: (\d+)\r\n/.exec(view.headers)?.[1]);
      assert(!found.has(sequence), `message ${sequence} has two letters`);
      found.set(sequence, view.body.toString("latin1", view.headerLength));
    }
    return found;
  }

  private get stream(): Stream {
    return this.stack.stream("S");
  }

  private get consumer(): Consumer {
    return this.stack.assets.streams.get("S")!.consumers.get("c")!;
  }

  private make(subject: string, config: object): void {
    let answer = "";
    this.send(`$JS.API.${subject}`, JSON.stringify(config), (text) => void (answer = text));
    this.stack.settle();
    this.endSyncs();
    this.stack.settle();
    assert(answer !== "" && !answer.includes('"error"'), "what the world begins with is made");
  }

  /** What it brings about is done later, turn by turn. */
  private send(subject: string, payload: string, receive: (text: string, reply: string) => void): void {
    const inbox = `_INBOX.${++this.inboxes}`;
    this.stack.hear(inbox, ({ text, reply }) => receive(text, reply));
    this.stack.arrive(subject, payload, inbox);
  }
}
