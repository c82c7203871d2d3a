/**
 * What JetStream refuses on one server, by the code of the error: [code, steps], the last of which is refused with it. Each row begins
 * on a server without streams. Steps are those of jetstream-conversations.ts.
 */
import { api, consumer, create, MS, update, type Step } from "./jetstream-conversations.ts";

export type ErrorRow = readonly [code: number, ...steps: Step[]];

const S = create("S", { subjects: ["s.>"] });
const MEMORY = create("S", { subjects: ["s.>"], storage: "memory" });
const to = (deliver: string, more: object = {}): object => ({ deliver_subject: deliver, ...more });
const refusedOn = (stream: Step, config: object, more: object = {}): Step[] => [
  stream,
  consumer("S", "c", config, more),
];
const QUEUE = create("S", { subjects: ["s.>"], retention: "workqueue" });
const EXPLICIT = { ack_policy: "explicit" };
const origin = create("O", { subjects: ["o.>"], max_msg_size: 100 });
const mirror = (more: object, config: object = {}): Step =>
  create("M", { mirror: { name: "O", ...more }, ...config });
const source = (more: object, config: object = {}): Step =>
  create("M", { sources: [{ name: "O", ...more }], ...config });
const transforms = (...all: readonly (readonly [string, string])[]): object => ({
  subject_transforms: all.map(([src, dest]) => ({ src, dest })),
});
const flow = (more: object): object => to("d", { ack_policy: "flow_control", ...more });

const REQUESTS: readonly ErrorRow[] = [
  [10003, S, [`${api}STREAM.MSG.GET.S`]],
  [10010, S, [`${api}STREAM.LEADER.STEPDOWN.S`]],
  [10010, S, [`${api}STREAM.PEER.REMOVE.S`, { peer: "a" }]],
  [10010, S, [`${api}STREAM.PEER.EVACUATE.S`, { peer: "a" }]],
  [10010, S, [`${api}STREAM.CANCEL_MOVE.S`]],
  [10010, ...refusedOn(S, {}), [`${api}CONSUMER.LEADER.STEPDOWN.S.c`]],
  [10010, ...refusedOn(S, {}), [`${api}CONSUMER.PEER.REMOVE.S.c`, { peer: "a" }]],
  [10010, ...refusedOn(S, {}), [`${api}CONSUMER.PEER.EVACUATE.S.c`, { peer: "a" }]],
  [10014, S, [`${api}CONSUMER.INFO.S.c`]],
  [10015, S, [`${api}STREAM.SNAPSHOT.S`, { deliver_subject: "a.*" }]],
  [10025, [`${api}STREAM.CREATE.S`, { name: "S", other: 1 }]],
  ...["MSG.GET", "MSG.DELETE", "PURGE", "INFO", "SNAPSHOT"].map((request): ErrorRow => [
    10025,
    S,
    [`${api}STREAM.${request}.S`, { other: 1 }],
  ]),
  ...["LIST", "NAMES"].map((request): ErrorRow => [10025, [`${api}STREAM.${request}`, { limit: 1 }]]),
  ...["LIST", "NAMES"].map((request): ErrorRow => [10025, S, [`${api}CONSUMER.${request}.S`, { other: 1 }]]),
  [10025, ...refusedOn(S, {}), [`${api}CONSUMER.PAUSE.S.c`, { other: 1 }]],
  [10025, [`${api}STREAM.RESTORE.S`, { config: { name: "S" }, other: {} }]],
  [10043, MEMORY, ["s.a", "x"], [`${api}STREAM.MSG.DELETE.S`, { seq: 7 }]],
  [10062, [`${api}STREAM.RESTORE.S`, { config: { name: "S" }, state: {} }], ["!chunk", ""]],
  [10037, S, [`${api}STREAM.MSG.GET.S`, { seq: 7 }]],
  [10038, S, [`${api}CONSUMER.INFO.S.c`, "body"]],
  [10057, create("S", { deny_delete: true }), [`${api}STREAM.MSG.DELETE.S`, { seq: 1 }]],
  [10059, [`${api}STREAM.INFO.S`]],
  [10109, S, update("S", { subjects: ["s.>"], sealed: true }), [`${api}STREAM.PURGE.S`]],
  [10110, create("S", { deny_purge: true }), [`${api}STREAM.PURGE.S`]],
  [10130, S, [`${api}STREAM.RESTORE.S`, { config: { name: "S" }, state: {} }]],
  [
    10160,
    ...refusedOn(S, { ...EXPLICIT, priority_groups: ["g"], priority_policy: "pinned_client" }),
    [`${api}CONSUMER.UNPIN.S.c`, { group: "h" }],
  ],
  [10185, [`${api}INFO`, "", { "Nats-Required-Api-Level": "99" }]],
  [10204, ...refusedOn(S, { ...EXPLICIT, deliver_policy: "new" }), [`${api}CONSUMER.RESET.S.c`, { seq: 7 }]],
  [
    10204,
    ...refusedOn(S, { ...EXPLICIT, deliver_policy: "by_start_time", opt_start_time: "2020-01-01T00:00:00Z" }),
    ["s.a", "x"],
    [`${api}STREAM.PURGE.S`, { seq: 9 }],
    ["s.a", "x"],
    [`${api}STREAM.PURGE.S`],
    [`${api}CONSUMER.RESET.S.c`, { seq: 1 }],
  ],
  [
    10204,
    S,
    ["s.a", "x"],
    consumer("S", "c", { ...EXPLICIT, deliver_policy: "by_start_sequence", opt_start_seq: 5 }),
    [`${api}CONSUMER.RESET.S.c`, { seq: 2 }],
  ],
];

const STREAMS: readonly ErrorRow[] = [
  [10052, create("S", { metadata: { a: "x".repeat(128 * 1024) } })],
  [10052, create("S", { description: "x".repeat(5000) })],
  [10052, create("S".repeat(256))],
  [10052, create("S", { subjects: ["a", "a"] })],
  [10055, origin, mirror({ opt_start_seq: 3 }), update("M", { mirror: { name: "O", opt_start_seq: 4 } })],
  [10056, [`${api}STREAM.CREATE.S`, { name: "T" }]],
  [10058, S, create("S", { subjects: ["t.>"] })],
  [10065, S, create("T", { subjects: ["s.a"] })],
  [
    10069,
    S,
    consumer("S", "c", { ...EXPLICIT, max_ack_pending: 50 }),
    update("S", { subjects: ["s.>"], consumer_limits: { max_ack_pending: 10 } }),
  ],
  [10074, create("S", { num_replicas: 3 })],
  [10128, [`${api}STREAM.CREATE.a/b`, { name: "a/b" }]],
  [10133, create("S", { num_replicas: -1 })],
  [10155, create("S", { subject_transform: { src: "a..b", dest: "c" } })],
  [10156, create("S", { subject_transform: { src: "a.*", dest: "c.{{wildcard(2)}}" } })],
  [10157, create("S", { max_msgs: -5, pedantic: true })],
];

const ORIGINS: readonly ErrorRow[] = [
  [10021, origin, mirror({ external: { api: "$JS.API", deliver: "" } })],
  [10024, origin, mirror({ external: { api: "js.A", deliver: "to.*" } })],
  [10030, origin, mirror({}, { max_msg_size: 50 })],
  [10031, origin, mirror({}, { sources: [{ name: "O" }] })],
  [10034, origin, mirror({}, { subjects: ["m"] })],
  [10046, origin, source({}, { max_msg_size: 50 })],
  [10140, origin, create("M", { sources: [{ name: "O" }, { name: "O" }] })],
  [10141, create("M", { sources: [{ name: "a b" }] })],
  [10142, create("M", { mirror: { name: "a.b" } })],
  [10143, origin, mirror({}, { first_seq: 5 })],
  [10144, origin, source({ filter_subject: "o.1", ...transforms(["o.2", "x"]) })],
  [10145, origin, source(transforms(["o..2", "x"]))],
  [10146, origin, source(transforms(["o.*", "x.{{none(2)}}"]))],
  [10147, origin, source(transforms(["o.*", "x.{{wildcard(1)}}"], ["o.1", "y"]))],
  [10150, origin, mirror({ filter_subject: "o.1", ...transforms(["o.2", "x"]) })],
  [10151, origin, mirror(transforms(["o..2", "x"]))],
  [10152, origin, mirror(transforms(["o.*", ""], ["o.1", "y"]))],
  [10154, origin, mirror(transforms(["o.*", "x.{{wildcard(2)}}"]))],
  [10173, origin, mirror({}, { allow_msg_counter: true })],
  [10186, origin, mirror({}, { allow_msg_schedules: true })],
  [10187, origin, source({}, { allow_msg_schedules: true })],
  [10198, origin, mirror({}, { allow_atomic: true })],
  [10209, origin, mirror({}, { allow_batched: true })],
  [10213, origin, mirror({ consumer: { name: "c" } })],
  [10215, origin, source({ consumer: { name: "c" } })],
];

const CONSUMERS: readonly ErrorRow[] = [
  [
    10022,
    origin,
    create("M", { sources: [{ name: "O" }, { name: "X", external: { api: "a.b", deliver: "o" } }] }),
  ],
  [
    10216,
    origin,
    create("M", {
      sources: [
        { name: "O", consumer: { name: "c", deliver_subject: "d" } },
        { name: "O", ...transforms(["o.1", "x"]), consumer: { name: "c", deliver_subject: "d" } },
      ],
    }),
  ],
  [
    10102,
    S,
    [
      `${api}CONSUMER.DURABLE.CREATE.S.${"c".repeat(256)}`,
      { stream_name: "S", config: { durable_name: "c".repeat(256) } },
    ],
  ],
  [10052, S, [`${api}CONSUMER.DURABLE.CREATE.S.a*b`, { stream_name: "S", config: { durable_name: "a*b" } }]],
  [10052, S, [`${api}CONSUMER.CREATE.S`, { stream_name: "S", config: { name: "a.b" } }]],
  [10052, ...refusedOn(S, { filter_subject: "s..a" })],
  [10012, ...refusedOn(S, { ...EXPLICIT }), consumer("S", "c", { ack_policy: "all" })],
  [10013, S, ["!listen", "d"], ["!listen", "e"], consumer("S", "c", to("d")), consumer("S", "c", to("e"))],
  [10017, S, [`${api}CONSUMER.DURABLE.CREATE.S.c`, { stream_name: "S", config: { durable_name: "d" } }]],
  [10018, S, [`${api}CONSUMER.DURABLE.CREATE.S.c`, { stream_name: "S", config: {} }]],
  [10020, S, [`${api}CONSUMER.CREATE.S`, { stream_name: "S", config: { durable_name: "d" } }]],
  [10026, create("S", { max_consumers: 1 }), consumer("S", "a"), consumer("S", "b")],
  [10079, ...refusedOn(S, to("d.*"))],
  [10080, ...refusedOn(S, to("d", { max_waiting: 5 }))],
  [10081, ...refusedOn(S, to("s.a"))],
  [10082, ...refusedOn(S, to("d", { max_ack_pending: 5 }))],
  [10083, ...refusedOn(S, to("d", { idle_heartbeat: 10 }))],
  [10084, ...refusedOn(QUEUE, { ack_policy: "none" })],
  [10086, ...refusedOn(S, { rate_limit_bps: 5 })],
  [10088, ...refusedOn(S, { idle_heartbeat: 200 * MS })],
  [10089, ...refusedOn(S, { flow_control: true })],
  [10090, ...refusedOn(S, { direct: true })],
  [10091, ...refusedOn(S, to("d", { direct: true, durable_name: "c" }))],
  [10094, ...refusedOn(S, { deliver_policy: "by_start_sequence" })],
  [10095, ...refusedOn(S, { sample_freq: "many" })],
  [10098, ...refusedOn(QUEUE, to("d"))],
  [10099, QUEUE, consumer("S", "a", EXPLICIT), consumer("S", "b", EXPLICIT)],
  [
    10100,
    QUEUE,
    consumer("S", "a", { ...EXPLICIT, filter_subject: "s.a" }),
    consumer("S", "b", { ...EXPLICIT, filter_subject: "s.*" }),
  ],
  [10101, ...refusedOn(QUEUE, { ...EXPLICIT, deliver_policy: "new" })],
  [10107, ...refusedOn(S, { description: "x".repeat(5000) })],
  [10108, ...refusedOn(S, to("d", { flow_control: true }))],
  [10112, ...refusedOn(S, to("d..x"))],
  [10115, ...refusedOn(S, { max_expires: 10 })],
  [10116, ...refusedOn(S, { ...EXPLICIT, backoff: [MS, MS, MS], max_deliver: 2 })],
  [
    10121,
    ...refusedOn(create("S", { consumer_limits: { max_ack_pending: 10 } }), {
      ...EXPLICIT,
      max_ack_pending: 50,
    }),
  ],
  [10127, S, [`${api}CONSUMER.CREATE.S.a/b`, { stream_name: "S", config: { name: "a/b" } }]],
  [
    10131,
    S,
    [`${api}CONSUMER.CREATE.S.c.s.a`, { stream_name: "S", config: { name: "c", filter_subject: "s.b" } }],
  ],
  [10133, ...refusedOn(S, { num_replicas: -1 })],
  [10135, ...refusedOn(S, { metadata: { a: "x".repeat(128 * 1024) } })],
  [10136, ...refusedOn(S, { filter_subject: "s.a", filter_subjects: ["s.b"] })],
  [
    10137,
    S,
    [
      `${api}CONSUMER.CREATE.S.c.s.a`,
      { stream_name: "S", config: { name: "c", filter_subjects: ["s.a", "s.b"] } },
    ],
  ],
  [10138, ...refusedOn(S, { filter_subjects: ["s.>", "s.b"] })],
  [10139, ...refusedOn(S, { filter_subjects: ["s.a", ""] })],
  [
    10148,
    S,
    consumer("S", "c", EXPLICIT),
    consumer("S", "c", { ...EXPLICIT, description: "x" }, { action: "create" }),
  ],
  [10149, ...refusedOn(S, {}, { action: "update" })],
  [
    10153,
    ...refusedOn(create("S", { consumer_limits: { inactive_threshold: 1000 * MS } }), {
      inactive_threshold: 5000 * MS,
    }),
  ],
  [10157, ...refusedOn(S, { max_deliver: -5 }, { pedantic: true })],
  [10159, ...refusedOn(S, { ...EXPLICIT, priority_policy: "overflow" })],
  [10161, ...refusedOn(S, { ...EXPLICIT, priority_policy: "overflow", priority_groups: [""] })],
  [10162, ...refusedOn(S, { ...EXPLICIT, priority_policy: "overflow", priority_groups: ["a b"] })],
  [10178, ...refusedOn(S, to("d", { ...EXPLICIT, priority_policy: "overflow", priority_groups: ["g"] }))],
  [10183, ...refusedOn(S, { ack_wait: -1 })],
  [10184, ...refusedOn(S, { backoff: [-5] })],
  [10196, ...refusedOn(S, { ...EXPLICIT, priority_groups: ["g"] })],
  [10197, ...refusedOn(S, { ...EXPLICIT, priority_timeout: 1000 * MS })],
  [10218, ...refusedOn(S, { ack_policy: "flow_control" })],
  [10219, ...refusedOn(S, flow({ flow_control: false }), { pedantic: true })],
  [10220, ...refusedOn(S, flow({ max_ack_pending: -1 }))],
  [10221, ...refusedOn(S, flow({ ack_wait: 1000 * MS }))],
  [10222, ...refusedOn(S, flow({ max_deliver: 5 }))],
  [
    10225,
    S,
    [
      `${api}CONSUMER.CREATE.S.c`,
      {
        stream_name: "S",
        config: { name: "c", ...to("d"), direct: true, sourcing: true, ack_policy: "none" },
      },
      { "Nats-Stream-Identity": "other" },
    ],
  ],
];

export const ERRORS: Readonly<Record<string, readonly ErrorRow[]>> = {
  requests: REQUESTS,
  streams: STREAMS,
  "mirrors and sources": ORIGINS,
  consumers: CONSUMERS,
};
