/** Streams and consumers are made durable in the background: nobody is told that they are there, or that they keep something, before that. */
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { DiskError } from "../../../src/store/disk.ts";
import { FaultyDisk } from "../../support/faulty-disk.ts";
import { JetStreamStack, type Heard } from "../../support/jetstream-stack.ts";

const create = (name: string): object => ({ name, subjects: [`${name}.>`], storage: "file" });
const consumer = (stream: string, name: string): object => ({
  stream_name: stream,
  config: { durable_name: name, ack_policy: "explicit" },
});

let inboxes = 0;

/** A disk whose syncs end when a test says so, and that counts those of folders. */
class SlowDisk extends FaultyDisk {
  readonly folderSyncs: string[] = [];
  failure: DiskError | null = null;

  constructor(seed = 1) {
    super(seededRandom(seed), "when asked");
  }

  override syncFolderLater(path: string, done: (error: DiskError | null) => void): void {
    this.folderSyncs.push(path);
    super.syncFolderLater(path, () => done(this.failure));
  }

  /** Ends the syncs that are under way. */
  end(): void {
    for (const sync of this.syncs.splice(0)) sync();
  }
}

function ask(stack: JetStreamStack, subject: string, payload: object | string): Heard[] {
  const inbox = `inbox.${subject}.${++inboxes}`;
  const heard = stack.listen(inbox);
  stack.publish(subject, typeof payload === "string" ? payload : JSON.stringify(payload), {}, inbox);
  return heard;
}

describe("a stream that is made", () => {
  it("is answered for, and acknowledges, once it is durable", () => {
    const disk = new SlowDisk();
    const stack = new JetStreamStack({ disk });
    const made = ask(stack, "$JS.API.STREAM.CREATE.S", create("S"));
    const again = ask(stack, "$JS.API.STREAM.CREATE.S", create("S"));
    expect([made.length, again.length]).toEqual([0, 0]);
    const message = ask(stack, "S.a", "one"); // a lone message is synced at once, and its stream with it
    expect([made.length, again.length, message.length]).toEqual([1, 1, 1]);
    stack.crash(() => disk.crash());
    expect(stack.stream("S").store.last).toBe(1);
    stack.stop();
  });

  it("holds the acknowledgements of many until it is durable", () => {
    const disk = new SlowDisk();
    const stack = new JetStreamStack({ disk });
    const made = ask(stack, "$JS.API.STREAM.CREATE.S", create("S"));
    const inbox = stack.listen("inbox");
    for (let i = 0; i < 5; i++) stack.arrive("S.a", `${i}`, "inbox");
    stack.settle();
    expect([made.length, inbox.length]).toEqual([0, 0]);
    while (disk.syncs.length > 0) disk.end();
    stack.settle();
    expect(made[0]!.text).toContain(`"did_create":true`);
    expect(inbox.length).toBe(5);
    stack.stop();
  });

  it("is told of as it was when it was made", () => {
    const disk = new SlowDisk();
    const stack = new JetStreamStack({ disk });
    const made = ask(stack, "$JS.API.STREAM.CREATE.S", create("S"));
    stack.arrive("S.a", "one", "");
    stack.settle();
    expect(stack.stream("S").store.last).toBe(1);
    while (disk.syncs.length > 0) disk.end();
    stack.settle();
    expect(made[0]!.text).toContain(`"messages":0`);
    stack.stop();
  });

  it("goes again, with the true reason, where the disk refuses", () => {
    const disk = new SlowDisk();
    const stack = new JetStreamStack({ disk });
    disk.failure = new DiskError("cannot sync", "EIO");
    const made = ask(stack, "$JS.API.STREAM.CREATE.S", create("S"));
    disk.end();
    expect(JSON.parse(made[0]!.text)).toMatchObject({ error: { err_code: 10047 } });
    expect(stack.assets.streams.size).toBe(0);
    disk.failure = null;
    const later = ask(stack, "$JS.API.STREAM.CREATE.S", create("S"));
    disk.end();
    expect(later[0]!.text).toContain(`"did_create":true`);
    stack.stop();
  });

  it("shares its syncs with others that are made meanwhile", () => {
    const disk = new SlowDisk();
    const stack = new JetStreamStack({ disk });
    const made: Heard[][] = [];
    for (let i = 0; i < 60; i++) made.push(ask(stack, `$JS.API.STREAM.CREATE.S${i}`, create(`S${i}`)));
    while (disk.syncs.length > 0) disk.end();
    expect(made.filter(([answer]) => answer?.text.includes("did_create") !== true)).toEqual([]);
    const shared = disk.folderSyncs.filter((path) => path === "/js/A/streams");
    expect(shared.length).toBeLessThan(10);
    stack.stop();
  });

  it("is answered for at once where its policy is lazy", () => {
    const disk = new SlowDisk();
    const stack = new JetStreamStack({ disk, policy: "lazy" });
    expect(ask(stack, "$JS.API.STREAM.CREATE.S", create("S")).length).toBe(1);
    expect(ask(stack, "$JS.API.CONSUMER.CREATE.S.c", consumer("S", "c")).length).toBe(1);
    while (disk.syncs.length > 0) disk.end();
    stack.stop();
  });
});

it("a power loss at any moment costs no stream, consumer or message that was answered for", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seededRandom(seed);
    const disk = new SlowDisk(seed);
    const stack = new JetStreamStack({ disk });
    const promised: { what: string; stream: string; name: string; heard: Heard[] }[] = [];
    for (let i = 0; i < 12; i++) {
      const stream = `S${i}`;
      promised.push({
        what: "stream",
        stream,
        name: "",
        heard: ask(stack, `$JS.API.STREAM.CREATE.${stream}`, create(stream)),
      });
      if (random.next() < 0.5)
        promised.push({
          what: "consumer",
          stream,
          name: "c",
          heard: ask(stack, `$JS.API.CONSUMER.CREATE.${stream}.c`, consumer(stream, "c")),
        });
      if (random.next() < 0.4)
        promised.push({ what: "message", stream, name: "1", heard: ask(stack, `${stream}.a`, "x") });
      for (let left = Math.floor(random.next() * 12); left > 0 && disk.syncs.length > 0; left--)
        disk.syncs.splice(Math.floor(random.next() * disk.syncs.length), 1)[0]!();
      stack.settle();
    }
    const kept = promised.filter(({ heard }) => heard.length > 0);
    expect(kept.filter(({ heard }) => heard[0]!.text.includes(`"error"`))).toEqual([]);
    expect(kept.length).toBeGreaterThan(0);
    stack.crash(() => disk.crash());
    for (const { what, stream, name } of kept) {
      const found = stack.assets.streams.get(stream);
      expect(found, `seed ${seed}: ${what} of ${stream}`).toBeDefined();
      if (what === "consumer") expect(found!.consumers.has(name), `seed ${seed}: ${stream}`).toBe(true);
      if (what === "message") expect(found!.stream.store.last, `seed ${seed}: ${stream}`).toBe(1);
    }
  }
});

it("a pause of a consumer is told to whoever listens for advisories", () => {
  const stack = new JetStreamStack();
  stack.request("STREAM.CREATE.S", create("S"));
  stack.request("CONSUMER.CREATE.S.c", consumer("S", "c"));
  const heard = stack.listen("$JS.EVENT.ADVISORY.CONSUMER.PAUSE.S.c");
  stack.request("CONSUMER.PAUSE.S.c", { pause_until: "2026-02-01T00:00:00Z" });
  stack.request("CONSUMER.PAUSE.S.c");
  expect(heard.map(({ text }) => JSON.parse(text) as unknown)).toMatchObject([
    { type: "io.nats.jetstream.advisory.v1.consumer_pause", consumer: "c", paused: true },
    { paused: false },
  ]);
  stack.stop();
});
