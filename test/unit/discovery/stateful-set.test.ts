/** Which pod of which StatefulSet a server runs in, and what becomes of it when it ends. */
import { describe, expect, it } from "vitest";
import { fateOf, podOfDnsName } from "../../../src/discovery/stateful-set.ts";

describe("the pod of a StatefulSet", () => {
  it("is known by its name in DNS", () => {
    expect(podOfDnsName("nats-shoal-12.nats-shoal-headless.prod.svc.cluster.local")).toEqual({
      namespace: "prod",
      statefulSet: "nats-shoal",
      ordinal: 12,
    });
    for (const other of [null, "", "nats", "web-abc.headless.prod.svc.cluster.local", "node-1.example.com"])
      expect(podOfDnsName(other), String(other)).toBeNull();
  });

  it("goes for good where the StatefulSet is to have fewer, and not where all go", () => {
    const of = (replicas: number, start = 0) => ({ spec: { replicas, ordinals: { start } } });
    expect(fateOf(of(3), 2)).toBe("returns");
    expect(fateOf(of(3), 3)).toBe("scaled away");
    expect(fateOf(of(3, 5), 5)).toBe("returns");
    expect(fateOf(of(3, 5), 4)).toBe("scaled away");
    expect(fateOf(of(3, 5), 8)).toBe("scaled away");
    expect(fateOf(of(0), 0)).toBe("all go");
    expect(
      fateOf({ metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" }, spec: { replicas: 1 } }, 3),
    ).toBe("all go");
    expect(fateOf(null, 0)).toBe("all go");
    expect(fateOf({}, 0)).toBe("returns");
  });
});
