import { describe, expect, it } from "vitest";
import { StoreOwner } from "../../../src/jetstream/store-owner.ts";
import { MemoryDisk } from "../../../src/store/memory-disk.ts";

const IN_CLUSTER = { server: "n1", cluster: "C" };
const ALONE = { server: "n1", cluster: "" };

describe("the store of a server", () => {
  it("is the same server's again, and becomes whole once", () => {
    const disk = new MemoryDisk();
    const first = StoreOwner.claim(disk, "/js", IN_CLUSTER)!;
    expect(first.isWhole).toBe(false);
    first.becomeWhole();
    expect(StoreOwner.claim(disk, "/js", IN_CLUSTER)!.isWhole).toBe(true);
  });

  it.each([
    ["of another name", { server: "n2", cluster: "C" }],
    ["of another cluster", { server: "n1", cluster: "D" }],
    ["of no cluster", ALONE],
  ])("is refused to a server %s", (_what, other) => {
    const disk = new MemoryDisk();
    StoreOwner.claim(disk, "/js", IN_CLUSTER);
    expect(() => StoreOwner.claim(disk, "/js", other)).toThrow(
      "the store in /js belongs to the server n1 of the cluster C",
    );
    expect(StoreOwner.claim(disk, "/js", IN_CLUSTER)).not.toBeNull();
  });

  it("is refused to a cluster with streams that a server kept by itself, and is left as it was", () => {
    const disk = new MemoryDisk();
    expect(StoreOwner.claim(disk, "/js", ALONE)).toBeNull();
    disk.replace("/js/A/streams/ORDERS/meta.json", Buffer.from("{}"));
    expect(() => StoreOwner.claim(disk, "/js", IN_CLUSTER)).toThrow(
      "the store in /js holds streams that this server kept by itself (A/ORDERS)",
    );
    expect(StoreOwner.claim(disk, "/js", ALONE)).toBeNull();
  });

  it("is nobody's while it cannot be read whose it is", () => {
    const disk = new MemoryDisk();
    disk.replace("/js/%owner.json", Buffer.from('{"server": "n1"'));
    expect(() => StoreOwner.claim(disk, "/js", IN_CLUSTER)).toThrow("/js/%owner.json is damaged");
  });
});
