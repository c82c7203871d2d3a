/** Joining a mixed cluster: different pool sizes, made-up cluster names, credentials, everybody dialling everybody at once; and who is turned away. Clients learn of the servers that joined. */
// oxlint-disable vitest/expect-expect -- awaiting a condition up to a deadline is the assertion
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import {
  allReach,
  Clients,
  Inbox,
  isNoResponders,
  publishRun,
  reaches,
  RunCounter,
} from "../support/cluster-clients.ts";
import type { Member, MemberSpec } from "../support/cluster-member.ts";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Cluster, dialAll, startMembers } from "../support/cluster.ts";
import { PATIENT } from "../support/patience.ts";

const missing = missingKinds(["nats-2.9", "nats-new"]);

const pairs: ServerKind[][] = [
  ["nats-new", "nats-2.9"],
  ["shoal", "nats-new"],
  ["nats-new", "shoal"],
  ["shoal", "nats-2.9"],
  ["nats-2.9", "shoal"],
];

function forEachMix(mixes: readonly ServerKind[][], define: (kinds: readonly ServerKind[]) => void): void {
  for (const kinds of mixes) {
    describe.skipIf(kinds.some((kind) => missing.includes(kind)))(`${kinds.join(" <- ")}`, () => {
      define(kinds);
    });
  }
}

describe("members with different route pools form one cluster", () => {
  const poolSizes: [seed: number, joiner: number][] = [
    [3, 5],
    [5, 2],
    [1, 3],
    [3, 1],
    [-1, 3],
    [3, -1],
    [-1, -1],
  ];
  const pooled = (kinds: readonly ServerKind[]) => !kinds.includes("nats-2.9");
  forEachMix([["nats-new", "nats-new"], ...pairs.filter(pooled)], (kinds) => {
    it.each(poolSizes)("seed has %i, joiner %i", async (...sizes) => {
      const count = 5_000;
      await using cluster = await startMembers(
        kinds.map((kind, i) => ({
          kind,
          name: `m${i}`,
          clusterLines: ["name: mixed", `pool_size: ${sizes[i]}`],
        })),
      );
      await using clients = new Clients();
      await cluster.fullMesh();
      const [one, other] = await clients.connectAll(cluster.members);
      for (const [from, to] of [
        [one!, other!],
        [other!, one!],
      ] as const) {
        const run = new RunCounter(to, "pooled");
        await reaches(from, to);
        await publishRun(from, "pooled", count);
        await run.received(count);
        await reaches(from, to);
        expect(run).toMatchObject({ count, firstOutOfOrder: undefined });
        run.stop();
      }
    });
  });
});

describe("cluster names that servers made up", () => {
  forEachMix([...pairs, ["nats-2.9", "nats-new", "shoal"], ["shoal", "nats-new", "nats-2.9"]], (kinds) => {
    it("give way to each other, until all have the same", async () => {
      await expectMesh(kinds.map((kind, index) => ({ kind, name: `m${index}` })));
    });
    it("give way to the seed's configured name", async () => {
      await expectMesh(
        kinds.map((kind, i) => ({ kind, name: `m${i}`, clusterLines: i === 0 ? ["name: set"] : [] })),
      );
    });
    it("give way to a joiner's configured name", async () => {
      const last = kinds.length - 1;
      // A nats-server goes on calling a name that it adopted made up. A third one, with a greater name of its own, does
      // not give way to it, so the name is one that no made-up name exceeds.
      const name = last > 1 ? "~set" : "set";
      await expectMesh(
        kinds.map((kind, i) => ({
          kind,
          name: `m${i}`,
          clusterLines: i === last ? [`name: "${name}"`] : [],
        })),
      );
    });
  });
});

describe("members that all list each other and themselves", () => {
  forEachMix([...pairs, ["shoal", "nats-new", "nats-2.9"], ["nats-new", "shoal", "shoal"]], (kinds) => {
    it("form one mesh when they all start at once", async () => {
      await using cluster = await Cluster.start(kinds, { routesOf: dialAll, order: "all at once" });
      await expectWorking(cluster);
    });
  });
});

describe("a cluster with credentials", () => {
  const guarded = (password: string) => [
    "name: guarded",
    `authorization { user: r, password: ${password}, timeout: 1 }`,
  ];

  forEachMix([...pairs, ["shoal", "nats-new", "nats-2.9"], ["nats-2.9", "shoal", "nats-new"]], (kinds) => {
    it("takes those who know them, and they use them when they dial each other", async () => {
      const specs = kinds.map((kind, index) => ({ kind, name: `m${index}`, clusterLines: guarded("right") }));
      await using cluster = await startMembers(specs, {
        routesOf: (member, members) => (member === members[0] ? [] : [members[0]!.routeUrl("r:right")]),
      });
      await expectWorking(cluster);
    });
  });

  forEachMix(pairs, (kinds) => {
    it.each([
      ["a wrong password", "r:wrong"],
      ["no password", undefined],
    ])("turns away a joiner with %s", async (_what, userInfo) => {
      const specs = kinds.map((kind, index) => ({ kind, name: `m${index}`, clusterLines: guarded("right") }));
      await using cluster = await startMembers(specs, {
        routesOf: (member, members) => (member === members[0] ? [] : [members[0]!.routeUrl(userInfo)]),
      });
      await expectApart(cluster, /authentication error|Authorization Violation/);
    });
  });
});

describe("a joiner that must not join", () => {
  forEachMix(pairs, (kinds) => {
    it("is turned away for another cluster name", async () => {
      const specs = kinds.map((kind, i) => ({ kind, name: `m${i}`, clusterLines: [`name: cluster-${i}`] }));
      await using cluster = await startMembers(specs);
      await expectApart(cluster, /Cluster Name Conflict/);
    });

    it("is turned away for the server name of the seed", async () => {
      const specs = kinds.map((kind) => ({ kind, name: "same", clusterLines: ["name: mixed"] }));
      await using cluster = await startMembers(specs);
      await someoneLogs(cluster.members, /duplicate name/, 2);
    });
  });
});

describe("a server that joins late", () => {
  forEachMix(pairs, (kinds) => {
    it("learns of all the interest there is", async () => {
      const subjects = Array.from({ length: 5_000 }, (_, n) => `old.interest.in.subject.number.${n}`);
      await using cluster = await Cluster.start(kinds);
      await using clients = new Clients();
      await cluster.fullMesh();
      const joiner = cluster.member(1);
      await joiner.stop();
      const holder = await clients.connect(cluster.member(0));
      const plain = new Inbox(holder, "old.>");
      const members = subjects.map((subject) => new Inbox(holder, subject, "group"));
      await holder.flush();
      await joiner.start();
      const newcomer = await clients.connect(joiner);
      // Servers tell a newcomer in pieces, and of what is new meanwhile at once: one subject says nothing of the others.
      await waitFor("a message on each subject", async () => {
        for (const [i, subject] of subjects.entries())
          if (members[i]!.messages.length === 0) newcomer.publish(subject);
        await reaches(newcomer, holder);
        return members.every(({ messages }) => messages.length > 0);
      });
      for (const subject of subjects) newcomer.publish(subject, "once");
      const heardOnce = ({ messages }: Inbox): Msg[] =>
        messages.filter((message) => message.string() === "once");
      await waitFor("the last message", () => heardOnce(plain).length >= subjects.length);
      await reaches(newcomer, holder);
      expect(heardOnce(plain)).toHaveLength(subjects.length);
      expect(members.filter((member) => heardOnce(member).length === 1)).toHaveLength(subjects.length);
    });
  });
});

describe("clients", () => {
  forEachMix([...pairs, ["nats-new", "shoal", "nats-2.9"]], (kinds) => {
    it("are told of the servers that join and that leave", async () => {
      await using cluster = await Cluster.start(kinds);
      await using clients = new Clients();
      await cluster.fullMesh();
      const on = await clients.connectAll(cluster.members);
      const all = cluster.members.map(({ clientUrl }) => clientUrl);
      for (const client of on) await expectUrls(client, all);
      const leaver = cluster.members.at(-1)!;
      await leaver.stop();
      for (const client of on.slice(0, -1)) await expectUrls(client, all.slice(0, -1));
    });
  });

  // Three, because nats-server tells its clients nothing at all where there is nobody but itself to tell of.
  forEachMix(
    [
      ["nats-new", "nats-2.9", "nats-new"],
      ["shoal", "nats-new", "nats-2.9"],
      ["nats-new", "shoal", "shoal"],
    ],
    (kinds) => {
      it.each([1, 2])("are not told of member %i, which does not advertise itself", async (hidden) => {
        const lines = (i: number) => ["name: mixed", ...(i === hidden ? ["no_advertise: true"] : [])];
        await using cluster = await startMembers(
          kinds.map((kind, i) => ({ kind, name: `m${i}`, clusterLines: lines(i) })),
        );
        await using clients = new Clients();
        await cluster.fullMesh();
        const shown = cluster.members.filter((_, i) => i !== hidden);
        for (const member of shown) {
          await expectUrls(
            await clients.connect(member),
            shown.map(({ clientUrl }) => clientUrl),
          );
        }
      });
    },
  );
});

async function expectMesh(specs: readonly MemberSpec[]): Promise<void> {
  await using cluster = await startMembers(specs);
  await expectWorking(cluster);
}

async function expectWorking(cluster: Cluster): Promise<void> {
  await cluster.fullMesh();
  await using clients = new Clients();
  await allReach(await clients.connectAll(cluster.members));
}

async function expectUrls(client: NatsConnection, wanted: readonly string[]): Promise<void> {
  const sorted = [...wanted].sort();
  const seen = () => [...(client.info?.connect_urls ?? [])].sort();
  await waitFor(
    `the client of ${client.getServer()} to be told ${sorted.join(", ")}`,
    () => seen().join() === sorted.join(),
    () => `was told ${seen().join(", ")}`,
  );
}

/** A real server of the two says why, and says it again at a later attempt; neither has a route, no message gets over. */
async function expectApart(cluster: Cluster, reason: RegExp): Promise<void> {
  const judges = cluster.members.filter(({ kind }) => kind !== "shoal");
  await someoneLogs(judges, reason, 2);
  await waitFor("both to have no routes", async () =>
    (await Promise.all(cluster.members.map(countPeers))).every(isZero),
  );
  await using clients = new Clients();
  const [one, other] = await clients.connectAll(cluster.members);
  other!.subscribe("over.there", { callback: (_error, message) => void message.respond() });
  await other!.flush();
  await expect(one!.request("over.there", "", PATIENT)).rejects.toSatisfy(isNoResponders);
}

async function someoneLogs(members: readonly Member[], pattern: RegExp, count: number): Promise<void> {
  await waitFor(
    `a member to log ${String(pattern)}, ${count} times`,
    () => members.some((member) => member.countLogs(pattern) >= count),
    () => members.map((member) => member.logTail()).join("\n"),
  );
}

async function countPeers(member: Member): Promise<number | undefined> {
  return (await member.peers())?.size;
}

function isZero(count: number | undefined): boolean {
  return count === 0;
}
