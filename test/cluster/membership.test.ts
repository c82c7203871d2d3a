/** Members that leave, return, move, were never there, and islands that find each other. */
// oxlint-disable vitest/expect-expect -- awaiting a condition up to a deadline is the assertion
import { describe, expect, it } from "vitest";
import { freePort } from "../support/free-port.ts";
import { allReach, Inbox } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Stage, whole, type RunningServer } from "./stage.ts";

const routeTo = (port: number): string => `nats://127.0.0.1:${port}`;

describe("two islands", () => {
  it("become one when the address that both know is served at last", async () => {
    await using stage = new Stage();
    const common = await freePort();
    const islands: RunningServer[][] = [];
    for (const island of ["left", "right"]) {
      const first = await stage.start({ name: `${island}-0`, routes: [routeTo(common)] });
      const routes = [routeTo(common), first.routeUrl()];
      const second = await stage.start({ name: `${island}-1`, routes });
      await whole([first, second]);
      islands.push([first, second]);
    }
    const bridge = await stage.start({ name: "bridge", clusterPort: common });
    const all = [...islands.flat(), bridge];
    await whole(all);
    const clients = await stage.clients(all);
    const inboxes = clients.map((client) => new Inbox(client, "united"));
    await allReach(clients);
    clients[0]!.publish("united");
    await Promise.all(inboxes.map((inbox) => inbox.received(1)));
    await allReach(clients);
    expect(inboxes.map(({ messages }) => messages.length)).toEqual([1, 1, 1, 1, 1]);
  });
});

describe("a member that is gone", () => {
  it("is given up after connect_retries by those who only heard of it, and looked for on by who lists it", async () => {
    await using stage = new Stage();
    const clusterPort = await freePort();
    const clusterLines = ["connect_retries: 2"];
    const leaver = await stage.start({ name: "leaver", clusterPort, clusterLines });
    const lister = await stage.start({ name: "lister", clusterLines, routes: [routeTo(clusterPort)] });
    const hearer = await stage.start({ name: "hearer", clusterLines, routes: [lister.routeUrl()] });
    await whole([leaver, lister, hearer]);
    await leaver.stop();
    const line = await hearer.says("No longer trying to connect to route");
    expect(line).toMatchObject({ event: "peer_given_up", address: `127.0.0.1:${clusterPort}`, attempts: 3 });
    await waitFor("more tries of the lister than the hearer made", () => {
      const snapshot = lister.server.cluster!.snapshot()!;
      const row = snapshot.addresses.find(({ address }) => address === `127.0.0.1:${clusterPort}`);
      return (row?.attempts ?? 0) > 3;
    });
    expect(hearer.server.cluster!.snapshot()!.addresses.map(({ address }) => address)).not.toContain(
      `127.0.0.1:${clusterPort}`,
    );
    expect(lister.logged("No longer trying")).toEqual([]);
    const returned = await stage.start({ name: "leaver", clusterPort, clusterLines });
    await whole([returned, lister, hearer]);
  });

  it("is found again where it was, whoever dialled whom before, with a new id under the old name", async () => {
    await using stage = new Stage();
    const clusterPort = await freePort();
    const seed = await stage.start({ name: "seed" });
    const other = await stage.start({ name: "other", routes: [seed.routeUrl()] });
    const leaver = await stage.start({ name: "leaver", clusterPort, routes: [seed.routeUrl()] });
    await whole([seed, other, leaver]);
    await leaver.stop();
    await whole([seed, other]);
    // It knows nobody itself now.
    const returned = await stage.start({ name: "leaver", clusterPort });
    await whole([seed, other, returned]);
    expect(returned.id).not.toBe(leaver.id);
    await allReach(await stage.clients([seed, other, returned]));
  });

  it("is found again at another address, when it knows one of the others", async () => {
    await using stage = new Stage();
    const members = await stage.cluster([{ name: "a" }, { name: "b" }, { name: "c" }]);
    await whole(members);
    await members[2]!.stop();
    const moved = await stage.start({ name: "c", routes: [members[1]!.routeUrl()] });
    await whole([members[0]!, members[1]!, moved]);
  });

  it("was the seed: the others stay together, and take it back", async () => {
    await using stage = new Stage();
    const clusterPort = await freePort();
    const seed = await stage.start({ name: "seed", clusterPort });
    const others = [];
    for (const name of ["b", "c"]) others.push(await stage.start({ name, routes: [seed.routeUrl()] }));
    await whole([seed, ...others]);
    await seed.stop();
    await whole(others);
    await allReach(await stage.clients(others));
    await whole([await stage.start({ name: "seed", clusterPort }), ...others]);
  });
});

describe("a route that cannot be had", () => {
  it("is tried again and again from the first moment, or ever more seldom with connect_backoff", async () => {
    await using stage = new Stage();
    const routes = [routeTo(await freePort())];
    const eager = await stage.start({ name: "eager", routes });
    const patient = await stage.start({ name: "patient", routes, clusterLines: ["connect_backoff: true"] });
    const address = (server: RunningServer) => server.server.cluster!.snapshot()!.addresses[0]!;
    await waitFor("both to have failed", () => address(patient).attempts > 0 && address(eager).attempts > 6);
    expect(address(patient).attempts).toBeLessThan(address(eager).attempts);
    await patient.says("Error trying to connect to route (attempt 1)");
  });

  it("to the server itself is found out, and left alone", async () => {
    await using stage = new Stage();
    const clusterPort = await freePort();
    const alone = await stage.start({
      clusterPort,
      routes: [`nats://localhost:${clusterPort}`, routeTo(clusterPort)],
    });
    const other = await stage.start({ routes: [alone.routeUrl()] });
    await whole([alone, other]);
    expect(alone.routesTo(alone)).toEqual([]);
  });
});
