/** Strangers: servers at a dialled address that were not presented the cluster's credentials and have shown no certificate. */
import { expect, test } from "vitest";
import type { MeshAction, RouteInfo } from "../../../src/cluster/mesh-types.ts";
import { all, facts, info, MeshDriver, only, type ActionOf } from "./mesh-driver.ts";

function answeredByStranger(fields: Partial<RouteInfo>, driver = new MeshDriver({ id: "0" })) {
  const dial = only(driver.list(["b"]), "dial");
  const connId = 500;
  driver.step({ kind: "dialSucceeded", dialId: dial.dialId, connId, remoteIp: "10.0.0.2", isStranger: true });
  const actions = driver.step({ kind: "handshakeInfo", connId, info: info("B", fields) });
  return { driver, connId, actions };
}

const elsewhere = "nats-route://10.6.6.6:6222/";

function hosts(actions: readonly MeshAction[]): string[] {
  return all(actions, "dial").map(({ address }: ActionOf<"dial">) => address.host);
}

test("the address that a stranger names is not dialled, neither when it stays nor when it goes", () => {
  const { driver, connId } = answeredByStranger(
    { ip: elsewhere, routePoolSize: 3 },
    new MeshDriver({ poolSize: 3 }),
  );
  expect(hosts(driver.confirm(connId))).toEqual(["b"]);
  driver.lose(connId);
  const dialled = Array.from({ length: 50 }, () => hosts(driver.wait(200))).flat();
  expect(new Set(dialled)).toEqual(new Set(["b"]));
});

test("others are told the address at which a stranger was dialled, not the one that it names", () => {
  const { driver, connId } = answeredByStranger({ ip: elsewhere });
  driver.accept(info("C"), "10.0.0.3");
  const told = all(driver.confirm(connId), "announce").filter(({ info: about }) => about.id === "B");
  expect(told.map(({ ip }) => ip)).toEqual(["nats-route://b:6222/"]);
});

test("what a stranger tells of others is not believed", () => {
  const { driver, connId } = answeredByStranger({});
  driver.confirm(connId);
  expect(driver.gossip(connId, info("X", { ip: elsewhere }))).toEqual([]);
});

test("a stranger's cluster name is not taken on", () => {
  const driver = new MeshDriver({ clusterNameDynamic: true });
  const { actions } = answeredByStranger({ cluster: "theirs" }, driver);
  expect(only(actions, "close").reason).toBe("clusterNameConflict");
  expect(facts(actions)).toEqual(["clusterNameConflict", "dialFailed"]);
});

test("a server that proves itself by a connection of its own is believed from then on", () => {
  const { driver, connId } = answeredByStranger({ ip: elsewhere, shoal: false });
  driver.confirm(connId);
  const proven = driver.accept(info("B", { ip: "nats-route://10.0.0.2:6222/", shoal: false }), "10.0.0.2");
  expect(only(proven.actions, "register").peerId).toBe("B");
  expect(driver.mesh.snapshot(driver.nowMs).peers[0]?.address).toBe("10.0.0.2:6222");
});
