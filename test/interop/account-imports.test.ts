/**
 * Imports of streams and services, alone and in clusters of both kinds: the same configuration everywhere, the exporter's clients
 * on one server, the importer's on the other. What arrives is the same whoever serves.
 */
import { describe, expect, it } from "vitest";
import { headers, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { Clients, reaches } from "../support/cluster-clients.ts";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { startMembers } from "../support/cluster.ts";

const users = (name: string): string => `users: [{ user: ${name}, password: p }]`;
const latency = `latency: { sampling: 100%, subject: latency.add }`;
const serverLines = [
  "accounts {",
  `  A { ${users("A")}, exports: [`,
  `    { service: "add.*", ${latency} }, { service: "count", response_type: stream }`,
  `    { service: "chunks", response: chunked }, { service: "private.*", accounts: [B] }`,
  `    { service: "for.*", account_token_position: 2 }, { stream: "news.>" }, { stream: "secret", accounts: [C] } ] }`,
  `  B { ${users("B")}, imports: [`,
  `    { service: { account: A, subject: "add.*" }, to: "sum.$1", share: true }`,
  `    { service: { account: A, subject: count } }, { service: { account: A, subject: chunks }, to: "parts" }`,
  `    { service: { account: A, subject: "private.x" } }, { service: { account: A, subject: "for.B" }, to: mine }`,
  `    { stream: { account: A, subject: "news.>" }, prefix: "a" }`,
  `    { stream: { account: A, subject: "news.*.*" }, to: "by.$2.$1" } ] }`,
  `  C { ${users("C")}, imports: [ { stream: { account: A, subject: secret }, to: known } ] }`,
  `  SYS { ${users("SYS")} }`,
  "}",
  "system_account: SYS",
];

const clusters: ServerKind[][] = [
  ["nats-new"],
  ["shoal"],
  ["nats-new", "nats-new"],
  ["shoal", "nats-new"],
  ["nats-new", "shoal"],
  ["shoal", "shoal"],
  ["shoal", "nats-2.9"],
  ["nats-2.9", "shoal"],
];
const NOBODY = "nobody there is said across accounts";
const missing = missingKinds(["nats-2.9", "nats-new"]);

interface Played {
  /** In account A, on the first server. */
  readonly exporter: NatsConnection;
  /** In B, and in C, on the last. */
  readonly importer: NatsConnection;
  readonly other: NatsConnection;
}

for (const kinds of clusters) {
  describe.skipIf(kinds.some((kind) => missing.includes(kind)))(`${kinds.join(" <- ")}: imports`, () => {
    // nats-server 2.9 leaves its clients without an answer then, alone or in a cluster.
    const isSaid = kinds.at(-1) !== "nats-2.9";
    it.each(stories.filter(([name]) => isSaid || name !== NOBODY))("%s", async (_name, story) => {
      await using cluster = await startMembers(
        kinds.map((kind, i) => ({ kind, name: `m${i}`, clusterLines: ["name: mixed"], serverLines })),
      );
      await using clients = new Clients();
      if (kinds.length > 1) await cluster.fullMesh();
      const [near, far] = [[cluster.members[0]!], [cluster.members.at(-1)!]];
      const connect = async (members: typeof near, user: string): Promise<NatsConnection> =>
        (await clients.connectAll(members, { user, pass: "p" }))[0]!;
      const exporter = await connect(near, "A");
      const [importer, other] = [await connect(far, "B"), await connect(far, "C")];
      const pairs = kinds.length === 1 ? [] : [["A", exporter] as const];
      for (const [user, client] of pairs) {
        const twin = await connect(far, user);
        await Promise.all([reaches(client, twin), reaches(twin, client)]);
      }
      await story({ exporter, importer, other });
    });
  });
}

const stories: [name: string, (played: Played) => Promise<void>][] = [
  [
    "a request is mapped and answered, with what is shared of the requester",
    async ({ exporter, importer }) => {
      exporter.subscribe("add.*", {
        callback: (_, m) => void m.respond(`${m.subject}: ${info(m).acc} ${info(m).user}`),
      });
      await exporter.flush();
      expect((await ask(importer, "sum.x", "")).string()).toBe("add.x: B B");
    },
  ],
  [
    "a service that names its importer answers it",
    async ({ exporter, importer }) => {
      exporter.subscribe("for.*", { callback: (_, m) => void m.respond(m.subject) });
      exporter.subscribe("private.*", { callback: (_, m) => void m.respond(m.subject) });
      await exporter.flush();
      expect((await ask(importer, "mine", "")).string()).toBe("for.B");
      expect((await ask(importer, "private.x", "")).string()).toBe("private.x");
    },
  ],
  [
    "headers and large payloads go both ways",
    async ({ exporter, importer }) => {
      exporter.subscribe("count", {
        callback: (_, m) => void m.respond(m.data, m.headers ? { headers: m.headers } : {}),
      });
      await exporter.flush();
      const own = headers();
      own.set("Own", "yes");
      const large = "x".repeat(300_000);
      const answer = await ask(importer, "count", large, own);
      expect([answer.headers?.get("Own"), answer.string()]).toEqual(["yes", large]);
    },
  ],
  [
    "streams of responses end, with an empty message or never",
    async ({ exporter, importer }) => {
      for (const subject of ["count", "chunks"]) {
        exporter.subscribe(subject, {
          callback: (_, m) => ["1", "2", "3", ""].forEach((text) => m.respond(text)),
        });
      }
      await exporter.flush();
      for (const subject of ["count", "parts"]) {
        await servedAt(importer, subject);
        const answers = await importer.requestMany(subject, "", { strategy: "sentinel", maxWait: 10_000 });
        const texts: string[] = [];
        for await (const answer of answers) texts.push(answer.string());
        expect(texts.filter((text) => text !== "")).toEqual(["1", "2", "3"]);
      }
    },
  ],
  [
    NOBODY,
    async ({ importer }) => {
      await expect(importer.request("sum.x", "", { timeout: 10_000 })).rejects.toThrow(/no responders/i);
    },
  ],
  [
    "streams arrive under their names here, and only for those who may",
    async ({ exporter, importer, other }) => {
      const seen: string[] = [];
      for (const [client, name] of [
        [importer, "B"],
        [other, "C"],
      ] as const) {
        client.subscribe(">", {
          callback: (_, { subject }) => void (subject.includes("INBOX") || seen.push(`${name} ${subject}`)),
        });
        await client.flush();
      }
      const has = async (what: string, subject: string): Promise<void> => {
        for (let i = 0; i < 400 && !seen.includes(what); i++) {
          exporter.publish(subject);
          await exporter.flush();
          await importer.flush();
          await other.flush();
        }
        expect(seen).toContain(what);
      };
      await has("B a.news.x", "news.x");
      await has("B by.y.x", "news.x.y");
      await has("C known", "secret");
      expect([...new Set(seen)].sort()).toEqual(["B a.news.x", "B a.news.x.y", "B by.y.x", "C known"]);
    },
  ],
  [
    "queue groups share a stream, and a service",
    async ({ exporter, importer }) => {
      let [served, heard] = [0, 0];
      for (let i = 0; i < 3; i++) {
        exporter.subscribe("add.*", { queue: "q", callback: (_, m) => (served++, void m.respond("")) });
        importer.subscribe("a.news.q", { queue: "q", callback: () => void heard++ });
      }
      await exporter.flush();
      await importer.flush();
      await servedAt(importer, "sum.x");
      served = 0;
      for (let i = 0; i < 20; i++) await importer.request("sum.x", "", { timeout: 10_000 });
      expect(served).toBe(20);
      let published = 0;
      for (; published < 400 && heard === 0; published++) {
        exporter.publish("news.q");
        await exporter.flush();
        await importer.flush();
      }
      expect(heard).toBeGreaterThan(0);
      expect(heard).toBeLessThanOrEqual(published);
    },
  ],
  [
    "latency is measured and told in the exporter's account",
    async ({ exporter, importer }) => {
      exporter.subscribe("add.*", { callback: (_, m) => void m.respond("") });
      const measured = exporter.subscribe("latency.add");
      await exporter.flush();
      await servedAt(importer, "sum.x");
      for await (const message of measured) {
        const told = message.json<Record<string, unknown>>();
        if (told["status"] !== 200) continue; // asked before the service was known
        expect(told).toMatchObject({
          type: "io.nats.server.metric.v1.service_latency",
          requestor: { acc: "B", user: "B" },
          responder: { acc: "A", user: "A" },
        });
        expect(Object.keys(told).slice(0, 4)).toEqual(["type", "id", "timestamp", "status"]);
        for (const key of ["service", "system", "total"]) expect(told[key]).toBeTypeOf("number");
        break;
      }
    },
  ],
];

/** What the exporter is told of the requester. */
function info(message: Msg): { acc?: string; user?: string } {
  return JSON.parse(message.headers?.get("Nats-Request-Info") ?? "{}") as { acc?: string; user?: string };
}

/** Interest takes a moment to cross: in the subject, and in answers, which nats-server 2.9 may ask for later than the request goes. */
async function servedAt(client: NatsConnection, subject: string): Promise<void> {
  await ask(client, subject, "");
}

async function ask(
  client: NatsConnection,
  subject: string,
  payload: string,
  own?: ReturnType<typeof headers>,
): Promise<Msg> {
  for (let tries = 0; ; tries++) {
    try {
      return await client.request(subject, payload, { timeout: 3000, ...(own && { headers: own }) });
    } catch (error) {
      if (tries > 500 || !/no responders|timeout/i.test(String(error))) throw error;
      await client.flush();
    }
  }
}
