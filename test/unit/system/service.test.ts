/** The server in its system account, from inside: what costs nothing, and what is bounded. */
import { describe, expect, it, vi } from "vitest";
import { connect } from "@nats-io/transport-node";
import type { Account } from "../../../src/core/account.ts";
import { eventClient } from "../../../src/app/views/system-account.ts";
import { Listener } from "../../../src/core/listener.ts";
import { Turns } from "../../../src/monitor/turns.ts";
import { waitFor } from "../../support/cluster-wait.ts";
import { RawConnection } from "../../support/raw-connection.ts";
import { startInProcess, type InProcessServer } from "../../support/in-process-server.ts";

type Json = Record<string, unknown>;

/** Everything that is said under the subject from now on. */
function hear(system: Account, subject: string): Json[] {
  const heard: Json[] = [];
  const listener = new Listener(subject, ({ payload }) => {
    heard.push(JSON.parse(Buffer.from(payload).toString("utf8")) as Json);
  });
  system.subscribe(listener);
  return heard;
}

async function ask({ server }: InProcessServer, kind: string, options: object = {}): Promise<Json> {
  const [answer] = await server.clusterQuery(kind, 10_000, options);
  return answer as unknown as Json;
}

/** Messages that the server has signed so far. */
async function sequence(server: InProcessServer): Promise<number> {
  return ((await ask(server, "STATSZ"))["server"] as { seq: number }).seq;
}

async function visit({ url, server }: InProcessServer): Promise<void> {
  const client = await connect({ servers: url, reconnect: false });
  await client.close();
  await waitFor("the client to be gone", () => server.clients.sessions.size === 0);
}

describe("events", () => {
  it("are not made while nobody listens", async () => {
    await using server = await startInProcess();
    const before = await sequence(server);
    for (let i = 0; i < 5; i++) await visit(server);
    expect(await sequence(server)).toBe(before + 1);
    const heard = hear(server.server.accounts.system!, "$SYS.ACCOUNT.*.*");
    for (let i = 0; i < 5; i++) await visit(server);
    await waitFor("all of them", () => heard.length === 10);
    expect(await sequence(server)).toBe(before + 12);
    expect(heard.map(({ type }) => String(type).split("_").at(-1))).toEqual(
      Array.from({ length: 5 }, () => ["connect", "disconnect"]).flat(),
    );
  });

  it("of many who come at once are sent in slices, in their order", async () => {
    await using server = await startInProcess();
    const heard = hear(server.server.accounts.system!, "$SYS.ACCOUNT.*.CONNECT");
    const client = await connect({ servers: server.url, reconnect: false });
    await waitFor("its own", () => heard.length === 1);
    const [session] = server.server.clients.sessions.values();
    const { events } = server.server.rooms.system.current!.service!;
    const times: string[] = [];
    for (let i = 0; i < 1000; i++) events.connected(eventClient(session!));
    let most = 0;
    while (heard.length < 1001) {
      const before = heard.length;
      await new Promise<void>((resolve) => setImmediate(resolve));
      most = Math.max(most, heard.length - before);
    }
    for (const { id } of heard) times.push(String(id));
    expect(most).toBeLessThanOrEqual(200);
    expect(new Set(times).size).toBe(1001);
    const sequences = heard.map(({ server: by }) => (by as { seq: number }).seq);
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
    await client.close();
  });

  it("wait in bounded memory to be sent: what finds no room is counted", async () => {
    await using server = await startInProcess();
    const heard = hear(server.server.accounts.system!, "$SYS.ACCOUNT.*.CONNECT");
    const client = await connect({ servers: server.url, reconnect: false });
    await waitFor("its own", () => heard.length === 1);
    const [session] = server.server.clients.sessions.values();
    const { events } = server.server.rooms.system.current!.service!;
    for (let i = 0; i < 20_000; i++) events.connected(eventClient(session!));
    await waitFor("those that found room", () => heard.length === 1 + 16_384);
    expect(events.lost).toBe(20_000 - 16_384);
    await client.close();
  });

  it("tell that the server goes: lame duck first, then shutdown", async () => {
    await using server = await startInProcess({
      server: { lameDuckDurationMs: 1, lameDuckGracePeriodMs: 0 },
    });
    const { id } = server.server.identity;
    const system = server.server.accounts.system!;
    const [lameDuck, shutdown] = [`$SYS.SERVER.${id}.LAMEDUCK`, `$SYS.SERVER.${id}.SHUTDOWN`].map((subject) =>
      hear(system, subject),
    );
    await server.server.lameDuck();
    expect([lameDuck!.length, shutdown!.length]).toEqual([1, 1]);
    expect(shutdown![0]).toMatchObject({ id, name: server.server.identity.name, jetstream: false });
  });
});

describe("requests", () => {
  it("wait in a bounded queue: who is not among the first gets no answer, and later ones do", async () => {
    await using server = await startInProcess();
    const system = server.server.accounts.system!;
    const answers = hear(system, "answers");
    for (let i = 0; i < 3000; i++) system.send("$SYS.REQ.SERVER.PING.IDZ", Buffer.from(""), "answers");
    expect(await server.server.clusterQuery("IDZ", 100)).toEqual([]);
    await waitFor("the answers", () => answers.length === 1024);
    // of the three thousand, and the question behind them
    expect(server.server.rooms.system.current!.service!.requestsDropped).toBe(1977);
    expect(await ask(server, "STATSZ")).toMatchObject({ server: { id: server.server.identity.id } });
    expect(answers).toHaveLength(1024);
  });

  it("are answered fairly by account, and in pieces", async () => {
    await using server = await startInProcess();
    const client = await RawConnection.greeted(server.port, { headers: true });
    client.send(Array.from({ length: 20_000 }, (_, n) => `SUB s.${n} ${n}\r\n`).join(""));
    await waitFor("them", () => server.server.clients.subscriptionCount === 20_000);
    const { global, system } = server.server.accounts;
    const order: string[] = [];
    global.subscribe(new Listener("in", ({ payload }) => order.push(`$G ${payload.length > 1_000_000}`)));
    system!.subscribe(new Listener("answers", () => order.push("$SYS")));
    const asked = JSON.stringify({ subscriptions_detail: true });
    const request = `PUB $SYS.REQ.ACCOUNT.PING.CONNZ in ${asked.length}\r\n${asked}\r\n`;
    const turns = vi.spyOn(Turns.prototype, "next");
    client.send(`${request.repeat(3)}PING\r\n`);
    await waitFor("the PONG behind them", () => client.text.match(/PONG/g)?.length === 2);
    system!.send("$SYS.REQ.SERVER.PING.IDZ", Buffer.from(""), "answers");
    await waitFor("all answers", () => order.length === 4);
    expect(order.indexOf("$SYS")).toBeLessThanOrEqual(1);
    expect(order.filter((who) => who === "$G true")).toHaveLength(3);
    // More than a megabyte each, in pieces of 16 KiB.
    expect(turns.mock.calls.length).toBeGreaterThan(3 * 60);
    turns.mockRestore();
    client.destroy();
  });

  it("with a payload that is too large are left alone", async () => {
    await using server = await startInProcess();
    const filler = { server_name: "", filler: "x".repeat(100_000) };
    expect(await server.server.clusterQuery("VARZ", 100, filler)).toEqual([]);
    expect(await ask(server, "VARZ")).toHaveProperty("data");
  });

  it("that ask for too much get a shorter list", async () => {
    await using server = await startInProcess();
    const client = await RawConnection.greeted(server.port);
    const lines = Array.from({ length: 20_000 }, (_, n) => `SUB ${n}.${"x".repeat(500)} ${n}\r\n`);
    client.send(lines.join(""));
    await waitFor("them", () => server.server.clients.subscriptionCount === 20_000);
    const { data } = await ask(server, "SUBSZ", { subscriptions: true, limit: 100_000 });
    const {
      total,
      limit,
      subscriptions_list: list,
    } = data as { total: number; limit: number; subscriptions_list: object[] };
    expect(total).toBe(20_000);
    expect(list).toHaveLength(limit);
    expect(limit).toBeGreaterThan(5000);
    expect(JSON.stringify(data).length).toBeLessThan(8 * 1024 * 1024);
    client.destroy();
  });

  it("work without the monitoring port, tell of closed connections from before, and load the configuration", async () => {
    await using server = await startInProcess();
    await visit(server);
    expect(await ask(server, "CONNZ", { state: 1 })).toMatchObject({
      data: { num_connections: 1, connections: [{ reason: "Client Closed" }] },
    });
    const { server: mine } = server;
    const answers = hear(mine.accounts.system!, "answers");
    mine.accounts.system!.send(`$SYS.REQ.SERVER.${mine.identity.id}.RELOAD`, Buffer.from(""), "answers");
    await waitFor("the answer", () => answers.length === 1);
    expect(Object.keys(answers[0]!)).toEqual(["server"]);
  });
});

it("a server without a system account says nothing and asks nobody", async () => {
  await using server = await startInProcess({ accounts: { noSystem: true } });
  expect(server.server.accounts.system).toBeNull();
  expect(await server.server.clusterQuery("VARZ", 10_000)).toEqual([]);
  await visit(server);
});
