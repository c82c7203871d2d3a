/**
 * Restores damaged backups of both forms. The first byte says what is damaged, and whether the stream is in memory; the rest are wounds (see
 * `support/damage.ts`). What has sums of its own gets sums that fit the damage. A backup is refused or becomes a stream, which then takes
 * messages, serves those that it has, and is the same after a restart.
 */
import { assert } from "../src/base/assert.ts";
import { oldHash } from "../src/jetstream/backup/old-blocks.ts";
import { BackupFrames, plainFrame, streamStart } from "../src/jetstream/backup/s2-stream.ts";
import { tarEnd, tarFile, TarReader } from "../src/jetstream/backup/tar.ts";
import { restore, save, type Backup } from "../test/support/backups.ts";
import { JetStreamStack } from "../test/support/jetstream-stack.ts";
import { wounded } from "./support/damage.ts";

type Json = Record<string, unknown>;
const SUM_BYTES = 8;
const TIME_NS = 1_800_000_000_000_000_000n;

const source = new JetStreamStack();
source.request("STREAM.CREATE.S", {
  ...{ name: "S", subjects: ["s.>"], storage: "memory", allow_msg_ttl: true, allow_msg_schedules: true },
});
source.request("CONSUMER.DURABLE.CREATE.S.c", {
  stream_name: "S",
  config: { durable_name: "c", ack_policy: "explicit" },
});
for (let i = 1; i <= 12; i++)
  source.publish(`s.${i % 3}`, `body ${i}`, i % 2 === 0 ? { Kind: "even", "Nats-TTL": "1h" } : {});
for (const seq of [3, 4, 12]) source.request("STREAM.MSG.DELETE.S", { seq });
const heard = source.listen("inbox");
source.publish("$JS.API.CONSUMER.MSG.NEXT.S.c", '{"batch":6}', {}, "inbox");
for (const { reply } of heard.slice(0, 3)) source.publish(reply, "+ACK");
const archive = save(source, "S");
const { config } = source.request("STREAM.INFO.S") as { config: Json };
source.request("STREAM.UPDATE.S", { ...config, metadata: { "shoal.backup": "2.14" } });
const tar = unpacked(save(source, "S").bytes);
const archived = unpacked(archive.bytes);
const files = filesOf(tar);

function unpacked(bytes: Buffer): Buffer {
  const frames = new BackupFrames();
  frames.add(bytes);
  const all: Buffer[] = [];
  for (let frame = frames.next(); frame !== null; frame = frames.next()) all.push(frame);
  return Buffer.concat(all);
}

function filesOf(bytes: Buffer): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  let last = "";
  const reader = new TarReader({
    file: (name) => void found.set((last = name), Buffer.alloc(0)),
    content: (piece) => void found.set(last, Buffer.concat([found.get(last)!, piece])),
    fileEnd: () => {},
  });
  for (let at = 0; at < bytes.length;) at += reader.take(bytes.subarray(at));
  return found;
}

/** An index as nats-server 2.14 writes it: one block, of which one message went. */
const INDEX = Buffer.from([
  11, 4, 9, 99, 1, 0, 12, 0, 1, 1, 0x73, 9, 1, 1, 1, 1, 99, 1, 0, 12, 0, 0, 0, 0, 1,
]);

function withFile(name: string, content: Buffer): Buffer {
  const all = new Map([...files, [name, content]]);
  // an index comes before the consumers
  const names = [...all.keys()].toSorted(
    (a, b) => Number(a.startsWith("obs/")) - Number(b.startsWith("obs/")),
  );
  return Buffer.concat([...names.map((one) => tarFile(one, all.get(one)!, TIME_NS)), tarEnd()]);
}

function hurt(content: Buffer, wounds: Uint8Array, kinds: "in place" | "all"): Buffer {
  const files = new Map([["content", content]]);
  return wounded(files, files, wounds, kinds).get("content") ?? Buffer.alloc(0);
}

function damaged(what: number, wounds: Uint8Array): Buffer {
  if (what === 0) return hurt(tar, wounds, "all");
  if (what === 1) return hurt(archived, wounds, "all");
  if (what === 2) return withFile("obs/c/o.dat", hurt(files.get("obs/c/o.dat")!, wounds, "all"));
  if (what === 3) {
    const index = hurt(INDEX, wounds, "all");
    return withFile("msgs/index.db", Buffer.concat([index, oldHash("S").hash([index])]));
  }
  const block = rehashed(hurt(files.get("msgs/1.blk")!, wounds, "in place"));
  return withFile("msgs/1.blk", block);
}

/** Each record gets a sum that fits. */
function rehashed(block: Buffer): Buffer {
  const hash = oldHash("S-1");
  for (let at = 0; at + 30 <= block.length;) {
    const length = block.readUInt32LE(at) % 0x80000000;
    const subjectEnd = at + 22 + block.readUInt16LE(at + 20);
    const bodyAt = subjectEnd + (block.readUInt32LE(at) >= 0x80000000 ? 4 : 0);
    const end = at + length - SUM_BYTES;
    if (length < 30 || end + SUM_BYTES > block.length || bodyAt > end) break;
    const pieces = [
      block.subarray(at + 4, at + 20),
      block.subarray(at + 22, subjectEnd),
      block.subarray(bodyAt, end),
    ];
    hash.hash(pieces).copy(block, end);
    at += length;
  }
  return block;
}

export function fuzz(bytes: Uint8Array): void {
  const [how = 0] = bytes;
  const storage = (how & 0x80) === 0 ? "file" : "memory";
  const content = damaged((how & 0x7f) % 5, bytes.subarray(1));
  const frame = content.length === 0 ? [] : [plainFrame(content)];
  const backup: Backup = {
    config: { ...archive.config, storage },
    bytes: Buffer.concat([streamStart(), ...frame]),
  };
  const stack = new JetStreamStack();
  const answer = restore(stack, backup);
  if (answer["error"] !== undefined) {
    assert(stack.request("STREAM.NAMES")["streams"] === null, "nothing is left behind");
    return;
  }
  const before = seen(stack);
  assert(stack.ask("s.1", "next") !== null, "it takes messages");
  if (storage === "memory") return;
  stack.restart();
  const { messages } = seen(stack);
  assert(messages.startsWith(before.messages), "a restart changes nothing");
}

function seen(stack: JetStreamStack): { readonly messages: string } {
  const { store } = stack.stream("S");
  const all: string[] = [];
  for (let at = store.next(1, null, store.last); at !== 0; at = store.next(at + 1, null, store.last)) {
    const view = store.read(at);
    if (view !== null) all.push(`${at} ${view.subject} ${Buffer.from(view.body).toString("hex")}`);
  }
  return { messages: all.join("\n") };
}
