/**
 * Two streams that clients publish to, a mirror of one and a stream that has both as sources, on a disk that loses power. The world
 * remembers what was confirmed, and checks what has been taken over: nothing is lost, nothing comes twice, a mirror is the same.
 */
import { assert } from "../../src/base/assert.ts";
import { randomInt, seededRandom, type Random } from "../../src/base/random.ts";
import type { Stream } from "../../src/jetstream/stream/stream.ts";
import { FaultyDisk } from "../support/faulty-disk.ts";
import { JetStreamStack } from "../support/jetstream-stack.ts";

/** Turns until everything has been taken over. */
const DRAIN_MAX = 400;

export class OriginsWorld {
  private readonly random: Random;
  private readonly disk: FaultyDisk;
  private readonly stack: JetStreamStack;
  private made = 0;
  /** Messages that were confirmed to publishers, and where the sources' stream has them for good. */
  private readonly confirmed = new Set<string>();
  private readonly taken = new Map<string, number>();
  /** Messages of the mirrored stream, by sequence. */
  private readonly origin = new Map<number, string>();
  private checkedTo = 0;
  private mirroredTo = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.disk = new FaultyDisk(this.random, seed % 2 === 0 ? "at once" : "when asked");
    this.stack = new JetStreamStack({ disk: this.disk });
    const retention = seed % 3 === 0 ? "workqueue" : seed % 3 === 1 ? "limits" : "interest";
    this.create("O", { subjects: ["o.>"] });
    this.create("P", { subjects: ["p.>"], retention });
    this.create("M", { mirror: { name: "O" } });
    const parts = ["o.1", "o.2", "o.3"].map((filter) => ({ name: "O", filter_subject: filter }));
    this.create("S", { sources: [...parts, { name: "P" }] });
    // with interest retention what is published before there is a consumer is not kept
    for (let i = 0; i < 5; i++) this.advance(1000);
  }

  run(steps: number): void {
    for (let i = 0; i < steps; i++) this.step();
    this.drain();
    this.stack.stop();
  }

  private step(): void {
    const dice = this.random.next();
    if (dice < 0.5) this.publish();
    else if (dice < 0.58) this.remove();
    else if (dice < 0.8) this.advance(randomInt(this.random, 1500));
    else if (dice < 0.94) this.endSyncs();
    else if (dice < 0.945) this.purge();
    else if (dice < 0.95) this.advance(15_000);
    else if (dice < 0.98) this.crash();
    else this.restart();
    this.check();
  }

  private publish(): void {
    const stream = this.random.next() < 0.5 ? "o" : "p";
    const body = `${stream} ${++this.made} ${"x".repeat(randomInt(this.random, 700))}`;
    const inbox = `_INBOX.${this.made}`;
    this.stack.hear(inbox, ({ text }) => {
      assert(!text.includes("error"), `nothing is refused: ${text}`);
      this.confirmed.add(body);
    });
    this.stack.publish(`${stream}.${1 + randomInt(this.random, 3)}`, body, {}, inbox);
  }

  /** From the stream with sources, also the last one, whose bytes go. */
  private remove(): void {
    const { store } = this.stream("S");
    const seq = this.random.next() < 0.5 ? store.last : 1 + randomInt(this.random, store.last + 1);
    this.check();
    if (store.has(seq) && seq <= this.stream("S").commit.sequence)
      this.stack.request("STREAM.MSG.DELETE.S", { seq, no_erase: this.random.next() < 0.5 });
  }

  /** Once it is known what was taken. */
  private purge(): void {
    const { commit, store } = this.stream("S");
    while (commit.sequence < store.last) this.endSyncs();
    this.check();
    this.stack.request("STREAM.PURGE.S", { keep: 2 });
  }

  private endSyncs(): void {
    for (const sync of this.disk.syncs.splice(0)) sync();
    this.stack.settle();
  }

  private advance(ms: number): void {
    this.stack.advance(ms);
    this.endSyncs();
  }

  private crash(): void {
    this.stack.crash(() => {
      this.disk.kill();
      if (this.random.next() < 0.7) this.disk.crash();
    });
  }

  private restart(): void {
    this.endSyncs();
    this.stack.restart();
  }

  private check(): void {
    const taken = this.stream("S");
    for (const [sequence, body] of durable(taken, this.checkedTo)) {
      const before = this.taken.get(body);
      assert(before === undefined, `${body.slice(0, 10)} was taken as ${before} and as ${sequence}`);
      this.taken.set(body, sequence);
    }
    this.checkedTo = Math.max(this.checkedTo, taken.commit.sequence);
    const origin = this.stream("O");
    for (const [sequence, body] of durable(origin, 0)) this.origin.set(sequence, body);
    const mirror = this.stream("M");
    for (const [sequence, body] of durable(mirror, this.mirroredTo)) {
      assert(this.origin.get(sequence) === body, `message ${sequence} of the mirror is that of its origin`);
      const isSame = origin.store.timeOf(sequence) === mirror.store.timeOf(sequence);
      assert(isSame, `message ${sequence} of the mirror has its time`);
    }
    this.mirroredTo = Math.max(this.mirroredTo, mirror.commit.sequence);
    for (const sequence of this.origin.keys()) {
      const isThere = sequence > mirror.commit.sequence || mirror.store.has(sequence);
      assert(isThere, `message ${sequence} is missing in the mirror`);
    }
  }

  private drain(): void {
    const missing = (): string[] => [...this.confirmed].filter((body) => !this.taken.has(body));
    const isBehind = (): boolean => this.stream("M").store.last < this.stream("O").store.last;
    for (let i = 0; i < DRAIN_MAX && (missing().length > 0 || isBehind()); i++) {
      this.advance(500);
      this.check();
    }
    assert(missing().length === 0, `never taken: ${missing().join(" ").replaceAll("x", "")}`);
    assert(!isBehind(), "the mirror has all of its origin");
    if (this.stream("P").config.retention === "limits") return;
    for (let i = 0; i < DRAIN_MAX && this.stream("P").store.messages > 0; i++) this.advance(500);
    assert(this.stream("P").store.messages === 0, "what the other stream has is given up");
  }

  private stream(name: string): Stream {
    return this.stack.stream(name);
  }

  private create(name: string, config: object): void {
    const inbox = this.stack.listen(`created.${name}`);
    const payload = JSON.stringify({ name, ...config });
    this.stack.publish(`$JS.API.STREAM.CREATE.${name}`, payload, {}, `created.${name}`);
    while (inbox.length === 0 && this.disk.syncs.length > 0) this.endSyncs();
    assert(inbox[0]?.text.includes(`"did_create":true`) === true, `${name} is made: ${inbox[0]?.text}`);
  }
}

/** The messages behind `from` that are on the disk, by sequence. */
function* durable({ store, commit }: Stream, from: number): Generator<[number, string]> {
  for (
    let at = store.next(from + 1, null);
    at !== 0 && at <= commit.sequence;
    at = store.next(at + 1, null)
  ) {
    const view = store.read(at);
    assert(view !== null, "nothing is damaged");
    yield [at, view.body.subarray(view.headerLength).toString("latin1")];
  }
}
