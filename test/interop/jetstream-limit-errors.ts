/** What limits of the server and of accounts make JetStream refuse, by the code of the error: see jetstream-errors.ts. */
import { api, consumer, create, type Step } from "./jetstream-conversations.ts";
import type { ErrorRow } from "./jetstream-errors.ts";

export interface LimitedErrors {
  /** What stands in the block `jetstream`, beside the folder. */
  readonly jetStream: string;
  /** Limits of the account; undefined: there are no accounts. */
  readonly account?: string;
  readonly rows: readonly ErrorRow[];
  /** Only the last answers have to be the same. */
  readonly before?: "differs";
}

const stream = (config: object = {}): Step => create("S", { subjects: ["s.>"], ...config });
const put = (headers: Record<string, string> = {}, payload = "x"): Step => ["s.a", payload, headers];
const batch = (id: string): Record<string, string> => ({ "Nats-Batch-Id": id, "Nats-Batch-Sequence": "1" });
const fast = (id: string): Step => [`!publish s.a fast.${id}.1.fail.1.0.$FI`, "x"];
const EXPLICIT = { ack_policy: "explicit" };

export const LIMITED: Readonly<Record<string, LimitedErrors>> = {
  "the server's limits": {
    jetStream: `limits { max_ack_pending: 100, max_request_batch: 10, duplicate_window: "30s",
      batch { max_inflight_per_stream: 2, max_inflight_total: 2, max_msgs: 5, timeout: "5m" } }`,
    rows: [
      [10052, stream({ duplicate_window: 60e9 })],
      [10157, stream({ pedantic: true })],
      [10121, stream(), consumer("S", "c", { ...EXPLICIT, max_ack_pending: 200 })],
      [10157, stream(), consumer("S", "c", { ...EXPLICIT, max_ack_pending: 200 }, { pedantic: true })],
      [10125, stream(), consumer("S", "c", { max_batch: 20 })],
      [
        10199,
        stream({ allow_atomic: true }),
        ["s.a", "x", { "Nats-Batch-Id": "a", "Nats-Batch-Sequence": "6" }],
      ],
      [10210, stream({ allow_atomic: true }), put(batch("a")), put(batch("b")), put(batch("c"))],
      [
        10211,
        stream({ allow_batched: true }),
        ["!listen", "fast.>"],
        fast("a"),
        fast("b"),
        fast("c"),
        ["!heard", "5"],
      ],
      [0, stream(), [`${api}STREAM.INFO.S`]],
      [0, stream(), consumer("S", "c", EXPLICIT)],
      [0, stream(), consumer("S", "c", { ...EXPLICIT, max_ack_pending: -1 })],
    ],
  },
  "the server's room": {
    jetStream: "max_mem: 10K, max_file: 10K",
    before: "differs", // nats-server stores one message beyond the limit
    rows: [
      [10028, stream({ storage: "memory", max_bytes: 1_000_000 })],
      [10047, stream({ max_bytes: 1_000_000 })],
      [
        10023,
        stream({ storage: "memory" }),
        put({}, "x".repeat(9000)),
        put({}, "x".repeat(9000)),
        put({}, "x".repeat(9000)),
      ],
    ],
  },
  "the account's limits": {
    jetStream: "max_mem: 1G, max_file: 1G",
    account:
      "max_mem: 10K, max_file: 10K, max_streams: 1, max_consumers: 1, max_ack_pending: 100, mem_max_stream_bytes: 5K, disk_max_stream_bytes: 5K",
    rows: [
      [10002, stream({ storage: "memory" }), put({}, "x".repeat(9000)), put({}, "x".repeat(9000))],
      [10026, stream(), consumer("S", "a"), consumer("S", "b")],
      [10027, stream(), create("T")],
      [10121, stream(), consumer("S", "c", { ...EXPLICIT, max_ack_pending: 200 })],
      [10122, stream({ max_bytes: 6000 })],
      [10122, stream({ max_bytes: 6000, storage: "memory" })],
    ],
  },
  "an account that has to say how much": {
    jetStream: "max_mem: 1G, max_file: 1G",
    account: "max_mem: 10K, max_file: 10K, max_bytes_required: true",
    rows: [
      [10113, stream()],
      [10028, stream({ max_bytes: 20_000, storage: "memory" })],
      [10047, stream({ max_bytes: 20_000 })],
    ],
  },
};
