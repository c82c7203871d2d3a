// The system account of clusters of both kinds: every server answers, whoever asks, and what it says has the shape of what
// nats-server says.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import { Clients } from "../support/cluster-clients.ts";
import { missingKinds } from "../support/cluster-programs.ts";
import { startMembers, type Cluster } from "../support/cluster.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";

type Json = Record<string, unknown>;

const serverLines = [
  "accounts {",
  '  A { users: [{ user: a, password: p, permissions: { publish: ["a.>", "$SYS.REQ.>"], subscribe: ">" } }] }',
  "  B { users: [{ user: b, password: p }] }",
  "  $SYS { users: [{ user: sys, password: p }] }",
  "}",
];
const KINDS =
  "IDZ STATSZ VARZ SUBSZ CONNZ ROUTEZ GATEWAYZ LEAFZ ACCOUNTZ JSZ HEALTHZ IPQUEUESZ RAFTZ PROFILEZ".split(
    " ",
  );
/** What is not the same on both: settings of JetStream, queues of nats-server, counters and times that are left out while they are
 * 0, what a joiner alone has configured. */
const UNLIKE =
  /\.(feature_flags|metadata)\b|^IPQUEUESZ\.data\b|^ROUTEZ\.data\.routes|_stats\b|stale_connection|stalled_clients|_limit\b|gomemlimit|http_req_stats|^VARZ\.data\.cluster\.urls|\.rtt$/;

const program = findNatsCli();

describe.skipIf(missingKinds(["nats-new"]).length > 0)("the system account of a mixed cluster", () => {
  let cluster: Cluster;
  let clients: Clients;
  /** Of the system account, on the shoal (0) and on the nats-server (1). */
  let admins: NatsConnection[];

  beforeAll(async () => {
    cluster = await startMembers(
      (["shoal", "nats-new"] as const).map((kind) => ({
        kind,
        name: kind,
        clusterLines: ["name: mixed"],
        serverLines,
      })),
    );
    await cluster.fullMesh();
    clients = new Clients();
    admins = await clients.connectAll(cluster.members, { user: "sys", pass: "p" });
    await waitFor("each to hear both", async () =>
      (await Promise.all(admins.map((admin) => ask(admin, "$SYS.REQ.SERVER.PING.IDZ", 2)))).every(
        (answers) => answers.length === 2,
      ),
    );
  });

  afterAll(async () => {
    await clients[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  });

  it.each(KINDS)("answers PING.%s from either server, in one shape", async (kind) => {
    for (const admin of admins) {
      const answers = await ask(admin, `$SYS.REQ.SERVER.PING.${kind}`, 2);
      const [ours, theirs] = ["shoal", "nats-new"].map((name) =>
        answers.find((one) => nameOf(one) === name)!,
      );
      expect(shape(ours, kind)).toEqual(shape(theirs, kind));
    }
  });

  it.each(["CONNZ", "SUBSZ", "INFO", "LEAFZ", "JSZ", "STATZ", "CONNS"])(
    "answers about an account, known or not: %s",
    async (kind) => {
      const [near, far] = await clients.connectAll(cluster.members, { user: "b", pass: "p" });
      for (const one of [near!, far!]) {
        one.subscribe("b");
        await one.flush();
      }
      for (const account of ["B", "nobody"]) {
        const subject = `$SYS.REQ.ACCOUNT.${account}.${kind}`;
        const isSilent = account === "nobody" && (kind === "STATZ" || kind === "CONNS");
        if (isSilent) continue;
        const answers = await ask(admins[0]!, subject, 2);
        const [ours, theirs] = ["shoal", "nats-new"].map((name) =>
          answers.find((one) => nameOf(one) === name)!,
        );
        expect(shape(ours, kind)).toEqual(shape(theirs, kind));
      }
      await Promise.all([near!.close(), far!.close()]);
    },
  );

  it.each([
    [{ server_name: "shoal", exact_match: true }, ["shoal"]],
    [{ server_name: "nats-n" }, ["nats-new"]],
    [{ server_name: "shoa", exact_match: true }, []],
    [{ cluster: "mixed" }, ["nats-new", "shoal"]],
    [{ host: "nowhere" }, []],
    [{ tags: ["x"] }, []],
    [{ domain: "hub" }, []],
  ])("is filtered by %j", async (filter, names) => {
    // Whoever is silent to this is told apart by the next question, which all answer.
    const answers = [
      ...(await ask(admins[0]!, "$SYS.REQ.SERVER.PING.VARZ", names.length, filter)),
      ...(await ask(admins[1]!, "$SYS.REQ.SERVER.PING.VARZ", names.length, filter)),
    ];
    expect(answers.map(nameOf).toSorted()).toEqual([...names, ...names].toSorted());
  });

  it("refuses what makes no sense as nats-server does", async () => {
    for (const [subject, body] of [
      ["$SYS.REQ.SERVER.PING.CONNZ", "{"],
      ["$SYS.REQ.SERVER.PING.CONNZ", '{"limit":"x"}'],
      ["$SYS.REQ.SERVER.PING.CONNZ", '{"sort":"x"}'],
      ["$SYS.REQ.SERVER.PING.STATSZ", '{"tags":1}'],
      ["$SYS.REQ.ACCOUNT.nobody.INFO", ""],
    ] as const) {
      const answers = await ask(admins[0]!, subject, 2, body);
      const codes = answers.map((one) => ["data" in one, (one["error"] as Json)["code"]]);
      expect([subject, body, codes[0]]).toEqual([subject, body, codes[1]]);
    }
  });

  it("gives ordinary users what is about themselves and nothing else", async () => {
    for (const [at, member] of cluster.members.entries()) {
      const user = await clients.connect(member, { user: "a", pass: "p" });
      const [info] = await ask(user, "$SYS.REQ.USER.INFO", 1);
      expect(info!["data"]).toEqual({
        user: "a",
        account: "A",
        account_name: "A",
        permissions: { publish: { allow: ["a.>", "$SYS.REQ.>"] }, subscribe: { allow: [">"] } },
      });
      expect(nameOf(info!)).toBe(cluster.members[at]!.spec.name);
      for (const subject of ["ACCOUNT.PING.CONNZ", "SERVER.PING.CONNZ"]) {
        const answers = await ask(user, `$SYS.REQ.${subject}`, 2, { auth: true, acc: "B" });
        expect(answers.map(nameOf).toSorted()).toEqual(["nats-new", "shoal"]);
        const seen = answers.flatMap((one) => (one["data"] as { connections: Json[] }).connections);
        expect(seen.map((one) => one["account"])).toEqual(["A"]);
      }
      const [statz] = await ask(user, "$SYS.REQ.ACCOUNT.PING.STATZ", 1);
      expect(statz!["data"]).toMatchObject({ account_statz: [{ acc: "A", conns: 1 }] });
      for (const subject of ["ACCOUNT.B.CONNZ", "SERVER.PING", "SERVER.PING.VARZ", "USER.B.INFO"])
        await expect(user.request(`$SYS.REQ.${subject}`)).rejects.toThrow("no responders");
      await user.close();
    }
  });

  it("tells of clients that come, go and are refused, across the cluster", async () => {
    const listeners = admins.map((admin) =>
      listen(admin, "$SYS.ACCOUNT.A.>", "$SYS.SERVER.*.CLIENT.AUTH.ERR"),
    );
    await Promise.all(admins.map((admin) => admin.flush()));
    await reached(admins);
    for (const member of cluster.members) {
      const user = await clients.connect(member, { user: "a", pass: "p", name: `of ${member.spec.name}` });
      await user.close();
      await expect(clients.connect(member, { user: "a", pass: "wrong" })).rejects.toThrow("Authorization");
    }
    const told = (heard: Event[], server: string, type: string): Event | undefined =>
      heard.find((one) => one.subject.endsWith(type) && nameOf(one.body) === server);
    for (const heard of listeners) {
      for (const type of ["A.CONNECT", "A.DISCONNECT", "SERVER.CONNS", "AUTH.ERR"]) {
        const [ours, theirs] = await waitFor(`${type} of both`, () => {
          const both = ["shoal", "nats-new"].map((server) => told(heard, server, type));
          return both.every((one) => one !== undefined) && both;
        });
        expect(shape(ours!.body, type)).toEqual(shape(theirs!.body, type));
      }
      expect(told(heard, "shoal", "A.DISCONNECT")!.body).toMatchObject({
        type: "io.nats.server.advisory.v1.client_disconnect",
        client: { acc: "A", user: "a", name: "of shoal", kind: "Client" },
        reason: "Client Closed",
      });
    }
  });

  it("tells how servers are, and each other's numbers only grow", async () => {
    const heard = listen(admins[1]!, "$SYS.SERVER.*.STATSZ");
    await admins[1]!.flush();
    await reached(admins);
    for (let turn = 0; turn < 2; turn++) {
      admins[0]!.publish("$SYS.REQ.SERVER.PING.STATSZ");
      await waitFor("both", () => new Set(heard.map(({ body }) => nameOf(body))).size === 2);
    }
    expect(cluster.member(1).countLogs(/out of order remote server/)).toBe(0);
  });

  it("kicks and moves a client by the id of its server", async () => {
    for (const [index, member] of cluster.members.entries()) {
      const user = await clients.connect(member, { user: "b", pass: "p", name: "victim" });
      await user.flush();
      const [connz] = await ask(admins[index]!, `$SYS.REQ.SERVER.${member.id}.CONNZ`, 1, {
        acc: "B",
        auth: true,
      });
      const victim = (connz!["data"] as { connections: Json[] }).connections.find(
        ({ name }) => name === "victim",
      )!;
      const command = async (kind: string, body: unknown): Promise<Json> =>
        (await ask(admins[1 - index]!, `$SYS.REQ.SERVER.${member.id}.${kind}`, 1, body))[0]!;
      expect((await command("KICK", { cid: 999_999 }))["error"]).toEqual({
        code: 500,
        description: "no such client or leafnode id",
      });
      expect((await command("LDM", { cid: 999_999 }))["error"]).toEqual({
        code: 500,
        description: "no such client id",
      });
      const statuses: string[] = [];
      void (async () => {
        for await (const { type } of user.status()) statuses.push(type);
      })();
      expect(Object.keys(await command("LDM", { cid: victim["cid"] }))).toEqual(["server"]);
      await waitFor(
        `lame duck mode on ${member.name}`,
        () => statuses.includes("ldm"),
        () => statuses.join(),
      );
      expect(Object.keys(await command("KICK", { cid: victim["cid"] }))).toEqual(["server"]);
      await user.closed();
    }
  });

  it.skipIf(program === undefined)("is listed whole by the nats tool, from either server", async () => {
    const user = await clients.connect(cluster.member(0), { user: "a", pass: "p", name: "on-the-shoal" });
    await user.flush();
    for (const { clientUrl } of cluster.members) {
      const nats = (...words: string[]): Promise<string> =>
        new NatsCommand(program!, `nats://sys:p@${clientUrl}`, words).done();
      for (const words of ["server list", "server ping", "server report connections --all"]) {
        const output = await nats(...words.split(" ").filter((word) => word !== "--all"));
        expect([words, output]).toEqual([words, expect.stringMatching(/shoal/)]);
      }
      for (const name of ["shoal", "nats-new"]) {
        expect(await nats("server", "list")).toMatch(new RegExp(`${name} +│ mixed`));
        expect(await nats("server", "info", name)).toContain(`Server information for ${name} (`);
        expect(await nats("server", "ping")).toMatch(new RegExp(`${name} +rtt=`));
      }
      expect(await nats("server", "report", "connections")).toContain("on-the-shoal");
      expect(await nats("server", "report", "accounts")).toMatch(/│ A +│/);
    }
    await user.close();
  });
});

interface Event {
  readonly subject: string;
  readonly body: Json;
}

function listen(admin: NatsConnection, ...subjects: string[]): Event[] {
  const heard: Event[] = [];
  for (const subject of subjects)
    admin.subscribe(subject, { callback: (_, m) => void heard.push({ subject: m.subject, body: m.json() }) });
  return heard;
}

/** What `admins` have subscribed to is known to the servers of the others. */
async function reached(admins: readonly NatsConnection[]): Promise<void> {
  for (const [from, to] of [admins, admins.toReversed()] as [NatsConnection, NatsConnection][]) {
    let arrived = false;
    const subscription: Subscription = to.subscribe("probe", { callback: () => void (arrived = true) });
    await to.flush();
    await waitFor("the interest to get around", async () => {
      from.publish("probe");
      await from.flush();
      return arrived;
    });
    subscription.unsubscribe();
  }
}

/** So many answers; where none are expected, those that come before the answers to a question that all answer. */
async function ask(
  client: NatsConnection,
  subject: string,
  count: number,
  body: unknown = "",
): Promise<Json[]> {
  const payload = typeof body === "string" ? body : JSON.stringify(body);
  const inbox = `_INBOX.test.${++inboxes}`;
  const answers: Json[] = [];
  let others = 0;
  const take = (_: unknown, message: Msg): void => void answers.push(message.json<Json>());
  const subscriptions = [
    client.subscribe(inbox, { callback: take }),
    client.subscribe(`${inbox}.after`, { callback: () => void others++ }),
  ];
  client.publish(subject, payload, { reply: inbox });
  if (count === 0) client.publish("$SYS.REQ.SERVER.PING.VARZ", "", { reply: `${inbox}.after` });
  await waitFor(
    `${count} answers to ${subject}`,
    () => answers.length >= count && (count > 0 || others === 2),
    () => JSON.stringify(answers),
  );
  for (const subscription of subscriptions) subscription.unsubscribe();
  return answers;
}
let inboxes = 0;

function nameOf(answer: Json): string {
  return ((answer["server"] as Json | undefined)?.["name"] ?? answer["name"]) as string;
}

/** Names and types of all fields. */
function shape(value: unknown, path: string): Record<string, string> {
  if (UNLIKE.test(path)) return {};
  if (Array.isArray(value)) {
    return Object.assign({ [path]: "array" }, ...value.slice(0, 1).map((item) => shape(item, `${path}[]`)));
  }
  if (typeof value !== "object" || value === null) return { [path]: value === null ? "null" : typeof value };
  return Object.assign(
    { [path]: "object" },
    ...Object.entries(value).map(([key, field]) => shape(field, `${path}.${key}`)),
  );
}
