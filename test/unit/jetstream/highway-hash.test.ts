/** The checksum of nats-server's blocks, against what another implementation says of lengths that end packets in every way. */
import { describe, expect, it } from "vitest";
import { HighwayHash } from "../../../src/jetstream/backup/highway-hash.ts";

const KEY = Buffer.from(Array.from({ length: 32 }, (_, i) => i * 7 + 3));
/** Computed with github.com/minio/highwayhash. */
const KNOWN: readonly (readonly [length: number, hash: string])[] = [
  [0, "c8d80290a4a54813"],
  [1, "72efb6f70ac48b5f"],
  [2, "b0c0ff5b34ee8545"],
  [3, "585d29a88dc424fb"],
  [4, "8214d528af085559"],
  [7, "00e402df06471a18"],
  [8, "bd998bd4c06d5692"],
  [15, "42895c11778f5b8f"],
  [16, "f90cf0b3ba7bffc0"],
  [17, "b94362ef0320382a"],
  [18, "b1131b3ea9d5f75a"],
  [19, "fbccba11787e95c6"],
  [20, "295688a9783ae29a"],
  [23, "50028f4636d46e6c"],
  [28, "995d9b3c4689e1e0"],
  [31, "d39d51953b1dc9c1"],
  [32, "f2581a9884373020"],
  [33, "e4d6eb187c9ae0a3"],
  [47, "e1d18c0516c60ad9"],
  [63, "49bc29d1071e8c8e"],
  [64, "cb9b0b5d90b58c16"],
  [65, "4d0e909493b241cf"],
  [1000, "8170762a554e9ef4"],
  [4099, "9426c2815fff7d89"],
];

const content = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => i * 31 + 5));

describe("HighwayHash", () => {
  const hash = new HighwayHash(KEY);

  it.each(KNOWN)("of %d bytes", (length, known) => {
    expect(hash.hash([content(length)]).toString("hex")).toBe(known);
  });

  it("does not depend on the pieces in which bytes come", () => {
    const whole = content(1000);
    for (const at of [0, 1, 31, 32, 33, 500, 999])
      expect(hash.hash([whole.subarray(0, at), whole.subarray(at)])).toEqual(hash.hash([whole]));
  });
});
