/** What the doctor says of facts: one line for each thing that is unhealthy or idle, with the reason and what to do. */
import { describe, expect, it } from "vitest";
import type { ConsumerFacts, ExaminedServer, StreamFacts } from "../../../src/doctor/facts.ts";
import { diagnose } from "../../../src/doctor/diagnose.ts";
import { FINDINGS_MAX, linesOf } from "../../../src/doctor/findings.ts";
import { consumer, jetStream, replica, server, stream, trio } from "./facts.ts";

/** All but the last line, which counts. */
function linesAbout(servers: readonly ExaminedServer[]): string[] {
  return linesOf(diagnose(servers)).slice(0, -1);
}

const nobody = { leader: "", replicas: [replica("n1"), replica("n2"), replica("n3")] };
const alone = { leader: "n1", replicas: [] };

it("says that all is well, and of what", () => {
  const servers = trio(stream({ consumers: [consumer()] }), stream({ name: "T" }));
  expect(linesOf(diagnose(servers))).toEqual(["3 servers, 2 streams, 1 consumer: all is well"]);
  expect(diagnose(servers)).toMatchObject({ status: "ok", findings: [] });
});

const consumers: readonly (readonly [
  what: string,
  facts: Partial<ConsumerFacts>,
  lines: readonly string[],
])[] = [
  ["is waiting for messages", { pending: 0, waiting: 1, quietMs: 1e9 }, []],
  ["delivers", { pending: 7, waiting: 2, quietMs: 9000 }, []],
  [
    "is paused",
    { pending: 3, pausedForMs: 3_600_000 },
    [
      "idle: consumer A > S > C: it is paused for another 60 min, and 3 messages wait. Wait, or resume it: nats consumer resume S C.",
    ],
  ],
  [
    "is paused and has nothing to deliver",
    { pausedForMs: 5000 },
    [
      "idle: consumer A > S > C: it is paused for another 5 s, and 0 messages wait. Wait, or resume it: nats consumer resume S C.",
    ],
  ],
  [
    "has reached max_ack_pending",
    { pending: 1, ackPending: 10, maxAckPending: 10, waiting: 1, quietMs: 1e6 },
    [
      "idle: consumer A > S > C: 10 messages are not acknowledged, which is its max_ack_pending, and 1 message waits. Have its clients acknowledge what they get, or raise it: nats consumer edit S C --max-pending N.",
    ],
  ],
  ["has no such limit", { pending: 1, ackPending: 10, maxAckPending: -1, waiting: 1 }, []],
  [
    "is not pulled from",
    { pending: 2 },
    ["idle: consumer A > S > C: no client pulls, and 2 messages wait. Start a client that pulls."],
  ],
  [
    "delivers where nobody listens",
    { pending: 2, deliverSubject: "to.me", isBound: false },
    [
      "idle: consumer A > S > C: nobody subscribes to to.me, where it delivers, and 2 messages wait. Start a client that subscribes there.",
    ],
  ],
  ["delivers where somebody listens", { pending: 2, deliverSubject: "to.me", isBound: true }, []],
  [
    "does not deliver, though it could",
    { pending: 2, waiting: 1, quietMs: 65_000 },
    [
      "unhealthy: consumer A > S > C: 1 pull and 2 messages wait, it is neither paused nor at a limit, and has delivered nothing for 65 s. Let another server lead it: nats consumer cluster step-down S C.",
    ],
  ],
  [
    "does not deliver, though it could, and has no other server to lead it",
    { pending: 2, deliverSubject: "to.me", isBound: true, quietMs: 65_000, group: alone },
    [
      "unhealthy: consumer A > S > C: 2 messages wait, it is neither paused nor at a limit, and has delivered nothing for 65 s. Ask again; if it stays so, start n1 again.",
    ],
  ],
  ["delivers at its own pace", { pending: 2, waiting: 1, quietMs: 65_000, isPaced: true }, []],
  [
    "has no leader",
    { pending: 2, group: nobody },
    [
      "unhealthy: consumer A > S > C: no leader, though 3 of its 3 servers answer: it is electing one, or a copy lacks what only another one had. Ask again in some seconds; if it stays so, the logs of n1, n2, n3 say why.",
    ],
  ],
  [
    "lacks a copy, and is paused",
    {
      pausedForMs: 1000,
      group: { leader: "n1", replicas: [replica("n2"), replica("n3", { isOffline: true })] },
    },
    [
      "unhealthy: consumer A > S > C: 2 of 3 copies are there (not on n3), and one fewer stops it. Start n3 again.",
      "idle: consumer A > S > C: it is paused for another 1 s, and 0 messages wait. Wait, or resume it: nats consumer resume S C.",
    ],
  ],
];

describe("a consumer", () => {
  it.each(consumers)("that %s", (_what, facts, lines) => {
    expect(linesAbout(trio(stream({ consumers: [consumer(facts)] })))).toEqual(lines);
  });

  it("is judged by what its leader tells, not by a copy", () => {
    const group = { leader: "n2", replicas: [replica("n1"), replica("n3")] };
    const [n1, n2, n3] = [0, 5, 0].map((pending, i) =>
      server(`n${i + 1}`, {
        jetStream: jetStream({ streams: [stream({ consumers: [consumer({ group, pending })] })] }),
      }),
    );
    expect(linesAbout([n1!, n2!, n3!])).toEqual([
      "idle: consumer A > S > C: no client pulls, and 5 messages wait. Start a client that pulls.",
    ]);
  });

  it("of one server by itself need not name a leader", () => {
    const group = { leader: "", replicas: [] };
    const facts = stream({
      group: { leader: "n1", replicas: [] },
      consumers: [consumer({ group, pending: 1 })],
    });
    const one = server("n1", {
      cluster: "",
      routes: [],
      jetStream: jetStream({ meta: null, streams: [facts] }),
    });
    expect(linesOf(diagnose([one]))).toEqual([
      "idle: consumer A > S > C: no client pulls, and 1 message waits. Start a client that pulls.",
      "1 server, 1 stream, 1 consumer: 0 unhealthy, 1 idle",
    ]);
  });
});

const streams: readonly (readonly [what: string, facts: Partial<StreamFacts>, line: string])[] = [
  [
    "has no leader, and consumers",
    { group: nobody, consumers: [consumer({ group: nobody }), consumer({ name: "D", group: nobody })] },
    "unhealthy: stream A > S: no leader, though 3 of its 3 servers answer: it is electing one, or a copy lacks what only another one had, and 2 consumers wait for it. Ask again in some seconds; if it stays so, the logs of n1, n2, n3 say why.",
  ],
  [
    "is at its limit and refuses new messages",
    { messages: 5, maxMessages: 5, refusesNew: true },
    "unhealthy: stream A > S: it refuses messages: it is at max_msgs (5) and discards new ones. Consume or purge messages, or raise the limit: nats stream edit S.",
  ],
  [
    "is at its limit of bytes and refuses new messages",
    { bytes: 512, maxBytes: 500, refusesNew: true },
    "unhealthy: stream A > S: it refuses messages: it is at max_bytes (500) and discards new ones. Consume or purge messages, or raise the limit: nats stream edit S.",
  ],
  [
    "has lost messages",
    { lost: 1 },
    "unhealthy: stream A > S: damage has taken 1 message. Restore a backup, or go on without them: nats stream info S has their sequences.",
  ],
  [
    "has a copy that catches up",
    { group: { leader: "n1", replicas: [replica("n2", { isCurrent: false, lag: 12 }), replica("n3")] } },
    "unhealthy: stream A > S: the copy on n2 is 12 operations behind. It catches up by itself: ask again in a while.",
  ],
  [
    "has a mirror that nobody has heard",
    { origins: [{ kind: "mirror", name: "M", lag: 3, silentMs: -1, error: "" }] },
    "unhealthy: stream A > S: its mirror M was never heard, and 3 messages are still to come. See whether M is there, has a leader and lets this account ask.",
  ],
  [
    "has a source that fell silent",
    { origins: [{ kind: "source", name: "M", lag: 0, silentMs: 600_000, error: "" }] },
    "unhealthy: stream A > S: its source M was not heard for 10 min. See whether M is there, has a leader and lets this account ask.",
  ],
  [
    "has a source with an error, and lacks a copy",
    {
      group: { leader: "n1", replicas: [replica("n2"), replica("n4", { isCurrent: false })] },
      origins: [{ kind: "source", name: "M", lag: 0, silentMs: 0, error: "stream not found" }],
    },
    "unhealthy: stream A > S: 2 of 3 copies are there (not on n4), and one fewer stops it; its source M: stream not found. Start n4 again.",
  ],
];

describe("a stream", () => {
  it.each(streams)("that %s", (_what, facts, line) => {
    expect(linesAbout(trio(stream(facts)))).toEqual([line]);
  });

  it.each([
    ["drops old ones at its limit", { messages: 5, maxMessages: 5 }],
    ["refuses new messages and has room", { messages: 4, maxMessages: 5, refusesNew: true }],
    ["hears its source", { origins: [{ kind: "source", name: "M", lag: 9, silentMs: 100, error: "" }] }],
  ] satisfies readonly (readonly [string, Partial<StreamFacts>])[])("that %s is well", (_what, facts) => {
    expect(linesAbout(trio(stream(facts)))).toEqual([]);
  });

  it("without a majority says how many servers it needs, and which are missing", () => {
    const meta = { ...jetStream().meta!, leader: "", replicas: nobody.replicas };
    const facts = jetStream({ meta, streams: [stream({ group: nobody })] });
    expect(linesAbout([server("n1", { routes: [], jetStream: facts })])).toEqual([
      "unhealthy: meta group C: no leader: 1 of its 3 servers answer, and 2 have to (n2, n3 do not); streams and consumers cannot be made, changed or removed. Start 1 of n2, n3 again.",
      "unhealthy: stream A > S: no leader: 1 of its 3 servers answer, and 2 have to (n2, n3 do not). Start 1 of n2, n3 again.",
    ]);
  });

  it("whose leader has gone says so until there is another one", () => {
    const facts = stream({ group: { leader: "n3", replicas: [replica("n1"), replica("n2")] } });
    const [n1, n2] = trio(facts);
    expect(linesAbout([n1!, n2!])).toContain(
      "unhealthy: stream A > S: its leader n3 does not answer. Ask again in some seconds, when the others have elected another one, and start n3 again.",
    );
  });

  it("that no server keeps of those that are there is told once", () => {
    const unserved = [{ account: "A", stream: "S", consumer: "", servers: ["n4"] }];
    const [n1, n2, n3] = trio();
    expect(linesAbout([{ ...n1!, unserved }, { ...n2!, unserved }, n3!])).toEqual([
      "unhealthy: stream A > S: the only server that keeps it (n4) is not there. Start n4 again.",
    ]);
  });

  it("of which a server complains is told where nothing else is known", () => {
    const complaints = ["S", "T"].map((name) => ({
      kind: "STREAM",
      account: "A",
      stream: name,
      consumer: "",
      error: `${name} is not well`,
    }));
    const [n1, n2, n3] = trio(stream({ lost: 1 }), stream({ name: "T" }));
    expect(linesAbout([n1!, { ...n2!, complaints }, { ...n3!, complaints }])).toEqual([
      expect.stringContaining("unhealthy: stream A > S: damage has taken 1 message"),
      "unhealthy: stream A > T: n2 says: T is not well. If it stays so, the log of n2 says why.",
    ]);
  });

  it("is told apart by its cluster where there are several", () => {
    const elsewhere = server("m1", {
      cluster: "D",
      routes: [],
      jetStream: jetStream({
        meta: null,
        streams: [stream({ lost: 2, group: { leader: "m1", replicas: [] } })],
      }),
    });
    expect(linesAbout([...trio(stream()), elsewhere])).toEqual([
      expect.stringContaining("unhealthy: stream A > S of D: damage has taken 2 messages"),
    ]);
  });
});

const servers: readonly (readonly [what: string, facts: Partial<ExaminedServer>, line: string])[] = [
  [
    "is in lame duck mode",
    { isLameDuck: true, notReady: ["lame duck"] },
    "idle: server n2: it is about to end, and its clients move. Nothing: start it again when it has ended.",
  ],
  [
    "is not ready",
    { notReady: ["no answer yet from dns nats", "x"] },
    "unhealthy: server n2: it is not ready: no answer yet from dns nats, x. Wait while it joins; if it stays so, see to what it names.",
  ],
  [
    "complains",
    { complaints: [{ kind: "CONNECTION", account: "", stream: "", consumer: "", error: "no clients" }] },
    "unhealthy: server n2: it says: no clients. See to what it names; its log says more.",
  ],
  [
    "is full of clients",
    { connections: 100 },
    "unhealthy: server n2: it takes no more clients: it has 100 connections, its max_connections. Raise max_connections, or let clients use other servers.",
  ],
  [
    "is full of messages",
    { jetStream: jetStream({ storageBytes: 96 }) },
    "unhealthy: server n2: its streams take 96 % of what it may store. Remove messages, limit streams, or give it more room (max_file, or a larger volume).",
  ],
  [
    "does not answer a question",
    { unanswered: ["JSZ in time"] },
    "unhealthy: server n2: it did not answer JSZ in time. Ask again with a longer --timeout.",
  ],
  [
    "has lost its hub",
    { lostLeaves: ["leafnode remote is not connected"] },
    "unhealthy: leaf n2: leafnode remote is not connected. See whether the hub is there and takes these credentials: the logs of both say why.",
  ],
  [
    "follows nobody in the meta group",
    { jetStream: jetStream({ meta: { ...jetStream().meta!, leader: "" } }) },
    "unhealthy: server n2: it follows no leader in the meta group, while n1 leads it. Ask again in some seconds; if it stays so, look at the routes of n2.",
  ],
  [
    "waits for a server",
    { awaited: [{ name: "", address: "10.0.0.7:6222", why: "connect ECONNREFUSED" }] },
    "unhealthy: route to 10.0.0.7:6222: n2 has none, and should: connect ECONNREFUSED. Start the server there, or take it out of routes and discovery.",
  ],
];

describe("a server", () => {
  it.each(servers)("that %s", (_what, facts, line) => {
    const [n1, n2, n3] = trio();
    expect(linesAbout([n1!, { ...n2!, ...facts }, n3!])).toEqual([line]);
  });

  it("that the meta group misses is told once, and what lacks its copy", () => {
    const replicas = [
      replica("n2"),
      replica("n3", { isCurrent: false, isOffline: true, silentMs: 200_000, lag: 4 }),
    ];
    const meta = { ...jetStream().meta!, replicas };
    const awaited = [{ name: "n3", address: "10.0.0.3:6222", why: "connect ECONNREFUSED" }];
    const facts = jetStream({ meta, streams: [stream({ group: { leader: "n1", replicas } })] });
    const [, n2] = trio();
    expect(linesAbout([server("n1", { awaited, jetStream: facts }), n2!])).toEqual([
      "unhealthy: server n3: it belongs to the meta group and does not answer, and n1 has not heard it for 3 min. Start it again; if it is gone for good: nats server cluster peer-remove n3.",
      "unhealthy: stream A > S: 2 of 3 copies are there (not on n3), and one fewer stops it. Start n3 again.",
    ]);
  });

  it("that lags in the meta group", () => {
    const replicas = [replica("n2", { isCurrent: false, lag: 7 }), replica("n3", { isOffline: true })];
    const [n1, n2, n3] = trio();
    const facts = jetStream({ meta: { ...jetStream().meta!, replicas } });
    expect(linesAbout([{ ...n1!, jetStream: facts }, n2!, n3!])).toEqual([
      expect.stringContaining("unhealthy: server n2: it is 7 operations behind in the meta group"),
      expect.stringContaining(
        "unhealthy: server n3: it answers, but n1, which leads the meta group, does not hear it",
      ),
    ]);
  });

  it("has a route to every other one of its cluster", () => {
    const cut = [server("n1", { routes: ["n3"] }), server("n2", { routes: ["n3"] }), server("n3")];
    expect(linesAbout(cut)).toEqual([
      "unhealthy: route n1 - n2: there is none, though both belong to C. See what their logs say of refused routes: names, authorization and TLS of cluster have to fit.",
    ]);
  });

  it("does not repeat that there is no leader of the meta group", () => {
    const meta = { ...jetStream().meta!, leader: "", replicas: nobody.replicas };
    const complaints = [
      { kind: "JETSTREAM", account: "", stream: "", consumer: "", error: "no meta leader" },
    ];
    const all = trio().map((one) => ({ ...one, complaints, jetStream: jetStream({ meta }) }));
    expect(linesAbout(all)).toEqual([
      expect.stringContaining("unhealthy: meta group C: no leader, though 3 of its 3 servers answer"),
    ]);
  });
});

describe("the lines", () => {
  it("begin with the worst, and are bounded", () => {
    const many = Array.from({ length: FINDINGS_MAX + 5 }, (_, i) => consumer({ name: `c${i}`, pending: 1 }));
    const [n1, n2, n3] = trio(stream({ consumers: many }), stream({ name: "Z", lost: 1 }));
    const lines = linesOf(diagnose([n1!, n2!, { ...n3!, notReady: ["x"] }]));
    expect(lines).toHaveLength(FINDINGS_MAX + 2);
    expect(lines[0]).toContain("unhealthy: server n3");
    expect(lines[1]).toContain("unhealthy: stream A > Z");
    expect(lines.slice(-2)).toEqual([
      "and 7 more",
      `3 servers, 2 streams, ${FINDINGS_MAX + 5} consumers: 2 unhealthy, ${FINDINGS_MAX + 5} idle`,
    ]);
  });

  it("show nothing that a terminal takes for an order", () => {
    const [line] = linesAbout(trio(stream({ name: "a\u001b[2Jb\u202ec", lost: 1 })));
    expect(line).toContain("stream A > a\u{fffd}[2Jb\u{fffd}c:");
  });
});
