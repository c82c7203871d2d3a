/** Traces in Snappy's framing format, by the example values of its specification and of CRC-32C. */
import { expect, it } from "vitest";
import { framed } from "../../../src/system/traces.ts";

it("frames data that is not compressed, with masked checksums, in chunks of 64 KiB", () => {
  // CRC-32C of "123456789" is e3069283; masked: turned right by 15 bits, and a282ead8 added.
  const masked = ((((0xe3069283 >>> 15) | (0xe3069283 << 17)) >>> 0) + 0xa282ead8) >>> 0;
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(masked);
  expect(Buffer.from(framed(Buffer.from("123456789"))).toString("hex")).toBe(
    "ff060000734e61507059" + "010d0000" + checksum.toString("hex") + Buffer.from("123456789").toString("hex"),
  );
  expect(framed(Buffer.alloc(0))).toHaveLength(10);
  expect(framed(Buffer.alloc(65_537))).toHaveLength(10 + 8 + 65_536 + 8 + 1);
});
