import { describe, expect, test } from "vitest";
import { all, info, MeshDriver, only } from "./mesh-driver.ts";

function at(id: string, host: string) {
  return info(id, { ip: `nats-route://${host}:6222/` });
}

describe("telling of joins", () => {
  test("the others are told of a newcomer, and the newcomer of the others", () => {
    const driver = new MeshDriver();
    const old = driver.accept(info("B"), "10.0.0.2");
    const { connId, actions } = driver.accept(info("C"), "10.0.0.3");
    const told = all(actions, "announce").map(({ connIds, info: about, ip }) => [connIds[0], about.id, ip]);
    expect(told).toEqual(
      expect.arrayContaining([
        [old.connId, "C", "nats-route://10.0.0.3:6222/"],
        [connId, "B", "nats-route://10.0.0.2:6222/"],
      ]),
    );
    expect(told).toHaveLength(2);
  });

  test("a nats-server as newcomer is told of nobody, as it would dial those who dial it", () => {
    const driver = new MeshDriver();
    driver.accept(info("B"), "10.0.0.2");
    const { connId, actions } = driver.accept(info("C", { shoal: false }), "10.0.0.3");
    expect(all(actions, "announce").flatMap((action) => action.connIds)).not.toContain(connId);
  });

  test("a newcomer that dialled and asks not to be told on is not told on", () => {
    const driver = new MeshDriver();
    driver.accept(info("B"), "10.0.0.2");
    const { actions } = driver.accept(info("C", { gossipMode: 1 }), "10.0.0.3");
    expect(all(actions, "announce")).toEqual([]);
  });

  test("the mode is 2 where the link is explicit, 1 where the newcomer dialled", () => {
    const driver = new MeshDriver();
    driver.accept(info("B"), "10.0.0.2");
    const accepted = driver.accept(info("C", { shoal: false }), "10.0.0.3").actions;
    expect(all(accepted, "announce").map((action) => action.gossipMode)).toEqual([1]);
    const { connId } = driver.answer(only(driver.list(["d"]), "dial"), info("D", { shoal: false }));
    expect(all(driver.confirm(connId), "announce").map((action) => action.gossipMode)).toEqual([2]);
  });

  test("what came of gossip is told on only in mode 2", () => {
    for (const [gossipMode, count] of [
      [0, 0],
      [2, 1],
    ] as const) {
      const driver = new MeshDriver({ id: "0" });
      const { connId } = driver.accept(info("B", { shoal: false }), "10.0.0.2");
      const dial = only(driver.gossip(connId, { ...at("C", "10.0.0.3"), gossipMode }), "dial");
      const answered = driver.answer(dial, info("C", { shoal: false }));
      expect(only(answered.actions, "register").sendInfo?.gossipMode).toBe(gossipMode);
      expect(all(driver.confirm(answered.connId), "announce")).toHaveLength(count);
    }
  });

  test("now and then one shoal is told of members known here", () => {
    const driver = new MeshDriver({ gossipIntervalMs: 1000 });
    driver.accept(info("B"), "10.0.0.2");
    driver.accept(info("C", { shoal: false }), "10.0.0.3");
    const told = all(driver.wait(1500), "announce");
    expect(new Set(told.map((action) => `${action.connIds.join()} ${action.info.id}`))).toEqual(
      new Set(["1 C"]),
    );
  });
});

describe("being told", () => {
  test("an unknown member is dialled: at once by the lower id, by the higher after leaving the other its turn", () => {
    const lower = new MeshDriver({ id: "0" });
    const toldLower = lower.gossip(lower.accept(info("B"), "10.0.0.2").connId, at("C", "10.0.0.3"));
    expect(only(toldLower, "dial")).toMatchObject({ address: { host: "10.0.0.3" }, origin: "gossiped" });
    const higher = new MeshDriver({ id: "Z", implicitDelayMs: 100 });
    expect(higher.gossip(higher.accept(info("B"), "10.0.0.2").connId, at("C", "10.0.0.3"))).toEqual([]);
    expect(higher.wait(99)).toEqual([]);
    expect(all(higher.wait(101), "dial")).toHaveLength(1);
  });

  test("a member that is connected already, and this server itself, are not dialled", () => {
    const driver = new MeshDriver({ id: "0" });
    const { connId } = driver.accept(info("B"), "10.0.0.2");
    driver.accept(info("C"), "10.0.0.3");
    expect(driver.gossip(connId, at("C", "10.0.0.3"))).toEqual([]);
    expect(driver.gossip(connId, at("0", "10.0.0.1"))).toEqual([]);
  });

  test("a listed address is dialled at once when a member is said to have taken its place there", () => {
    const driver = new MeshDriver({ id: "0" });
    const listed = driver.answer(only(driver.list(["10.0.0.3"]), "dial"), info("C1", { name: "c" }));
    driver.confirm(listed.connId);
    driver.nowMs = 5000;
    const { connId } = driver.accept(info("B"), "10.0.0.2");
    expect(only(driver.gossip(connId, at("C2", "10.0.0.3")), "dial").address.host).toBe("10.0.0.3");
  });

  test("connect_retries bounds the dials to a gossiped address", () => {
    const driver = new MeshDriver({ id: "0", connectRetries: 2, giveUpAfterMs: 1e9 });
    const { connId } = driver.accept(info("B"), "10.0.0.2");
    let dials = all(driver.gossip(connId, at("C", "10.0.0.3")), "dial");
    let count = 0;
    while (dials[0] !== undefined) {
      count++;
      driver.fail(dials[0]);
      dials = all(driver.wait(500), "dial");
    }
    expect(count).toBe(3);
  });

  test("more than so much a second is dropped and counted, and the tables stay within their bounds", () => {
    const limits = {
      peersMax: 5,
      addressesMax: 20,
      handshakesMax: 5,
      dialsInFlightMax: 5,
      gossipPerSecondMax: 50,
    };
    const driver = new MeshDriver({ limits });
    const { connId } = driver.accept(info("B"), "10.0.0.2");
    for (let i = 0; i < 100; i++) driver.gossip(connId, at(`X${i}`, `10.1.0.${i}`));
    const snapshot = driver.mesh.snapshot(driver.nowMs);
    expect(snapshot.gossipDropped).toBe(50);
    expect(snapshot.addresses).toHaveLength(10);
    driver.list(Array.from({ length: 30 }, (_, i) => `listed-${i}`));
    const listed = driver.mesh
      .snapshot(driver.nowMs)
      .addresses.filter(({ wantedBy }) => wantedBy[0] !== "gossip");
    expect(listed).toHaveLength(10);
  });

  test("a member that left is dialled for a bounded time and then forgotten", () => {
    const driver = new MeshDriver({ giveUpAfterMs: 5000 });
    driver.lose(driver.accept(info("B"), "10.0.0.2").connId);
    let dialled = 0;
    for (let i = 0; i < 600; i++) {
      for (const dial of all(driver.wait(100), "dial")) {
        dialled++;
        driver.fail(dial);
      }
    }
    expect(dialled).toBeGreaterThan(2);
    expect(driver.mesh.snapshot(driver.nowMs).addresses).toEqual([]);
  });
});
