/** Servers of two kinds that keep streams do not belong to one cluster: their groups would have the same subjects. */
import { expect, test } from "vitest";
import { facts, info, MeshDriver, only } from "./mesh-driver.ts";

const OTHER = { shoal: false, hasOtherJetStream: true };

test("a server of another kind that keeps streams is refused, and named", () => {
  const driver = new MeshDriver({ keepsStreams: true });
  const { actions } = driver.accept(info("B", OTHER), "10.0.0.2");
  expect(only(actions, "close")).toMatchObject({ reason: "otherJetStream", detail: info("B").name });
  expect(facts(actions)).toContain("otherJetStream");
  expect(driver.mesh.snapshot(driver.nowMs).peers).toEqual([]);
  expect(facts(driver.accept(info("B", OTHER), "10.0.0.2").actions)).not.toContain("otherJetStream");
});

test("it is a member where this server keeps none, and so is one that keeps none", () => {
  expect(only(new MeshDriver().accept(info("B", OTHER), "10.0.0.2").actions, "register").peerId).toBe("B");
  const driver = new MeshDriver({ keepsStreams: true });
  expect(only(driver.accept(info("B", { shoal: false }), "10.0.0.2").actions, "register").peerId).toBe("B");
});
