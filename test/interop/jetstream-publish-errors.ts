/** What publishers to streams are refused, by the code of the error: see jetstream-errors.ts. */
import { create, type Step } from "./jetstream-conversations.ts";
import type { ErrorRow } from "./jetstream-errors.ts";

const part = (sequence: number, more: Record<string, string> = {}): Record<string, string> => ({
  "Nats-Batch-Id": "b",
  "Nats-Batch-Sequence": String(sequence),
  ...more,
});
const COMMIT = { "Nats-Batch-Commit": "1" };
const stream = (config: object = {}): Step => create("S", { subjects: ["s.>"], ...config });
const put = (more: Record<string, string> = {}, payload = "x"): Step => ["s.a", payload, more];
const due = (more: Record<string, string> = {}): Step =>
  put({ "Nats-Schedule": "@every 1h", "Nats-Schedule-Target": "s.b", ...more });
const COUNTER = stream({ allow_msg_counter: true });
const BATCHES = stream({ allow_atomic: true });
const SCHEDULES = stream({ allow_msg_schedules: true, allow_msg_ttl: true });
const fast = (what: string, id = "f"): readonly Step[] => [
  ["!listen", "fast.>"],
  [`!publish s.a fast.${id}.${what}.$FI`, "x"],
  ["!heard", "1"],
];
const FAST = stream({ allow_batched: true });

export const PUBLISH_ERRORS: readonly ErrorRow[] = [
  [10054, stream({ max_msg_size: 10 }), put({}, "x".repeat(100))],
  [10060, stream(), put({ "Nats-Expected-Stream": "T" })],
  [10070, stream(), put({ "Nats-Expected-Last-Msg-Id": "z" })],
  [10071, stream(), put({ "Nats-Expected-Last-Sequence": "7" })],
  [10077, stream({ max_msgs: 1, discard: "new" }), put(), put()],
  [10077, stream({ max_bytes: 100, discard: "new" }), put({}, "x".repeat(200))],
  [10077, stream({ max_msgs_per_subject: 1, discard: "new", discard_new_per_subject: true }), put(), put()],
  [10097, stream(), put({ Long: "x".repeat(70_000) })],
  [10109, stream(), ["$JS.API.STREAM.UPDATE.S", { name: "S", subjects: ["s.>"], sealed: true }], put()],
  [10111, stream({ allow_rollup_hdrs: true }), put({ "Nats-Rollup": "some" })],
  [
    10164,
    BATCHES,
    put(),
    put(part(1)),
    put(part(2, { "Nats-Expected-Last-Subject-Sequence": "1", ...COMMIT })),
  ],
  [10165, stream({ allow_msg_ttl: true }), put({ "Nats-TTL": "soon" })],
  [10166, stream(), put({ "Nats-TTL": "1h" })],
  [10168, stream(), put({ "Nats-Incr": "1" }, "")],
  [10169, COUNTER, put({}, "")],
  [10170, COUNTER, put({ "Nats-Incr": "1" })],
  [10171, COUNTER, put({ "Nats-Incr": "many" }, "")],
  [10174, stream(), put(part(1))],
  [10175, BATCHES, put({ "Nats-Batch-Id": "b" })],
  [10176, BATCHES, put(part(2))],
  [10177, BATCHES, put(part(1, { "Nats-Expected-Last-Msg-Id": "5", ...COMMIT }))],
  [10179, BATCHES, put(part(1, { "Nats-Batch-Id": "b".repeat(65) }))],
  [10185, BATCHES, put(part(1, { "Nats-Required-Api-Level": "99" }))],
  [10188, stream(), due()],
  [10189, SCHEDULES, due({ "Nats-Schedule": "sometimes" })],
  [10190, SCHEDULES, due({ "Nats-Schedule-Target": "s.*" })],
  [10191, SCHEDULES, due({ "Nats-Schedule-TTL": "soon" })],
  [10192, SCHEDULES, due({ "Nats-Rollup": "all" })],
  [10193, stream(), put({ "Nats-Expected-Last-Subject-Sequence-Subject": "s.*" })],
  [10199, BATCHES, put(part(1001))],
  [10200, BATCHES, put(part(1, { "Nats-Batch-Commit": "yes" }))],
  [10201, BATCHES, put(part(1, { "Nats-Msg-Id": "i" })), put(part(2, { "Nats-Msg-Id": "i", ...COMMIT }))],
  [10203, SCHEDULES, due({ "Nats-Schedule-Source": "s.*" })],
  [10205, stream(), ...fast("10.fail.1.0")],
  [10206, FAST, ...fast("10.maybe.1.0")],
  [10207, FAST, ...fast("10.fail.1.0", "f".repeat(65))],
  [10208, FAST, ...fast("10.fail.2.1")],
  [10212, SCHEDULES, put({ "Nats-Scheduler": "s.a", "Nats-Schedule-Next": "purge" })],
  [10223, SCHEDULES, due({ "Nats-Schedule": "0 0 0 * * *", "Nats-Schedule-Time-Zone": "Nowhere/None" })],
  [10227, stream(), put({ "Nats-Stream-Source": "O 1 > > o" })],
];
