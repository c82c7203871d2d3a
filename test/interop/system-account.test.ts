/**
 * The system account of clusters of both kinds: every server answers, whoever asks, and what it says has the shape of what
 * nats-server says.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NatsConnection } from "@nats-io/transport-node";
import { allReach, Clients } from "../support/cluster-clients.ts";
import { missingKinds } from "../support/cluster-programs.ts";
import { startMembers, type Cluster } from "../support/cluster.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { ask, listen, nameOf, shape, type Event, type Json } from "../support/system-account.ts";
import { PATIENT } from "../support/patience.ts";

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

const program = findNatsCli();

describe.skipIf(missingKinds(["nats-new"]).length > 0)("the system account of a mixed cluster", () => {
  let cluster: Cluster;
  let clients: Clients;
  /** Clients of the system account, on the shoal (0) and on the nats-server (1). */
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

  it("answers EXPVARZ in words of nats-server, those that the runtime knows, and without arguments", async () => {
    for (const admin of admins) {
      const answers = await ask(admin, "$SYS.REQ.SERVER.PING.EXPVARZ", 2);
      const [ours, theirs] = ["shoal", "nats-new"].map((name) => {
        const { data, ...envelope } = answers.find((one) => nameOf(one) === name)!;
        const { memstats, ...rest } = data as { memstats: Json; cmdline: string[] };
        return { memstats: shape(memstats, "memstats"), rest: shape({ ...envelope, data: rest }, "EXPVARZ") };
      });
      expect(ours!.rest).toEqual(theirs!.rest);
      expect(Object.keys(ours!.memstats).length).toBeGreaterThan(5);
      expect(theirs!.memstats).toMatchObject(ours!.memstats);
      const { data } = answers.find((one) => nameOf(one) === "shoal")!;
      expect((data as { cmdline: string[] }).cmdline).toHaveLength(1);
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
      // nats-server tells of subjects in any order
      const publish = { allow: expect.toSatisfy(isSameSet(["a.>", "$SYS.REQ.>"])) };
      expect(info!["data"]).toEqual({
        user: "a",
        account: "A",
        account_name: "A",
        permissions: { publish, subscribe: { allow: [">"] } },
      });
      expect(nameOf(info!)).toBe(cluster.members[at]!.spec.name);
      for (const subject of ["ACCOUNT.PING.CONNZ", "SERVER.PING.CONNZ"]) {
        // the user of the round before is gone as soon as its server has noticed
        const accounts = await waitFor("the connection of this user alone", async () => {
          const answers = await ask(user, `$SYS.REQ.${subject}`, 2, { auth: true, acc: "B" });
          expect(answers.map(nameOf).toSorted()).toEqual(["nats-new", "shoal"]);
          const seen = answers.flatMap((one) => (one["data"] as { connections: Json[] }).connections);
          return seen.length === 1 && seen.map((one) => one["account"]);
        });
        expect(accounts).toEqual(["A"]);
      }
      const statz = await waitFor("figures of this user alone", async () => {
        const [answer] = await ask(user, "$SYS.REQ.ACCOUNT.PING.STATZ", 1);
        const figures = (answer!["data"] as { account_statz: Json[] }).account_statz;
        return figures[0]?.["conns"] === 1 && figures;
      });
      expect(statz).toMatchObject([{ acc: "A", conns: 1 }]);
      for (const subject of ["ACCOUNT.B.CONNZ", "SERVER.PING", "SERVER.PING.VARZ", "USER.B.INFO"])
        await expect(user.request(`$SYS.REQ.${subject}`, "", PATIENT)).rejects.toThrow("no responders");
      await user.close();
    }
  });

  it("tells of clients that come, go and are refused, across the cluster", async () => {
    const listeners = admins.map((admin) =>
      listen(admin, "$SYS.ACCOUNT.A.>", "$SYS.SERVER.*.CLIENT.AUTH.ERR"),
    );
    await Promise.all(admins.map((admin) => admin.flush()));
    await allReach(admins);
    for (const member of cluster.members) {
      const user = await clients.connect(member, { user: "a", pass: "p", name: `of ${member.spec.name}` });
      await user.close();
      await expect(clients.connect(member, { user: "a", pass: "wrong" })).rejects.toThrow("Authorization");
    }
    // a client of another test may end only now
    const isOurs = ({ body }: Event, server: string, type: string): boolean =>
      !type.startsWith("A.") || (body["client"] as Json)["name"] === `of ${server}`;
    const told = (heard: Event[], server: string, type: string): Event | undefined =>
      heard.find(
        (one) => one.subject.endsWith(type) && nameOf(one.body) === server && isOurs(one, server, type),
      );
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

  it("tells of closed connections of an account, with their users", async () => {
    for (const member of cluster.members)
      await (await clients.connect(member, { user: "a", pass: "p", name: "closed" })).close();
    const closed = await waitFor("both to be told", async () => {
      const answers = await ask(admins[0]!, "$SYS.REQ.SERVER.PING.CONNZ", 2, {
        state: 1,
        auth: true,
        acc: "A",
      });
      const lists = ["shoal", "nats-new"].map((name) => {
        const { data } = answers.find((one) => nameOf(one) === name)!;
        return (data as { connections: Json[] }).connections.find((one) => one["name"] === "closed");
      });
      return lists.every((one) => one !== undefined) && lists;
    });
    expect(closed[0]).toMatchObject({ account: "A", name_tag: "A", authorized_user: "a" });
    expect(shape(closed[0], "connection")).toEqual(shape(closed[1], "connection"));
  });

  it("tells how servers are, and each other's numbers only grow", async () => {
    const listeners = admins.map((admin) => listen(admin, "$SYS.SERVER.*.STATSZ"));
    await Promise.all(admins.map((admin) => admin.flush()));
    await allReach(admins);
    for (const asking of admins) {
      for (const heard of listeners) heard.length = 0;
      asking.publish("$SYS.REQ.SERVER.PING.STATSZ");
      for (const heard of listeners) {
        const [ours, theirs] = await waitFor("both", () => {
          const both = ["shoal", "nats-new"].map((name) => heard.find(({ body }) => nameOf(body) === name));
          return both.every((one) => one !== undefined) && both;
        });
        expect(shape(ours!.body, "STATSZ")).toEqual(shape(theirs!.body, "STATSZ"));
      }
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

function isSameSet(wanted: readonly string[]): (seen: readonly string[]) => boolean {
  return (seen) => seen.length === wanted.length && wanted.every((one) => seen.includes(one));
}
