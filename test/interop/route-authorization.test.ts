/** cluster.authorization: what a stranger on the port for routes is told, by shoal and by the real nats-server. */
import { afterEach, describe, expect, it } from "vitest";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { startMembers, type Cluster } from "../support/cluster.ts";
import { RawConnection } from "../support/raw-connection.ts";

const missing = missingKinds(["nats-new"]);
const kinds: ServerKind[] = ["nats-new", "shoal"];

const open: RawConnection[] = [];
afterEach(() => {
  for (const connection of open.splice(0)) connection.destroy();
});

describe.skipIf(missing.length > 0).each(kinds)("the port for routes of %s", (kind) => {
  const start = (authorization: string): Promise<Cluster> =>
    startMembers([{ kind, name: "one", clusterLines: ["name: c", `authorization { ${authorization} }`] }]);

  async function stranger(cluster: Cluster, words = ""): Promise<RawConnection> {
    const connection = await RawConnection.open(cluster.member(0).ports.cluster);
    open.push(connection);
    await connection.has("INFO ");
    connection.send(words);
    return connection;
  }

  const connect = (user: string, pass: string): string =>
    `CONNECT ${JSON.stringify({ user, pass, name: "NSTRANGER", cluster: "c" })}\r\n`;

  it("says in INFO that it wants credentials, and ends who says nothing within the timeout", async () => {
    await using cluster = await start("user: r, password: p, timeout: 0.3");
    const connection = await stranger(cluster);
    await connection.closed();
    expect(connection.text).toContain('"auth_required":true');
    expect(connection.errors).toEqual(["Authentication Timeout"]);
  });

  it("gives who says nothing the time of the timeout", async () => {
    await using cluster = await start('user: r, password: p, timeout: "1m"');
    const [patient, wrong] = [await stranger(cluster), await stranger(cluster, connect("r", "x"))];
    await wrong.closed();
    expect(wrong.errors).toEqual(["Authorization Violation"]);
    expect(patient.isClosed).toBe(false);
  });

  it("refuses another user, and no user", async () => {
    await using cluster = await start("user: r, password: p");
    for (const words of [connect("x", "p"), connect("", "")]) {
      const connection = await stranger(cluster, words);
      await connection.closed();
      expect(connection.errors).toEqual(["Authorization Violation"]);
    }
  });

  it("asks nobody for a proxy by proxy_required", async () => {
    await using cluster = await start("user: r, password: p, proxy_required: true");
    const connection = await stranger(cluster, `${connect("r", "p")}PING\r\n`);
    await connection.has("PONG\r\n");
    expect(connection.errors).toEqual([]);
  });
});
