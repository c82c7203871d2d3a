/** Reloads in clusters of shoal and real nats-servers: what one of them changes, the other follows on the routes that stand. */
import { afterEach, describe, expect, it } from "vitest";
import type { Member } from "../support/cluster-member.ts";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startMembers } from "../support/cluster.ts";
import { RawConnection } from "../support/raw-connection.ts";

const missing = missingKinds(["nats-new"]);
const pairs: [reloads: ServerKind, other: ServerKind][] = [
  ["shoal", "nats-new"],
  ["nats-new", "shoal"],
  ["shoal", "shoal"],
];

const open: RawConnection[] = [];
afterEach(() => {
  for (const connection of open.splice(0)) connection.destroy();
});

async function client({ ports }: Member, first: string): Promise<RawConnection> {
  const connection = await RawConnection.greeted(ports.client);
  open.push(connection);
  connection.send(`${first}PING\r\n`);
  await connection.until("the second PONG", () => connection.text.split("PONG\r\n").length > 2);
  return connection;
}

/** Publishes until the other hears of it: interest has to get there first. */
async function crosses(from: RawConnection, to: RawConnection, subject: string): Promise<void> {
  await waitFor(`${subject} to cross`, () => {
    from.send(`PUB ${subject} 0\r\n\r\n`);
    return to.text.includes(`MSG ${subject} `);
  });
}

/** A pool of three, and the route of the system account. */
const ROUTES_BETWEEN = 4;

describe.skipIf(missing.length > 0).each(pairs)("a reload of %s beside %s", (reloading, other) => {
  const start = (clusterLines: readonly string[]): ReturnType<typeof startMembers> =>
    startMembers([
      { kind: reloading, name: "one", clusterLines },
      { kind: other, name: "two", clusterLines },
    ]);

  it("changes which subjects cross", async () => {
    await using cluster = await start(["name: mixed"]);
    await cluster.fullMesh();
    const [one, two] = [cluster.member(0), cluster.member(1)];
    const [here, there] = [
      await client(one, "SUB x.> 1\r\nSUB y.> q 2\r\nSUB z.> 3\r\n"),
      await client(two, "SUB x.> 1\r\nSUB y.> q 2\r\n"),
    ];
    await crosses(here, there, "x.1");
    await crosses(there, here, "x.2");
    await one.reload(["name: mixed", 'permissions { export: { deny: "x.>" } }']);
    here.send("PUB x.3 0\r\n\r\n");
    await crosses(there, here, "x.4");
    await one.reload(["name: mixed", 'permissions { import: { deny: "x.>" } }']);
    await crosses(here, there, "x.5");
    expect(there.text).not.toContain("MSG x.3 ");
    there.send("PUB x.6 0\r\n\r\n");
    // on the same route, so that it is behind what may not cross
    await crosses(there, here, "z.1");
    await one.reload(["name: mixed"]);
    await crosses(there, here, "x.7");
    await crosses(here, there, "x.8");
    expect(here.text).not.toContain("MSG x.6 ");
  });

  it("ends routes with other credentials, which come back with the right ones", async () => {
    const lines = (password: string): string[] => [
      "name: mixed",
      `authorization { user: u, password: ${password} }`,
    ];
    await using cluster = await startMembers(
      [
        { kind: reloading, name: "one", clusterLines: lines("old") },
        { kind: other, name: "two", clusterLines: lines("old") },
      ],
      { routesOf: (member, members) => (member === members[0] ? [] : [members[0]!.routeUrl("u:old")]) },
    );
    await cluster.fullMesh();
    const [one, two] = [cluster.member(0), cluster.member(1)];
    // nats-server keeps a route whose password it has checked but which it registers after the reload
    await waitFor(
      "all routes to be registered",
      () => one.countLogs(/Registering remote route/) === ROUTES_BETWEEN,
      () => cluster.logTails(),
    );
    await one.reload(lines("new"));
    await waitFor(
      "the routes to end",
      async () => (await one.peers())?.size === 0,
      () => cluster.logTails(),
    );
    two.routes = [one.routeUrl("u:new")];
    await two.reload(lines("new"));
    await cluster.fullMesh();
  });
});
