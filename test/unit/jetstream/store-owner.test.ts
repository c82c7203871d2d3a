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

  it("with streams that the server kept by itself is the cluster's, and they are put where they are offered from", () => {
    const disk = new MemoryDisk();
    expect(StoreOwner.claim(disk, "/js", ALONE)).toBeNull();
    disk.replace("/js/A%20B/streams/ORDERS/meta.json", Buffer.from("{}"));
    disk.replace("/js/%groups/streams/ORDERS/meta.json", Buffer.from("{}"));
    expect(StoreOwner.claim(disk, "/js", IN_CLUSTER)!.offered).toEqual(["A B/ORDERS"]);
    expect(disk.names("/js/A%20B/offered")).toEqual(["ORDERS"]);
    expect(disk.names("/js/A%20B/streams")).toEqual([]);
    expect(disk.names("/js/%groups/streams")).toEqual(["ORDERS"]);
    expect(StoreOwner.claim(disk, "/js", IN_CLUSTER)!.offered).toEqual([]);
  });

  it("is the server's own again while no cluster has it, with its streams", () => {
    const disk = new MemoryDisk();
    disk.replace("/js/A/offered/ORDERS/meta.json", Buffer.from("{}"));
    disk.replace("/js/A/offered/SAME/meta.json", Buffer.from("offered"));
    disk.replace("/js/A/streams/SAME/meta.json", Buffer.from("own"));
    expect(StoreOwner.claim(disk, "/js", ALONE)).toBeNull();
    expect(disk.names("/js/A/streams")).toEqual(["ORDERS", "SAME"]);
    expect(disk.names("/js/A/offered")).toEqual(["SAME"]);
    expect(Buffer.from(disk.read("/js/A/streams/SAME/meta.json")!).toString()).toBe("own");
  });

  it("is nobody's while it cannot be read whose it is", () => {
    const disk = new MemoryDisk();
    disk.replace("/js/%owner.json", Buffer.from('{"server": "n1"'));
    disk.replace("/js/%owner.copy.json", Buffer.from("{}"));
    expect(() => StoreOwner.claim(disk, "/js", IN_CLUSTER)).toThrow(
      "/js/%owner.json and %owner.copy.json are damaged",
    );
  });

  it.each(["/js/%owner.json", "/js/%owner.copy.json"])(
    "is its server's with any bit of %s flipped, or with the file cut off, and the file is mended",
    (path) => {
      const disk = new MemoryDisk();
      StoreOwner.claim(disk, "/js", IN_CLUSTER)!.becomeWhole();
      const sound = Buffer.from(disk.read(path)!);
      for (let bit = 0; bit < sound.length * 8; bit++) {
        const damaged = Buffer.from(sound);
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        disk.replace(path, damaged);
        expect(StoreOwner.claim(disk, "/js", IN_CLUSTER)!.isWhole).toBe(true);
        expect(Buffer.from(disk.read(path)!)).toEqual(sound);
      }
      for (let length = 0; length < sound.length; length++) {
        disk.replace(path, sound.subarray(0, length));
        expect(StoreOwner.claim(disk, "/js", IN_CLUSTER)!.isWhole).toBe(true);
        expect(Buffer.from(disk.read(path)!)).toEqual(sound);
      }
    },
  );
});
