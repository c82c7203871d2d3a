import { describe, expect, test } from "vitest";
import { all, facts, info, MeshDriver, only } from "./mesh-driver.ts";

describe("dialling what is listed", () => {
  test("a listed address is dialled at once, and with growing delay for as long as it is listed", () => {
    const driver = new MeshDriver();
    let dial = only(driver.list(["b"]), "dial");
    expect(dial).toMatchObject({ address: { host: "b", port: 6222 }, origin: "explicit", account: "" });
    const delays: number[] = [];
    for (let i = 0; i < 200; i++) {
      driver.fail(dial);
      const before = driver.nowMs;
      dial = driver.waitForDial();
      delays.push(driver.nowMs - before);
    }
    expect(delays[0]).toBeLessThanOrEqual(100);
    expect(Math.max(...delays)).toBeLessThanOrEqual(1500);
    expect(Math.max(...delays)).toBeGreaterThan(750);
  });

  test("an address that no source lists any more is given up after the stated time, and not before", () => {
    const driver = new MeshDriver({ giveUpAfterMs: 5000 });
    driver.fail(only(driver.list(["b"]), "dial"));
    driver.list([]);
    const failAll = (actions: ReturnType<MeshDriver["wait"]>): void => {
      for (const dial of all(actions, "dial")) driver.fail(dial);
    };
    for (let i = 0; i < 49; i++) failAll(driver.wait(100));
    expect(driver.mesh.snapshot(driver.nowMs).addresses).toHaveLength(1);
    const last = driver.wait(2000);
    expect(facts(last)).toContain("gaveUp");
    expect(driver.mesh.snapshot(driver.nowMs).addresses).toHaveLength(0);
    expect(driver.mesh.nextWakeMs()).toBeUndefined();
  });

  test("an address stays wanted while one of two sources lists it", () => {
    const driver = new MeshDriver({ giveUpAfterMs: 100 });
    const peers = [{ host: "b", port: 6222 }];
    driver.fail(only(driver.list(["b"]), "dial"));
    driver.step({ kind: "sourceChanged", source: "dns", origin: "discovered", peers });
    driver.list([]);
    for (let i = 0; i < 20; i++) for (const dial of all(driver.wait(200), "dial")) driver.fail(dial);
    expect(driver.mesh.snapshot(driver.nowMs).addresses[0]?.wantedBy).toEqual(["dns"]);
  });

  test("own addresses are never dialled, however written", () => {
    const driver = new MeshDriver({ ownAddresses: ["own-host:6222"] });
    expect(driver.list(["OWN-host"])).toEqual([]);
  });

  test("a dial that leads to this very server is closed and its address is left alone", () => {
    const driver = new MeshDriver();
    const { connId, actions } = driver.answer(only(driver.list(["b"]), "dial"), info("M"));
    expect(only(actions, "close")).toMatchObject({ connId, reason: "routeToSelf" });
    expect(all(driver.wait(60_000), "dial")).toEqual([]);
  });

  test("a dial that is never answered is called off and tried again", () => {
    const driver = new MeshDriver({ dialTimeoutMs: 1000 });
    const first = only(driver.list(["b"]), "dial");
    const actions = driver.wait(2000);
    expect(only(actions, "cancelDial").dialId).toBe(first.dialId);
    const late = driver.step({ kind: "dialSucceeded", dialId: first.dialId, connId: 99 });
    expect(only(late, "close").connId).toBe(99);
  });

  test("no more dials are under way than the bound allows, and the rest follow", () => {
    const limits = {
      peersMax: 10,
      addressesMax: 10,
      handshakesMax: 10,
      dialsInFlightMax: 2,
      gossipPerSecondMax: 10,
    };
    const driver = new MeshDriver({ limits });
    const first = all(driver.list(["b", "c", "d", "e"]), "dial");
    expect(first).toHaveLength(2);
    const next = first.flatMap((dial) => all(driver.fail(dial), "dial"));
    expect(next.map((dial) => dial.address.host)).toEqual(["d", "e"]);
  });
});

describe("an address behind which another server may hide", () => {
  test("is tried again after its peer is connected, and a stranger's answer joins", () => {
    const driver = new MeshDriver({ probeMinMs: 1000 });
    const first = only(driver.list(["balancer"]), "dial");
    const connId = 50;
    driver.step({ kind: "dialSucceeded", dialId: first.dialId, connId, remoteIp: "10.0.0.2" });
    driver.step({ kind: "handshakeInfo", connId, info: info("B", { ip: "nats-route://10.0.0.2:6222/" }) });
    driver.confirm(connId);
    const probe = only(driver.wait(2000), "dial");
    expect(probe.address.host).toBe("balancer");
    const { connId: second } = driver.answer(probe, info("C", { ip: "nats-route://10.0.0.3:6222/" }));
    driver.confirm(second);
    expect(driver.peers()).toEqual(["B", "C"]);
  });

  test("is left alone when the peer itself goes by it", () => {
    const driver = new MeshDriver({ probeMinMs: 1000 });
    const { connId } = driver.answer(only(driver.list(["10.0.0.2"]), "dial"), info("B"));
    driver.confirm(connId);
    expect(all(driver.wait(60_000), "dial")).toEqual([]);
  });
});

describe("stopping", () => {
  test("closes every connection, calls off every dial and dials no more", () => {
    const driver = new MeshDriver();
    const [first, second] = all(driver.list(["b", "c"]), "dial");
    if (first === undefined || second === undefined) throw new Error("two dials expected");
    const { connId } = driver.answer(first, info("B"));
    const actions = driver.step({ kind: "stopped" });
    expect(only(actions, "close")).toMatchObject({ connId, reason: "serverShutdown" });
    expect(only(actions, "cancelDial").dialId).toBe(second.dialId);
    expect(driver.mesh.nextWakeMs()).toBeUndefined();
    expect(only(driver.step({ kind: "connAccepted", connId: 77 }), "close").reason).toBe("serverShutdown");
  });
});

describe("a member that says good-bye", () => {
  function gone(listed: "listed" | "told of") {
    const driver = new MeshDriver();
    const { connId } =
      listed === "listed"
        ? driver.answer(only(driver.list(["10.0.0.2"]), "dial"), info("B"))
        : driver.accept(info("B"), "10.0.0.2");
    driver.confirm(connId);
    driver.step({ kind: "peerLeaving", connId });
    return { driver, actions: driver.lose(connId) };
  }

  test("is not awaited, and is given up in time where no source lists it", () => {
    const { driver, actions } = gone("told of");
    expect(facts(actions)).toEqual(["peerLeft"]);
    const alone = { size: { connected: 1, wanted: 1 }, complete: true };
    for (let i = 0; i < 700; i++) {
      expect(driver.mesh.snapshot(driver.nowMs)).toMatchObject(alone);
      for (const dial of all(driver.wait(100), "dial")) driver.fail(dial);
    }
    expect(driver.mesh.snapshot(driver.nowMs).addresses).toEqual([]);
  });

  test("is dialled on while it is listed, and joins when it is back", () => {
    const { driver } = gone("listed");
    expect(driver.mesh.snapshot(driver.nowMs)).toMatchObject({
      size: { connected: 1, wanted: 1 },
      complete: true,
      addresses: [{ state: "absent" }],
    });
    const { connId } = driver.answer(driver.waitForDial(), info("B2", { name: "name-of-B" }));
    driver.confirm(connId);
    expect(driver.peers()).toEqual(["B2"]);
  });

  test("is awaited again once it has stayed away for as long as a server that was lost is sought", () => {
    const { driver } = gone("listed");
    for (let i = 0; i < 700; i++) for (const dial of all(driver.wait(100), "dial")) driver.fail(dial);
    expect(driver.mesh.snapshot(driver.nowMs)).toMatchObject({
      size: { connected: 1, wanted: 2 },
      complete: false,
    });
  });

  test("is forgotten at once when its source no longer lists it", () => {
    const { driver } = gone("listed");
    driver.list([]);
    expect(driver.mesh.snapshot(driver.nowMs).addresses).toEqual([]);
  });

  test("is not sought again because others that have not noticed tell of it", () => {
    const { driver } = gone("told of");
    const { connId } = driver.accept(info("C"), "10.0.0.3");
    expect(driver.gossip(connId, info("B", { ip: "nats-route://10.0.0.2:6222/" }))).toEqual([]);
  });

  test("is not dialled for routes that it lacks, nor missed, while it closes them one by one", () => {
    const driver = new MeshDriver({ poolSize: 2 });
    const first = driver.accept(info("B", { routePoolSize: 2 }), "b");
    driver.accept(info("B", { routePoolSize: 2, routePoolIdx: 1 }), "b");
    driver.step({ kind: "peerLeaving", connId: first.connId });
    driver.lose(first.connId);
    expect(driver.mesh.isComplete()).toBe(true);
    expect(all(driver.wait(60_000), "dial")).toEqual([]);
  });

  test("is told of by others, not by itself: who stops has nobody leave", () => {
    const driver = new MeshDriver();
    driver.accept(info("B"), "10.0.0.2");
    expect(facts(driver.step({ kind: "stopped" }))).toEqual([]);
  });
});
