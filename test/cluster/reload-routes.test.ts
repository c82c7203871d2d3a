/** What reloads change of a cluster: routes, credentials, and the subjects that cross. */
import { afterEach, describe, expect, it } from "vitest";
import type { ConfigOverrides } from "../../src/config/config.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startInProcess, type InProcessServer } from "../support/in-process-server.ts";
import { RawConnection } from "../support/raw-connection.ts";

type ClusterConfig = NonNullable<ConfigOverrides["cluster"]>;

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const act of cleanup.splice(0).reverse()) await act();
});

async function member(cluster: ClusterConfig = {}): Promise<InProcessServer> {
  const started = await startInProcess({ cluster: { name: "c", ...cluster } });
  cleanup.push(() => started[Symbol.asyncDispose]());
  return started;
}

async function client({ port }: InProcessServer, first = ""): Promise<RawConnection> {
  const connection = await RawConnection.greeted(port);
  cleanup.push(() => connection.destroy());
  connection.send(`${first}PING\r\n`);
  await connection.until("the second PONG", () => connection.text.split("PONG\r\n").length > 2);
  connection.text = "";
  return connection;
}

const become = async (started: InProcessServer, cluster: ClusterConfig): Promise<void> => {
  expect(await started.reload({ cluster: { name: "c", ...cluster } })).toMatchObject({
    kind: "reloaded",
    waiting: [],
  });
};
const routeTo = (
  { routePort }: InProcessServer,
  user: string | null = null,
  password: string | null = null,
): ClusterConfig["routes"] => [{ host: "127.0.0.1", port: routePort, user, password }];
const peersOf = ({ server }: InProcessServer): number => server.cluster?.snapshot()?.size.connected ?? 0;
const routeIds = ({ server }: InProcessServer): number[] => [...server.cluster!.sessions.keys()];

async function meshOf(...members: readonly InProcessServer[]): Promise<void> {
  await waitFor("the mesh", () =>
    members.every((each) => peersOf(each) === members.length && each.server.cluster?.snapshot()?.complete),
  );
}

/** Publishes until the other hears of it: interest has to get there first. */
async function crosses(from: RawConnection, to: RawConnection, subject: string): Promise<void> {
  await waitFor(`${subject} to cross`, () => {
    from.send(`PUB ${subject} 0\r\n\r\n`);
    return to.text.includes(`MSG ${subject} `);
  });
}

describe("a reload", () => {
  it("changes compression, for which routes begin again where they have to", async () => {
    const a = await member();
    const b = await member({ routes: routeTo(a) });
    await meshOf(a, b);
    const modes = (): string[] => [...a.server.cluster!.sessions.values()].map((one) => one.compression.mode);
    expect([...new Set(modes())]).toEqual(["off"]);
    const before = routeIds(a);
    await become(a, { compression: { mode: "s2_fast", rttThresholdsMs: [] } });
    await waitFor(
      "packed routes",
      () => modes().length === before.length && modes().every((mode) => mode === "s2_fast"),
    );
    await meshOf(a, b);
    const ids = routeIds(a);
    await become(a, { compression: { mode: "s2_best", rttThresholdsMs: [] } });
    expect([...new Set(modes())]).toEqual(["s2_best"]);
    expect(routeIds(a)).toEqual(ids);
    const [from, to] = [await client(a), await client(b, "SUB packed 1\r\n")];
    await crosses(from, to, "packed");
  });

  it("adds routes, and leaves those that stand alone", async () => {
    const [a, b, c] = [await member(), await member(), await member()];
    await become(a, { routes: routeTo(b) });
    await meshOf(a, b);
    const before = routeIds(a);
    await become(a, { routes: [...routeTo(b)!, ...routeTo(c)!] });
    await meshOf(a, b, c);
    expect(routeIds(a)).toEqual(expect.arrayContaining(before));
    await become(a, { routes: routeTo(c) });
    expect(peersOf(a)).toBe(3);
  });

  it("of credentials ends routes that have shown others; they come back with the right ones", async () => {
    const a = await member({ user: "u", password: "old" });
    const b = await member({ routes: routeTo(a, "u", "old") });
    await meshOf(a, b);
    const before = routeIds(a);
    await become(a, { user: "u", password: "new" });
    await waitFor(
      "the end of the routes",
      () => routeIds(a).every((id) => !before.includes(id)) && peersOf(a) === 1,
    );
    await become(b, { routes: routeTo(a, "u", "new") });
    await meshOf(a, b);
    const now = routeIds(a);
    await become(a, { user: "u", password: "new", pingIntervalMs: 1000 });
    expect(routeIds(a)).toEqual(now);
  });

  it("of permissions ends and begins what crosses, both ways, on the routes that stand", async () => {
    const a = await member();
    const b = await member({ routes: routeTo(a) });
    await meshOf(a, b);
    const ids = routeIds(a);
    const [here, there] = [await client(a, "SUB x.> 1\r\n"), await client(b, "SUB x.> 1\r\nSUB y q 2\r\n")];
    await crosses(here, there, "x.1");
    await crosses(there, here, "x.2");
    const none = { allow: null, deny: ["x.>"] };
    await become(a, { permissions: { import: null, export: none } });
    here.send("PUB x.3 0\r\n\r\n");
    await crosses(here, there, "y");
    expect(there.text).not.toContain("MSG x.3");
    await crosses(there, here, "x.4");
    await become(a, { permissions: { import: none, export: null } });
    await crosses(here, there, "x.5"); // the other server has told of its interest again
    there.send("PUB x.6 0\r\n\r\n");
    await crosses(here, there, "x.7");
    expect(here.text).not.toContain("MSG x.6");
    await become(a, {});
    await crosses(there, here, "x.8");
    expect(routeIds(a)).toEqual(ids);
  });

  it("tells the other servers' clients where this one is", async () => {
    const a = await member();
    const b = await member({ routes: routeTo(a) });
    await meshOf(a, b);
    await a.reload({ client: { advertise: { host: "a.example", port: 4333 } }, cluster: { name: "c" } });
    await waitFor("the address", () => b.server.rooms.self.connectUrls().includes("a.example:4333"));
    await a.reload({ cluster: { name: "c", noAdvertise: true } });
    await waitFor("no address", () => b.server.rooms.self.connectUrls().length === 1);
  });

  it("changes limits of routes that stand", async () => {
    const a = await member();
    const b = await member({ routes: routeTo(a) });
    await meshOf(a, b);
    const session = [...a.server.cluster!.sessions.values()][0]!;
    await become(a, { writeDeadlineMs: 4321, pingIntervalMs: 1234, pingMax: 9 });
    const { current } = session.outbox.limits;
    expect(current).toMatchObject({ writeDeadlineMs: 4321, pingIntervalMs: 1234, pingMax: 9 });
    expect(a.server.config.cluster.pingMax).toBe(9);
  });

  it("that is not possible leaves the cluster as it is", async () => {
    const a = await member();
    const b = await member({ routes: routeTo(a) });
    await meshOf(a, b);
    const before = routeIds(b);
    const tls = { ...bad, certificates: [{ certFile: "/nowhere.pem", keyFile: "/nowhere-key.pem" }] };
    expect(await b.reload({ cluster: { name: "c", routes: [], tls } })).toMatchObject({ kind: "refused" });
    expect(b.server.config.cluster.routes).toHaveLength(1);
    expect(routeIds(b)).toEqual(before);
  });
});

const bad = {
  caFile: null,
  verify: "required",
  map: false,
  checksKnownUrls: false,
  insecure: false,
  ciphers: "",
  curves: "",
  minVersion: "TLSv1.2",
  pinnedKeys: null,
  timeoutMs: 1000,
  handshakeFirst: false,
  fallbackMs: null,
  connectionsPerSecondMax: null,
} as const;
