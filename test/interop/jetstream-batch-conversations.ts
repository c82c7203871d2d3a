/** Batches of messages: see jetstream-conversations.ts. */
import { create, info, update, type Step } from "./jetstream-conversations.ts";
import { get, last } from "./jetstream-feature-conversations.ts";

const part = (id: string, sequence: number, more: Record<string, string> = {}): Record<string, string> => ({
  "Nats-Batch-Id": id,
  "Nats-Batch-Sequence": String(sequence),
  ...more,
});
const COMMIT = { "Nats-Batch-Commit": "1" };
const atomic: readonly Step[] = [
  create("OFF", { subjects: ["off"] }),
  ["off", "x", part("a", 1)],
  create("A", { subjects: ["a.>"], allow_atomic: true, allow_rollup_hdrs: true, allow_msg_ttl: true }),
  ["!listen", "$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.>"],
  ["a.1", "x", { "Nats-Batch-Id": "a" }],
  ["a.1", "x", part("a".repeat(65), 1)],
  ["a.1", "x", part("a", 2)],
  ["a.1", "x", part("a", 1001)],
  ["a.1", "one", part("a", 1)],
  ["a.2", "two", part("a", 2)],
  info("A"),
  ["a.1", "three", part("a", 3, COMMIT)],
  info("A", { subjects_filter: ">" }),
  get("A", 3),
  // a gap, and what comes after it
  ["a.1", "one", part("gap", 1)],
  ["a.1", "three", part("gap", 3)],
  ["!heard", "1"],
  ["a.1", "four", part("gap", 4, COMMIT)],
  ["a.1", "x", part("bad", 1, { "Nats-Batch-Commit": "yes" })],
  ["a.1", "x", part("level", 1, { "Nats-Required-Api-Level": "99" })],
  ["!heard", "1"],
  // ended without a last message
  ["a.1", "only", part("eob", 1)],
  ["a.1", "", part("eob", 2, { "Nats-Batch-Commit": "eob" })],
  get("A", 4),
  ["a.1", "", part("empty", 1, { "Nats-Batch-Commit": "eob" })],
  ["!heard", "1"],
  // alone
  ["a.3", "alone", part("alone", 1, COMMIT)],
  // what the messages of one batch may not ask for
  ["a.1", "x", part("id", 1, { "Nats-Expected-Last-Msg-Id": "5", ...COMMIT })],
  ["a.1", "x", part("seq", 1, { "Nats-Expected-Last-Sequence": "5" })],
  ["a.1", "x", part("seq", 2, { "Nats-Expected-Last-Sequence": "6", ...COMMIT })],
  ["a.1", "x", part("first", 1, { "Nats-Expected-Last-Sequence": "9", ...COMMIT })],
  ["a.1", "x", part("same", 1)],
  ["a.1", "x", part("same", 2, { "Nats-Expected-Last-Subject-Sequence": "4", ...COMMIT })],
  ["a.1", "x", part("twice", 1, { "Nats-Msg-Id": "i" })],
  ["a.1", "x", part("twice", 2, { "Nats-Msg-Id": "i", ...COMMIT })],
  ["a.1", "x", part("roll", 1)],
  ["a.1", "x", part("roll", 2, { "Nats-Rollup": "sub", ...COMMIT })],
  ["a.1", "x", part("all", 1)],
  ["a.2", "x", part("all", 2, { "Nats-Rollup": "all", ...COMMIT })],
  ["a.1", "x", part("ttl", 1, { "Nats-TTL": "soon", ...COMMIT })],
  info("A"),
  ["a.1", "rolled", part("fine", 1, { "Nats-Rollup": "sub", "Nats-Msg-Id": "j" })],
  ["a.1", "later", part("fine", 2, { "Nats-TTL": "never", ...COMMIT })],
  ["a.1", "x", part("known", 1, { "Nats-Msg-Id": "j", ...COMMIT })],
  info("A", { subjects_filter: ">", deleted_details: true }),
  create("C", { subjects: ["c"], allow_atomic: true, allow_msg_counter: true }),
  ["c", "", part("c", 1, { "Nats-Incr": "1" })],
  ["c", "", part("c", 2, { "Nats-Incr": "2", ...COMMIT })],
  last("C", "c"),
  create("N", { subjects: ["n.>"], allow_atomic: true, discard: "new", max_msgs: 2 }),
  ["n.1", "", part("n", 1)],
  ["n.1", "", part("n", 2)],
  ["n.1", "", part("n", 3, COMMIT)],
  info("N"),
  create("P", { persist_mode: "async", storage: "memory" }),
  create("P", { persist_mode: "async", allow_atomic: true }),
  create("P", { persist_mode: "async" }),
  update("P", {}),
];

/** A message of a fast batch, and how many answers it has. */
const fast = (id: string, what: string, payload = "x", more: Record<string, string> = {}): Step => [
  `!publish f.1 fast.${id}.${what}.$FI`,
  payload,
  more,
];
const quick: readonly Step[] = [
  ["!listen", "fast.>"],
  create("OFF", { subjects: ["f.>"] }),
  fast("a", "10.fail.1.0"),
  ["!heard", "1"],
  update("OFF", { subjects: ["f.>"], allow_batched: true }),
  ...["10.fail.2.0", "10.fail.1.1", "10.fail.0.0", "10.maybe.1.0", "10.fail.1.7", "10.fail.1.3"].flatMap(
    (what): readonly Step[] => [fast("bad", what), ["!heard", "1"]],
  ),
  fast("x".repeat(65), "10.fail.1.0"),
  ["!heard", "1"],
  fast("none", "10.fail.2.1"),
  ["!heard", "1"],
  fast("none", "10.fail.1.4"),
  ["!heard", "1"],
  // acknowledged every second message, and at the end
  fast("a", "2.fail.1.0"),
  fast("a", "2.fail.2.1"),
  fast("a", "2.fail.3.1"),
  fast("a", "2.fail.4.1"),
  fast("a", "2.fail.5.2"),
  ["!heard", "4"],
  // a ping, and an end without a message
  fast("b", "10.fail.1.0"),
  fast("b", "10.fail.1.4"),
  fast("b", "10.fail.2.3"),
  ["!heard", "3"],
  // gaps
  fast("c", "10.fail.1.0"),
  fast("c", "10.fail.3.1"),
  ["!heard", "3"],
  fast("d", "10.ok.1.0"),
  fast("d", "10.ok.3.1"),
  fast("d", "10.ok.4.2"),
  ["!heard", "3"],
  // errors
  fast("e", "10.fail.1.0", "x", { "Nats-Expected-Last-Sequence": "1" }),
  ["!heard", "2"],
  fast("f", "10.fail.1.0"),
  fast("f", "10.fail.2.1", "x", { "Nats-Expected-Last-Sequence": "1" }),
  ["!heard", "3"],
  fast("g", "10.ok.1.0"),
  fast("g", "10.ok.2.1", "x", { "Nats-Expected-Last-Sequence": "1" }),
  fast("g", "10.ok.3.2"),
  ["!heard", "3"],
  // at once
  fast("h", "10.fail.1.2"),
  ["!heard", "1"],
  info("OFF"),
];

export const BATCHES: Readonly<Record<string, readonly Step[]>> = {
  "atomic batches": atomic,
  "fast batches": quick,
};
