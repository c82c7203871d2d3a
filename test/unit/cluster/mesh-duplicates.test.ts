import { describe, expect, test } from "vitest";
import type { MeshAction } from "../../../src/cluster/mesh-types.ts";
import { all, facts, info, MeshDriver, only } from "./mesh-driver.ts";

/** Own id is "M": "A" is lower, "Z" is higher. */
function dialled(peerId: string, fields: Parameters<typeof info>[1] = {}) {
  const driver = new MeshDriver();
  const { connId, actions } = driver.answer(only(driver.list(["b"]), "dial"), info(peerId, fields));
  return { driver, connId, actions };
}

describe("both sides dial at once", () => {
  test("what the lower id dialled stays: ours against a higher shoal", () => {
    const { driver } = dialled("Z");
    const { connId, actions } = driver.accept(info("Z"), "b");
    expect(only(actions, "close")).toMatchObject({ connId, reason: "duplicateRoute" });
  });

  test("what the lower id dialled stays: a lower shoal's against ours", () => {
    const { driver, connId: own } = dialled("A");
    const { connId, actions } = driver.accept(info("A"), "b");
    expect(only(actions, "register").connId).toBe(connId);
    expect(only(actions, "close")).toMatchObject({ connId: own, reason: "duplicateRoute" });
  });

  test("a nats-server's dial always stays, because it has registered it and will close ours", () => {
    const { driver, connId: own } = dialled("Z", { shoal: false });
    const { actions } = driver.accept(info("Z", { shoal: false }), "b");
    expect(only(actions, "close").connId).toBe(own);
  });

  test("a duplicate begun before our route was confirmed is refused, however late its INFO comes", () => {
    const { driver, connId: own } = dialled("Z");
    const late = driver.begin("b");
    driver.confirm(own);
    const actions = driver.step({ kind: "handshakeInfo", connId: late, info: info("Z") });
    expect(only(actions, "close").connId).toBe(late);
  });

  test("a connection begun after our route was confirmed shows that the peer has lost that route", () => {
    const { driver, connId: own } = dialled("Z");
    driver.confirm(own);
    const { actions } = driver.accept(info("Z"), "b");
    expect(only(actions, "close").connId).toBe(own);
    expect(driver.peers()).toEqual(["Z"]);
  });

  test("with a server without pooling the first route stays", () => {
    const old = { shoal: false, routePoolSize: 0 };
    const { driver } = dialled("A", old);
    const { connId, actions } = driver.accept(info("A", old), "b");
    expect(only(actions, "close").connId).toBe(connId);
  });
});

describe("pooling", () => {
  test("routes are dialled one after the other, each into the first free slot, up to the larger pool size", () => {
    const driver = new MeshDriver({ poolSize: 2 });
    let dial = only(driver.list(["b"]), "dial");
    const slots: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const { connId, actions } = driver.answer(dial, info("B", { routePoolSize: 3 }));
      slots.push(only(actions, "register").sendInfo?.routePoolIdx);
      const next = all(driver.confirm(connId), "dial");
      if (next[0] !== undefined) dial = next[0];
    }
    expect(slots).toEqual([0, 1, 2]);
    expect(driver.mesh.snapshot(driver.nowMs)).toMatchObject({ complete: true, dialsInFlight: 0 });
  });

  test("a lost slot is dialled again while the others stay", () => {
    const driver = new MeshDriver({ poolSize: 2 });
    const first = driver.answer(only(driver.list(["b"]), "dial"), info("B", { routePoolSize: 2 }));
    const second = driver.answer(only(driver.confirm(first.connId), "dial"), info("B", { routePoolSize: 2 }));
    driver.confirm(second.connId);
    expect(facts(driver.lose(first.connId))).not.toContain("peerLeft");
    const dial = only(driver.wait(100), "dial");
    const { actions } = driver.answer(dial, info("B", { routePoolSize: 2 }));
    expect(only(actions, "register").slot).toEqual({ kind: "pool", index: 0 });
  });

  test("a further route that is lost before its PONG is dialled again", () => {
    const driver = new MeshDriver({ poolSize: 2 });
    const first = driver.answer(only(driver.list(["b"]), "dial"), info("B", { routePoolSize: 2 }));
    const second = driver.answer(only(driver.confirm(first.connId), "dial"), info("B", { routePoolSize: 2 }));
    driver.lose(second.connId);
    const third = driver.answer(driver.waitForDial(), info("B", { routePoolSize: 2 }));
    expect(only(third.actions, "register").slot).toEqual({ kind: "pool", index: 1 });
  });

  test("the accepting side fills the pool only if the dialling side has not done so for a while", () => {
    const driver = new MeshDriver({ poolSize: 2 });
    driver.accept(info("B", { routePoolSize: 2 }), "10.0.0.2");
    expect(all(driver.wait(900), "dial")).toEqual([]);
    expect(only(driver.wait(1200), "dial").address).toEqual({ host: "10.0.0.2", port: 6222 });
  });

  test("an index outside of the pool is refused in nats-server's words", () => {
    const driver = new MeshDriver({ poolSize: 3 });
    const { actions } = driver.accept(info("B", { routePoolSize: 3, routePoolIdx: 7 }), "b");
    expect(only(actions, "close")).toMatchObject({
      reason: "invalidPoolIndex",
      detail: "Invalid route pool index: 7 - pool size is 3",
    });
  });

  test("a configured address that leads to a peer known by gossip makes its routes explicit", () => {
    const driver = new MeshDriver();
    const { connId } = driver.accept(info("B"), "10.0.0.2");
    const { actions } = driver.answer(only(driver.list(["b"]), "dial"), info("B"));
    expect(only(actions, "close").reason).toBe("duplicateRoute");
    expect(only(actions, "upgrade")).toMatchObject({ connId, address: { host: "b" }, routeType: "explicit" });
    expect(all(driver.wait(60_000), "dial")).toEqual([]);
  });
});

describe("pinned accounts", () => {
  test("each has one route of its own beside the pool", () => {
    const driver = new MeshDriver({ poolSize: 1, pinnedAccounts: ["$SYS"] });
    const { connId } = driver.answer(only(driver.list(["b"]), "dial"), info("B"));
    const dial = only(driver.confirm(connId), "dial");
    expect(dial.account).toBe("$SYS");
    const { actions } = driver.answer(dial, info("B"));
    expect(only(actions, "register")).toMatchObject({
      slot: { kind: "account", account: "$SYS" },
      sendInfo: { routeAccount: "$SYS" },
    });
  });

  test("an account that is not pinned here is refused in nats-server's words", () => {
    const driver = new MeshDriver();
    const { actions } = driver.accept(info("B", { routeAccount: "BB" }), "b");
    expect(only(actions, "close")).toMatchObject({
      reason: "noRouteForAccount",
      detail: 'No route for account "BB"',
    });
  });

  test("with a server without pooling there is none", () => {
    const driver = new MeshDriver({ pinnedAccounts: ["$SYS"] });
    const { connId, actions } = driver.answer(
      only(driver.list(["b"]), "dial"),
      info("B", { routePoolSize: 0 }),
    );
    expect(only(actions, "register").noPool).toBe(true);
    driver.confirm(connId);
    expect(all(driver.wait(60_000), "dial")).toEqual([]);
  });
});

describe("names", () => {
  const quiet = (driver: MeshDriver, actions: readonly MeshAction[]): MeshAction[] =>
    all(actions, "challenge").flatMap(({ connId }) =>
      driver.step({ kind: "challengeOver", connId, isAlive: false }),
    );

  test("a member that lives keeps its name: whoever else says it is refused", () => {
    const { driver, connId: holder } = dialled("B1", { name: "b" });
    driver.confirm(holder);
    const { connId, actions } = driver.accept(info("B2", { name: "b" }), "b");
    expect(only(actions, "close")).toMatchObject({ connId, reason: "duplicateServerName" });
    expect(only(actions, "challenge").connId).toBe(holder);
    const after = driver.step({ kind: "challengeOver", connId: holder, isAlive: true });
    expect(facts(after)).toEqual(["duplicateName"]);
    expect(driver.peers()).toEqual(["B1"]);
  });

  test("a member that shows no sign of life makes room for its successor, which is dialled at once", () => {
    const { driver, connId: dead } = dialled("B1", { name: "b" });
    driver.confirm(dead);
    const first = driver.accept(info("B2", { name: "b" }), "10.0.0.9");
    const actions = quiet(driver, first.actions);
    expect(only(actions, "close")).toMatchObject({ connId: dead, reason: "superseded" });
    expect(facts(actions)).toEqual(expect.arrayContaining(["peerLeft", "peerRestarted"]));
    const { connId } = driver.answer(only(actions, "dial"), info("B2", { name: "b" }));
    driver.confirm(connId);
    expect(driver.peers()).toEqual(["B2"]);
  });

  test("where another member has taken up the successor already, the one that is silent gets less time", () => {
    const heardOf = (told: string): number => {
      const { driver, connId: dead } = dialled("B1", { name: "b" });
      driver.confirm(dead);
      const other = driver.accept(info("C"), "c");
      driver.gossip(other.connId, info(told, { name: "b" }));
      const { actions } = driver.accept(info("B2", { name: "b" }), "10.0.0.9");
      return only(actions, "challenge").withinMs;
    };
    expect(heardOf("B2")).toBeLessThan(heardOf("B3"));
    expect(heardOf("B3")).toBe(heardOf("X"));
  });

  test("the successor is told on by those it came to, and not by those who heard of it", () => {
    const toldOn = (isHeardOf: boolean): readonly number[] => {
      const { driver, connId: dead } = dialled("B1", { name: "b" });
      driver.confirm(dead);
      const other = driver.accept(info("C"), "c");
      if (isHeardOf) driver.gossip(other.connId, info("B2", { name: "b" }));
      const first = driver.accept(info("B2", { name: "b" }), "10.0.0.9");
      const dial = only(quiet(driver, first.actions), "dial");
      const { connId } = driver.answer(dial, info("B2", { name: "b" }));
      const told = all(driver.confirm(connId), "announce").filter(({ info: { id } }) => id === "B2");
      return told.flatMap(({ connIds }) => connIds.map((each) => (each === other.connId ? 1 : 0)));
    };
    expect(toldOn(false)).toEqual([1]);
    expect(toldOn(true)).toEqual([]);
  });

  test("of a member's routes, those without a sign of life end, and the member stays", () => {
    const driver = new MeshDriver({ poolSize: 2 });
    const first = driver.accept(info("B1", { name: "b", routePoolSize: 2 }), "b");
    const second = driver.accept(info("B1", { name: "b", routePoolSize: 2, routePoolIdx: 1 }), "b");
    driver.accept(info("B2", { name: "b" }), "c");
    const actions = driver.step({ kind: "challengeOver", connId: second.connId, isAlive: false });
    expect(only(actions, "close").connId).toBe(second.connId);
    driver.step({ kind: "challengeOver", connId: first.connId, isAlive: true });
    expect(driver.peers()).toEqual(["B1"]);
  });

  test("however often somebody comes with the name of a member, the member is asked once at a time, and it is told once", () => {
    const { driver, connId: holder } = dialled("B1", { name: "b" });
    driver.confirm(holder);
    const came = Array.from(
      { length: 50 },
      (_, i) => driver.accept(info(`X${i}`, { name: "b" }), "x").actions,
    );
    expect(all(came.flat(), "challenge")).toHaveLength(1);
    const told = Array.from({ length: 5 }, () => {
      driver.accept(info("X", { name: "b" }), "x");
      return driver.step({ kind: "challengeOver", connId: holder, isAlive: true });
    });
    expect(facts(told.flat())).toEqual(["duplicateName"]);
  });

  test("a predecessor that comes back beside its successor is a second server of that name, and refused", () => {
    const { driver, connId: dead } = dialled("B1", { name: "b" });
    driver.confirm(dead);
    quiet(driver, driver.accept(info("B2", { name: "b" }), "10.0.0.9").actions);
    driver.accept(info("B2", { name: "b" }), "10.0.0.9");
    const { actions } = driver.accept(info("B1", { name: "b" }), "b");
    expect(only(actions, "close").reason).toBe("duplicateServerName");
    expect(driver.peers()).toEqual(["B2"]);
  });

  test("a server of this server's own name is refused", () => {
    const driver = new MeshDriver();
    const { actions } = driver.accept(info("B", { name: "own" }), "b");
    expect(only(actions, "close").reason).toBe("duplicateServerName");
    expect(facts(actions)).toContain("duplicateName");
  });
});

describe("cluster names", () => {
  test("another configured name is refused", () => {
    const driver = new MeshDriver();
    const { actions } = driver.accept(info("B", { cluster: "D" }), "b");
    expect(only(actions, "close")).toMatchObject({ reason: "clusterNameConflict", detail: "D" });
  });

  test("a dynamic name gives way to a configured one, and routes made under it are closed", () => {
    const driver = new MeshDriver({ clusterNameDynamic: true });
    const old = driver.accept(info("B"), "b");
    const { actions } = driver.accept(info("D", { cluster: "D" }), "d");
    expect(only(actions, "adoptClusterName").name).toBe("D");
    expect(only(actions, "close")).toMatchObject({ connId: old.connId, reason: "clusterNameConflict" });
    expect(driver.peers()).toEqual(["D"]);
  });
});

describe("handshakes", () => {
  const limits = {
    peersMax: 10,
    addressesMax: 10,
    handshakesMax: 3,
    dialsInFlightMax: 10,
    gossipPerSecondMax: 10,
  };

  test("the oldest silent connection makes room for one more, which is counted and told", () => {
    const driver = new MeshDriver({ limits });
    const [oldest] = [driver.begin("x"), driver.begin("x"), driver.begin("x")];
    const actions = driver.step({ kind: "connAccepted", connId: 99, remoteIp: "10.0.0.2" });
    expect(only(actions, "close")).toMatchObject({ connId: oldest, reason: "tooManyConnections" });
    expect(facts(actions)).toEqual(["limitReached"]);
    driver.step({ kind: "handshakeInfo", connId: 99, info: info("B") });
    expect(driver.peers()).toEqual(["B"]);
    expect(driver.mesh.snapshot(driver.nowMs).handshakesCrowdedOut).toBe(1);
  });

  test("however many silent connections there are, those that have said who they are stay, and dials go on", () => {
    const driver = new MeshDriver({ limits });
    driver.accept(info("B"), "10.0.0.2");
    for (let i = 0; i < 50; i++) driver.begin("x");
    expect(driver.peers()).toEqual(["B"]);
    expect(all(driver.list(["c"]), "dial")).toHaveLength(1);
    expect(driver.mesh.snapshot(driver.nowMs).handshakesOpen).toBe(3);
  });

  test("one that stays silent is closed after the stated time", () => {
    const driver = new MeshDriver({ handshakeTimeoutMs: 2000 });
    const connId = driver.begin("b");
    expect(driver.wait(1999)).toEqual([]);
    expect(only(driver.wait(1), "close")).toMatchObject({ connId, reason: "handshakeTimeout" });
  });

  test("a dialled route that is never confirmed is closed, is no member, and counts as a failed dial", () => {
    const { driver, connId } = dialled("B");
    const actions = driver.wait(2000);
    expect(only(actions, "close")).toMatchObject({ connId, reason: "handshakeTimeout" });
    expect(facts(actions)).not.toContain("peerLeft");
    expect(driver.mesh.snapshot(driver.nowMs).addresses[0]?.attempts).toBe(1);
  });
});
