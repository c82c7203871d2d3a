/** A cluster of both servers: each tells its clients over WebSocket of the other's port for WebSocket, in `ws_connect_urls` between them. */
import { wsconnect } from "@nats-io/transport-node";
import { expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { freePort } from "../support/free-port.ts";
import { startServer } from "../support/nats-server.ts";

requireNatsServer();

it.skipIf(bothServers.length < 2)("tells clients of the ports of both", async () => {
  const routePort = await freePort();
  const ports: number[] = [];
  const servers = [];
  for (const { command } of bothServers) {
    const port = await freePort();
    const own = ports.length === 0 ? routePort : -1;
    const routes = ports.length === 0 ? "" : `routes: ["nats://127.0.0.1:${routePort}"]`;
    ports.push(port);
    servers.push(
      await startServer(
        command,
        `cluster { name: c, listen: "127.0.0.1:${own}", ${routes} }
        websocket { listen: "127.0.0.1:${port}", no_tls: true }`,
      ),
    );
  }
  try {
    const expected = ports.map((port) => `127.0.0.1:${port}`).toSorted();
    for (const port of ports) {
      const client = await wsconnect({ servers: `ws://127.0.0.1:${port}` });
      const told = (): string[] => [...(client.info?.connect_urls ?? [])].toSorted();
      await waitFor("both addresses", () => told().length === 2);
      expect(told()).toEqual(expected);
      await client.close();
    }
  } finally {
    for (const server of servers) await server.stop();
  }
});
