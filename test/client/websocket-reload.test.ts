/** What a reload changes for clients over WebSocket: those who come, and those who are there. */
import { wsconnect } from "@nats-io/transport-node";
import { expect, it } from "vitest";
import type { ConfigOverrides } from "../../src/config/config.ts";
import { slabSnapshot } from "../../src/slab/chunks.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startInProcess, type InProcessServer } from "../support/in-process-server.ts";

const PLAIN = { host: "127.0.0.1", port: 0, noTls: true };

function urlOf({ server }: InProcessServer): string {
  return `ws://127.0.0.1:${server.webSocketEndpoint!.port}`;
}

async function reload(server: InProcessServer, websocket: ConfigOverrides["websocket"]): Promise<void> {
  const outcome = await server.reload({ websocket: { ...PLAIN, ...websocket } });
  expect(outcome).toMatchObject({ kind: "reloaded", waiting: [] });
}

it("takes other credentials, and sends those away who no longer have any", async () => {
  await using server = await startInProcess({ websocket: { ...PLAIN, token: "old" } });
  const old = await wsconnect({ servers: urlOf(server), token: "old", reconnect: false });
  await reload(server, { token: "new" });
  await old.closed();
  await expect(wsconnect({ servers: urlOf(server), token: "old", reconnect: false })).rejects.toThrow(
    /Authorization Violation/,
  );
  const next = await wsconnect({ servers: urlOf(server), token: "new" });
  await next.close();
});

it("takes other origins, cookies and headers for requests to come", async () => {
  await using server = await startInProcess({ websocket: PLAIN });
  const ask = async (): Promise<string[]> => {
    const socket = new WebSocket(urlOf(server));
    return new Promise((resolve) => {
      socket.onmessage = () => {
        socket.close();
        resolve(["open", socket.extensions]);
      };
      socket.onerror = () => resolve(["refused"]);
    });
  };
  expect(await ask()).toEqual(["open", ""]);
  await reload(server, { compression: true });
  const [state, extensions] = await ask();
  expect(state).toBe("open");
  expect(extensions).toContain("permessage-deflate");
});

it("tells clients of another address", async () => {
  await using server = await startInProcess({ cluster: { name: "c" }, websocket: PLAIN });
  const routes = [{ host: "127.0.0.1", port: server.routePort, user: null, password: null }];
  await using other = await startInProcess({ cluster: { name: "c", routes }, websocket: PLAIN });
  const client = await wsconnect({ servers: urlOf(other) });
  const told = (): string[] => client.info?.connect_urls ?? [];
  await waitFor("both addresses", () => told().length === 2);
  const advertise = { host: "ws.example", port: 443 };
  await other.reload({ cluster: { name: "c", routes }, websocket: { ...PLAIN, advertise } });
  await waitFor("the new address", () => told().includes("ws.example:443"));
  await client.close();
});

it("leaves nothing of clients that come and go", async () => {
  await using server = await startInProcess({ websocket: { ...PLAIN, compression: true } });
  for (let round = 0; round < 20; round++) {
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => wsconnect({ servers: urlOf(server) })),
    );
    for (const client of clients) client.subscribe("a.>");
    clients[0]!.publish("a.b", "x".repeat(1000));
    await Promise.all(clients.map((client) => client.close()));
  }
  const { clients, webSocket } = server.server.rooms;
  await waitFor("the last to be gone", () => clients.sessions.size === 0 && slabSnapshot().chunksInUse === 0);
  expect([webSocket!.openingCount, webSocket!.counters.upgraded, clients.subscriptionCount]).toEqual([
    0, 400, 0,
  ]);
});
