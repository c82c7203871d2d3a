/** Lame duck mode as clients over WebSocket and leaf nodes see it, on both servers: nobody new is taken, and who is there is served to the end. */
import { connect } from "node:net";
import { wsconnect, type NatsConnection } from "@nats-io/transport-node";
import { afterEach, describe, expect, it } from "vitest";
import { requireNatsServer } from "../support/both-servers.ts";
import { allReach } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { hasKind, LeafWorld, type LeafServerKind } from "../support/leaf-nodes.ts";

requireNatsServer();

const KINDS: readonly LeafServerKind[] = ["nats-server", "shoal"];
/** Nobody is sent away before the test has ended. */
const LONG = "lame_duck_duration: 600s, lame_duck_grace_period: 300s";

let world: LeafWorld;

afterEach(async () => world?.[Symbol.asyncDispose]());

function kindsOfStatus(client: NatsConnection): readonly string[] {
  const kinds: string[] = [];
  void (async () => {
    for await (const { type } of client.status()) kinds.push(type);
  })();
  return kinds;
}

async function isRefused(port: number): Promise<boolean> {
  const socket = connect({ port, host: "127.0.0.1" });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once("connect", () => resolve(false));
  socket.once("error", () => resolve(true));
  const isOne = await promise;
  socket.destroy();
  return isOne;
}

describe.each(KINDS)("a %s in lame duck mode", (kind) => {
  it.skipIf(!hasKind(kind))("tells clients over WebSocket, and carries on for leaf nodes", async () => {
    world = new LeafWorld();
    const hub = await world.start(kind, { name: "hub", webSocket: "no_tls: true", config: LONG });
    const spoke = await world.start("shoal", { name: "spoke", hubs: [hub], acceptsNone: true });
    const page = await wsconnect({ servers: `ws://127.0.0.1:${hub.webSocketPort}`, reconnect: false });
    const site = await world.connect(spoke);
    await allReach([page, site]);
    const kinds = kindsOfStatus(page);
    hub.process.signal("SIGUSR2");
    await waitFor("the page to be told", () => kinds.includes("ldm"));
    for (const port of [hub.webSocketPort, hub.leafPort])
      await waitFor("the port to be closed", async () => isRefused(port));
    await allReach([page, site]);
    expect(spoke.process.log()).not.toContain("Leafnode connection closed");
    hub.process.signal("SIGINT"); // ends at once
    await page.closed();
    await waitFor("the leaf connection to end", () =>
      spoke.process.log().includes("Leafnode connection closed"),
    );
    await allReach([site, await world.connect(spoke)]);
  });
});
