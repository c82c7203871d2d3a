/** Servers of one process that rebalance, with official clients: after a scale-up the newcomer gets its share, and messages go on. */
import type { NatsConnection } from "@nats-io/transport-node";
import { afterEach, describe, expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { Stage, whole, type RunningServer } from "./stage.ts";

const stages: Stage[] = [];
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage[Symbol.asyncDispose]();
});

const REBALANCES = 'rebalance { enabled: true, rate: 100, interval: "50ms", calm: "200ms" }';

async function servers(clusterLines: readonly string[]): Promise<{ stage: Stage; members: RunningServer[] }> {
  const stage = new Stage();
  stages.push(stage);
  const members = await stage.cluster(["one", "two"].map((name) => ({ name, clusterLines })));
  await whole(members);
  return { stage, members };
}

/** Clients of a server that reconnect as they do by default. */
async function crowd(stage: Stage, server: RunningServer, count: number): Promise<NatsConnection[]> {
  const options = { reconnect: true, ignoreClusterUpdates: false, maxReconnectAttempts: -1 };
  return Promise.all(Array.from({ length: count }, async () => stage.client(server, options)));
}

function counts(members: readonly RunningServer[]): number[] {
  return members.map(({ server }) => server.clients.sessions.size);
}

describe("servers that rebalance", () => {
  it("share clients out, who hear why and go on", async () => {
    const { stage, members } = await servers([REBALANCES]);
    const [one] = members;
    const clients = await crowd(stage, one!, 30);
    const hints: string[] = [];
    for (const client of clients) {
      void (async () => {
        for await (const { type } of client.status())
          if (type === "ldm" || type === "reconnect") hints.push(type);
      })();
    }
    await waitFor(
      "all to be somewhere, in shares that are within the tolerance",
      () => counts(members).reduce((a, b) => a + b) === 30 && Math.min(...counts(members)) >= 10,
      () => counts(members).join(),
    );
    await waitFor("hints", () => hints.filter((hint) => hint === "ldm").length >= 10);
    expect(one!.logged("Asking clients to move")[0]).toMatchObject({ event: "rebalance", others: [0] });
    const got = new Set<number>();
    clients.forEach((client, index) => client.subscribe("all", { callback: () => void got.add(index) }));
    await Promise.all(clients.map(async (client) => client.flush()));
    await waitFor("a message at each", async () => {
      clients[0]!.publish("all");
      await clients[0]!.flush();
      return got.size === clients.length;
    });
  });

  it("leave alone who does not understand INFO", async () => {
    const { stage, members } = await servers([REBALANCES]);
    const [one] = members;
    const { connect } = await import("node:net");
    const sockets = Array.from({ length: 20 }, () => connect(one!.clientPort, "127.0.0.1"));
    for (const socket of sockets) socket.write('CONNECT {"verbose":false}\r\nPING\r\n');
    const [asked] = await crowd(stage, one!, 1);
    await waitFor("the one that does to move", () => counts(members).join() === "20,1");
    await asked!.flush();
    expect(sockets.every((socket) => !socket.destroyed)).toBe(true);
    for (const socket of sockets) socket.destroy();
  });
});

describe("servers that do not", () => {
  it("neither tell how many clients they have nor move any", async () => {
    const { stage, members } = await servers([]);
    await crowd(stage, members[0]!, 20);
    await Promise.all((await stage.clients(members)).map(async (client) => client.flush()));
    expect(counts(members)).toEqual([21, 1]);
    expect(members.map(({ server }) => server.cluster!.members.clients.size)).toEqual([0, 0]);
  });
});
