/** Many clients connect and say nothing: the others are still served. */
import { afterEach, describe, expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { startInProcess } from "../support/in-process-server.ts";
import { RawConnection } from "../support/raw-connection.ts";

/** The bound is 1024 (`MeshLimits`). */
const SILENT = 1100;
const connections: RawConnection[] = [];

afterEach(() => {
  for (const connection of connections.splice(0)) connection.destroy();
});

async function silent(port: number, count: number): Promise<void> {
  for (let i = 0; i < count; i++) connections.push(await RawConnection.open(port));
}

describe("silent connections", () => {
  it("lock no member out of the route port: the oldest make room", async () => {
    await using seed = await startInProcess({
      server: { name: "seed" },
      cluster: { name: "c", authTimeoutMs: 60_000 },
    });
    await silent(seed.routePort, SILENT);
    const route = { host: "127.0.0.1", port: seed.routePort, user: null, password: null };
    await using member = await startInProcess({
      server: { name: "m" },
      cluster: { name: "c", routes: [route] },
    });
    for (const { server } of [seed, member])
      await waitFor("the two to be a mesh", () => server.cluster!.snapshot()!.size.connected === 2);
    const { handshakesCrowdedOut, handshakesOpen } = seed.server.cluster!.snapshot()!;
    expect(handshakesCrowdedOut).toBeGreaterThanOrEqual(SILENT - 1024);
    expect(handshakesOpen).toBeLessThanOrEqual(1024);
  });

  it("lock out no client with credentials: at max_connections the oldest without any makes room", async () => {
    const authorization = { user: "u", password: "p", timeoutMs: 60_000 };
    await using server = await startInProcess({ client: { maxConnections: 3 }, authorization });
    const credentials = { user: "u", pass: "p" };
    const known = await RawConnection.greeted(server.port, credentials);
    connections.push(known);
    await silent(server.port, 2);
    for (let i = 0; i < 2; i++) connections.push(await RawConnection.greeted(server.port, credentials));
    await connections[1]!.closed();
    await connections[2]!.closed();
    expect(connections[1]!.errors).toEqual(["maximum connections exceeded"]);
    const late = await RawConnection.open(server.port);
    await late.closed();
    expect(late.errors).toEqual(["maximum connections exceeded"]);
    known.send("PING\r\n");
    await known.until("another PONG", () => known.text.match(/PONG\r\n/g)?.length === 2);
  });
});
