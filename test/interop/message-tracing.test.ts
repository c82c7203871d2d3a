/**
 * Message tracing, alone and in clusters of both kinds. Each story says what all servers together tell of one message; it is played
 * on nats-servers, too, so that they say the same.
 */
import type { Socket } from "node:net";
import { headers } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { reaches } from "../support/cluster-clients.ts";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { asked, decoded, ONLY, to, TracePlay, users } from "../support/trace-play.ts";

const clusters: ServerKind[][] = [
  ["nats-new"],
  ["shoal"],
  ["nats-new", "nats-new"],
  ["shoal", "nats-new"],
  ["nats-new", "shoal"],
  ["shoal", "shoal"],
];
const missing = missingKinds(["nats-2.9", "nats-new"]);

for (const kinds of clusters) {
  describe.skipIf(kinds.some((kind) => missing.includes(kind)))(`${kinds.join(" <- ")}: traces`, () => {
    const played = new TracePlay(kinds);
    beforeAll(async () => played.start());
    afterAll(async () => played[Symbol.asyncDispose]());
    afterEach(async () => played.leave());
    it.each(stories)("%s", async (_name, story) => story(played));
  });
}

type Story = (played: TracePlay) => Promise<void>;
const FAR_NAME = (played: TracePlay): string => (played.isAlone ? "m0" : "m1");

const stories: [name: string, story: Story][] = [
  [
    "tell of deliveries here and elsewhere, of queue groups and of the request",
    async (played) => {
      const [pub, near, far] = [
        await played.connect("near", "A", "pub"),
        await played.connect("near", "A", "near"),
        await played.connect("far", "A", "far"),
      ];
      let got = 0;
      near.subscribe("plain.*", { callback: () => void got++ });
      far.subscribe("plain.a", { queue: "q", callback: () => void got++ });
      far.subscribe("plain.>", { callback: () => void got++ });
      const server = FAR_NAME(played);
      const traces = await played.tells(
        pub,
        (dest) => pub.publish("plain.a", "hi", to(dest, { Other: "x" })),
        [
          "m0 in client name=pub acc=A subj=plain.a",
          "m0 eg client name=near sub=plain.*",
          `${server} eg client name=far sub=plain.>`,
          `${server} eg client name=far sub=plain.a queue=q`,
          ...(played.isAlone
            ? []
            : ["m0 hops 1", "m0 eg route name=m1 hop=1", "m1 in route name=m0 acc=A subj=plain.a"]),
        ],
      );
      const { header, msgsize } = traces.find(({ server: { name } }) => name === "m0")!.request;
      expect(Object.keys(header!)).toEqual(["Nats-Trace-Dest", "Other"]);
      expect(msgsize).toBe(
        `NATS/1.0\r\nNats-Trace-Dest: ${header!["Nats-Trace-Dest"]![0]}\r\nOther: x\r\n\r\nhi`.length,
      );
      expect(Object.keys(traces[0]!)).toEqual([
        "server",
        "request",
        ...(traces[0]!.hops === undefined ? [] : ["hops"]),
        "events",
      ]);
      await waitFor("deliveries", () => got >= 3);
    },
  ],
  [
    "are told without deliveries where they are asked for alone",
    async (played) => {
      const [pub, far] = [await played.connect("near", "A", "pub"), await played.connect("far", "A", "far")];
      const seen: string[] = [];
      far.subscribe("only.>", { callback: (_, m) => void seen.push(m.string()) });
      await played.tells(pub, (dest) => pub.publish("only.a", "hi", to(dest, ONLY)), [
        "m0 in client name=pub acc=A subj=only.a",
        `${FAR_NAME(played)} eg client name=far sub=only.>`,
        ...(played.isAlone
          ? []
          : ["m0 hops 1", "m0 eg route name=m1 hop=1", "m1 in route name=m0 acc=A subj=only.a"]),
      ]);
      await reaches(pub, far);
      pub.publish("only.b", "end");
      await waitFor("the end", () => seen.includes("end"));
      expect(seen).toEqual(["end"]);
    },
  ],
  [
    "tell of nobody, and of a publisher without echo",
    async (played) => {
      const pub = await played.connect("near", "A", "pub", false);
      const collector = await played.connect("near", "A", "collector");
      await played.tells(collector, (dest) => pub.publish("nobody", "", to(dest)), [
        "m0 in client name=pub acc=A subj=nobody",
      ]);
      pub.subscribe("own", { callback: () => undefined });
      await played.tells(collector, (dest) => pub.publish("own", "", to(dest)), [
        "m0 in client name=pub acc=A subj=own",
        "m0 eg client name=pub sub=own error=Not delivered because of no echo",
      ]);
    },
  ],
  [
    "tell of mappings",
    async (played) => {
      const [pub, far] = [await played.connect("near", "A", "pub"), await played.connect("far", "A", "far")];
      far.subscribe("map.to", { callback: () => undefined });
      await played.tells(pub, (dest) => pub.publish("map.from", "", to(dest)), [
        "m0 in client name=pub acc=A subj=map.from",
        "m0 sm to=map.to",
        `${FAR_NAME(played)} eg client name=far sub=map.to`,
        ...(played.isAlone
          ? []
          : ["m0 hops 1", "m0 eg route name=m1 hop=1", "m1 in route name=m0 acc=A subj=map.to"]),
      ]);
    },
  ],
  [
    "tell of streams that are imported, and of their readers where that is allowed",
    async (played) => {
      const [pub, far] = [await played.connect("near", "A", "pub"), await played.connect("far", "B", "far")];
      const seen: string[] = [];
      far.subscribe("b.str.*", { callback: (_, m) => void seen.push(`${m.subject} ${m.string()}`) });
      const server = FAR_NAME(played);
      const way = (subject: string): string[] => [
        `m0 in client name=pub acc=A subj=${subject}`,
        ...(played.isAlone
          ? []
          : ["m0 hops 1", "m0 eg route name=m1 hop=1", `m1 in route name=m0 acc=A subj=${subject}`]),
      ];
      for (const only of [{}, ONLY]) {
        const what = only === ONLY ? "only" : "hi";
        await played.tells(pub, (dest) => pub.publish("str.open", what, to(dest, only)), [
          ...way("str.open"),
          `${server} se acc=B to=b.str.open`,
          `${server} eg client name=far acc=B sub=str.open`,
        ]);
        await played.tells(pub, (dest) => pub.publish("str.shut", what, to(dest, only)), [
          ...way("str.shut"),
          `${server} se acc=B to=b.str.shut`,
        ]);
      }
      await waitFor("deliveries", () => new Set(seen).size === 2);
      expect(seen.some((text) => text.includes("only"))).toBe(false);
    },
  ],
  [
    "tell of services that are imported, and of their servers where that is allowed",
    async (played) => {
      const [pub, far] = [await played.connect("near", "B", "pub"), await played.connect("far", "A", "far")];
      const seen: string[] = [];
      far.subscribe("svc.*", { callback: (_, m) => void seen.push(`${m.subject} ${m.string()}`) });
      for (const only of [{}, ONLY]) {
        const what = only === ONLY ? "only" : "hi";
        await played.tells(pub, (dest) => pub.publish("b.open", what, to(dest, only)), [
          "m0 in client name=pub acc=B subj=b.open",
          "m0 si acc=A from=b.open to=svc.open",
          ...(played.isAlone
            ? ["m0 eg client name=far acc=A sub=svc.*"]
            : [
                "m0 hops 1",
                "m0 eg route name=m1 hop=1",
                "m1 in route name=m0 acc=A subj=svc.open",
                "m1 eg client name=far sub=svc.*",
              ]),
        ]);
        await played.tells(pub, (dest) => pub.publish("b.shut", what, to(dest, only)), [
          "m0 in client name=pub acc=B subj=b.shut",
          "m0 si acc=A from=b.shut to=svc.shut",
        ]);
      }
      await waitFor("deliveries", () => new Set(seen).size === 2);
      expect(seen.some((text) => text.includes("only"))).toBe(false);
    },
  ],
  [
    "lead back through imports in a row, and end at responses",
    async (played) => {
      const [pub, far] = [await played.connect("near", "C", "pub"), await played.connect("far", "A", "far")];
      far.subscribe("svc.open", {
        callback: (_, m) => {
          const own = headers();
          own.set("Nats-Trace-Dest", m.headers?.get("Answer-Dest") || "nowhere");
          m.respond("", { headers: own });
        },
      });
      await played.tells(pub, (dest) => pub.publish("c.open", "", to(dest)), [
        "m0 in client name=pub acc=C subj=c.open",
        "m0 si acc=B from=c.open to=b.open",
        "m0 si acc=A from=b.open to=svc.open",
        ...(played.isAlone
          ? ["m0 eg client name=far acc=A sub=svc.open"]
          : [
              "m0 hops 1",
              "m0 eg route name=m1 hop=1",
              "m1 in route name=m0 acc=A subj=svc.open",
              "m1 eg client name=far sub=svc.open",
            ]),
      ]);
      if (!played.isAlone) return; // on two servers interest in the reply takes two ways
      const collector = await played.connect("near", "A", "collector");
      const requester = await played.connect("near", "B", "requester");
      const answer = "_INBOX.answer";
      requester.subscribe(answer, { callback: () => undefined });
      await requester.flush();
      const request = (dest: string): void =>
        requester.publish("b.open", "", { reply: answer, ...asked({ "Answer-Dest": dest }) });
      await played.tells(collector, request, [
        "m0 in client name=far acc=A subj=_R_",
        `m0 si acc=B from=_R_ to=${answer}`,
      ]);
    },
  ],
  [
    "go where the account wants them for a sampled traceparent, in whatever case",
    async (played) => {
      const [pub, far] = [await played.connect("near", "A", "pub"), await played.connect("far", "A", "far")];
      const seen: string[] = [];
      far.subscribe("ext.a", { callback: (_, m) => void seen.push(m.string()) });
      const parent = (flags: string): string =>
        `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-${flags}`;
      const expected = [
        "m0 in client name=pub acc=A subj=ext.a",
        `${FAR_NAME(played)} eg client name=far sub=ext.a`,
        ...(played.isAlone
          ? []
          : ["m0 hops 1", "m0 eg route name=m1 hop=1", "m1 in route name=m0 acc=A subj=ext.a"]),
      ];
      for (const name of ["traceparent", "Traceparent", "TRACEPARENT"]) {
        const publish = (): void => pub.publish("ext.a", "hi", asked({ [name]: parent("01"), ...ONLY }));
        await played.tells(pub, publish, expected, "ext.dest");
      }
      await waitFor("deliveries", () => seen.length >= 3);
      // Not these: not sampled, not whole.
      const unasked = ["00", "1", "81"].map((flags) => asked({ traceparent: parent(flags) }));
      await played.tells(
        pub,
        (dest) => {
          for (const one of unasked) pub.publish("ext.a", "", one);
          pub.publish("ext.b", "", to(dest));
        },
        ["m0 in client name=pub acc=A subj=ext.b"],
        "ext.dest",
      );
    },
  ],
  [
    "are refused with their cause",
    async (played) => {
      const pub = await played.connect("near", "limited", "pub");
      const collector = await played.connect("near", "A", "collector");
      const denied = `error=Permissions Violation for Publish to "no.pub"`;
      await played.tells(collector, (dest) => pub.publish("no.pub", "", to(dest)), [
        `m0 in client name=pub acc=A subj=no.pub ${denied}`,
      ]);
      const reserved = `error=Permissions Violation for Publish with Reply of "$JS.ACK.x"`;
      await played.tells(collector, (dest) => pub.publish("any", "", { ...to(dest), reply: "$JS.ACK.x" }), [
        `m0 in client name=pub acc=A subj=any ${reserved}`,
      ]);
      const sub = await played.connect("near", "limited", "sub");
      sub.subscribe("no.*", { callback: () => undefined });
      await sub.flush();
      await played.tells(collector, (dest) => collector.publish("no.sub", "", to(dest)), [
        "m0 in client name=collector acc=A subj=no.sub",
        "m0 eg client name=sub sub=no.* error=Not delivered because subscription denies this subject",
      ]);
    },
  ],
  [
    "are not told where the sender may not send them, where they are invalid, or disabled",
    async (played) => {
      const pub = await played.connect("near", "limited", "pub");
      const [collector, near] = [
        await played.connect("near", "A", "collector"),
        await played.connect("near", "A", "near"),
      ];
      const seen: string[] = [];
      near.subscribe("silent.*", {
        callback: (_, m) => void seen.push(`${m.string()} ${m.headers?.get("Nats-Trace-Dest")}`),
      });
      await near.flush();
      await played.tells(
        collector,
        (dest) => {
          seen.length = 0;
          pub.publish("silent.a", "denied", to("no.trace"));
          pub.publish("silent.a", "invalid", to("in..valid"));
          pub.publish("silent.a", "invalid only", to("in..valid", ONLY));
          pub.publish("silent.a", "old", to(dest, { "Nats-Trace-Origin-Account": "A" }));
          pub.publish("silent.a", "old only", to(dest, { "Nats-Trace-Origin-Account": "A", ...ONLY }));
          pub.publish("silent.a", "disabled", to("trace disabled"));
          pub.publish("silent.a", "case", asked({ "nats-trace-dest": dest }));
          pub.publish("loud", "", to(dest));
        },
        ["m0 in client name=pub acc=A subj=loud"],
      );
      await waitFor("deliveries", () => seen.length >= 4);
      expect(seen.filter((text) => !text.startsWith("case"))).toEqual([
        "invalid in..valid",
        "old trace disabled",
        "disabled trace disabled",
      ]);
    },
  ],
  [
    "are compressed as the message asks for it",
    async (played) => {
      const pub = await played.connect("near", "A", "pub");
      const encodings: (string | undefined)[] = [];
      for (const encoding of ["gzip", "br", "snappy"]) {
        const answer = pub.subscribe(`enc.${encoding}`, { max: 1 });
        pub.publish("encoded", "", to(`enc.${encoding}`, { "Accept-Encoding": encoding }));
        for await (const { headers: own, data } of answer) {
          encodings.push(own?.get("Content-Encoding"));
          if (encoding === "snappy") expect(Buffer.from(data.slice(4, 10)).toString()).toBe("sNaPpY");
          else expect(decoded(data, own).events).toHaveLength(1);
        }
      }
      expect(encodings).toEqual(["gzip", "identity", "snappy"]);
    },
  ],
  [
    "are told of what is too large, before the connection ends",
    async (played) => {
      const sockets: Socket[] = [];
      const collector = await played.connect("near", "A", "collector");
      await played.tells(
        collector,
        (dest) => {
          const block = `NATS/1.0\r\nNats-Trace-Dest: ${dest}\r\n\r\n`;
          sockets.push(played.publishTooMuch("large", block));
        },
        ["m0 in client name=large acc=A subj=large error=maximum payload exceeded"],
      );
      for (const socket of sockets) socket.destroy();
    },
  ],
];

describe.skipIf(missing.length > 0)("traces beside a server that knows none", () => {
  it.each<ServerKind>(["nats-new", "shoal"])(
    "say that it was not traced, or not reached (%s)",
    async (kind) => {
      await using played = new TracePlay([kind, "nats-2.9"]);
      await played.start([
        `accounts { A { ${users("A")} }, SYS { ${users("SYS")} } }`,
        "system_account: SYS",
      ]);
      const [pub, far] = [await played.connect("near", "A", "pub"), await played.connect("far", "A", "far")];
      far.subscribe("far", { callback: () => undefined });
      await reaches(pub, far);
      const [first, only] = [
        "Message delivered but remote does not support message tracing so no trace event generated from there",
        "Not delivered because remote does not support message tracing",
      ];
      for (const [more, error] of [
        [{}, first],
        [ONLY, only],
      ] as const) {
        await played.tells(pub, (dest) => pub.publish("far", "", to(dest, more)), [
          "m0 in client name=pub acc=A subj=far",
          "m0 hops 1",
          `m0 eg route name=m1 hop=1 error=${error}`,
        ]);
      }
    },
  );
});

const tool = findNatsCli();

describe.skipIf(missing.length > 0 || tool === undefined)("nats trace", () => {
  it.each<ServerKind[]>([
    ["nats-new", "nats-new"],
    ["shoal", "nats-new"],
    ["nats-new", "shoal"],
  ])("shows the way from %s to %s", async (...kinds) => {
    await using played = new TracePlay(kinds);
    await played.start();
    const [near, far] = [await played.connect("near", "A", "near"), await played.connect("far", "A", "far")];
    far.subscribe("there", { callback: () => undefined });
    await reaches(near, far);
    const output = await new NatsCommand(tool!, played.url("A"), ["trace", "there", "hi"]).done();
    expect(output).toMatch(/--> Router "m1"[^]*--C Client "far"[^]*subject:"there"/);
  });
});
