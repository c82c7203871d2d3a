/** permessage-deflate without context takeover (RFC 7692), both ways, and what bounds it. */
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { randomInt, seededRandom } from "../../../../src/base/random.ts";
import { READ_SIZE } from "../../../../src/slab/layout.ts";
import { inBothWays, PING, TEXT, WebSocketPair, type FrameParts } from "../../../support/websocket-frames.ts";

const COMPRESSED = 0x40;

function deflated(text: string | Uint8Array): Buffer {
  const options = { finishFlush: constants.Z_SYNC_FLUSH };
  return deflateRawSync(text, options).subarray(0, -4);
}

function inflated(payload: Uint8Array): Buffer {
  return inflateRawSync(Buffer.concat([payload, Uint8Array.of(0, 0, 0xff, 0xff)]), {
    finishFlush: constants.Z_SYNC_FLUSH,
  });
}

describe("compression", () => {
  const on = { compression: true };

  it.each([1, 64, 65, 66, 1000, 200_000])("of what is written: %i bytes", (length) => {
    const pair = new WebSocketPair(on);
    const payload = Buffer.alloc(length).map((_, i) => i % 50);
    pair.wire.writeMany([payload.subarray(0, 1), payload.subarray(1)].filter((piece) => piece.length > 0));
    const [only] = pair.frames();
    expect(only!.isCompressed).toBe(length > 64);
    const plain = only!.isCompressed ? inflated(only!.payload) : only!.payload;
    expect(plain.equals(payload)).toBe(true);
  });

  it("leaves what cannot be compressed right", () => {
    const pair = new WebSocketPair(on);
    const random = seededRandom(1);
    const payload = Buffer.alloc(300_000).map(() => randomInt(random, 256));
    pair.wire.write(payload);
    pair.wire.write(payload);
    for (const { payload: written } of pair.frames()) expect(inflated(written).equals(payload)).toBe(true);
  });

  it.each([
    ["one frame", [{ reserved: COMPRESSED, payload: deflated("PING\r\n") }]],
    [
      "fragments",
      [
        { reserved: COMPRESSED, payload: deflated("PING\r\n").subarray(0, 3), isFinal: false },
        { opcode: PING },
        { opcode: 0, payload: deflated("PING\r\n").subarray(3) },
      ],
    ],
    ["nothing", [{ reserved: COMPRESSED, payload: deflated("") }, { payload: "PING\r\n" }]],
    ["both kinds", [{ payload: "PI" }, { reserved: COMPRESSED, payload: deflated("NG\r\n") }]],
    [
      "blocks that are final",
      [{ reserved: COMPRESSED, payload: Buffer.concat([deflateRawSync("PING\r\n"), Buffer.of(0)]) }],
    ],
  ] satisfies [string, FrameParts[]][])("of messages that come: %s", (_, frames) => {
    inBothWays(frames, on, (pair) => {
      expect(pair.text).toBe("PING\r\n");
      expect(pair.below.state).toBe("open");
    });
  });

  it("grows messages beyond what is read at once, mixed with others", () => {
    const pair = new WebSocketPair(on);
    const large = Buffer.alloc(5 * READ_SIZE + 3).map((_, i) => i % 251);
    pair.wire.admitted();
    pair.send(
      { payload: Buffer.alloc(100_000, 1) },
      { reserved: COMPRESSED, payload: deflated(large) },
      { payload: "tail" },
      { reserved: COMPRESSED, payload: deflated("end") },
    );
    const expected = Buffer.concat([Buffer.alloc(100_000, 1), large, Buffer.from("tailend")]);
    expect(Buffer.concat(pair.received).equals(expected)).toBe(true);
  });

  it("waits where the receiver does, and loses nothing", () => {
    const pair = new WebSocketPair(on);
    const large = Buffer.alloc(4 * READ_SIZE).map((_, i) => (i * i) % 253);
    pair.wire.admitted();
    pair.waits = true;
    pair.send({ reserved: COMPRESSED, payload: deflated(large) }, { payload: "tail" });
    expect(pair.received).toHaveLength(1);
    expect(pair.below.isPaused).toBe(true);
    pair.send({ payload: " and more" });
    for (let i = 0; i < 10; i++) pair.wire.resume();
    const expected = Buffer.concat([large, Buffer.from("tail and more")]);
    expect(Buffer.concat(pair.received).equals(expected)).toBe(true);
    expect(pair.received.length).toBeGreaterThan(4);
  });

  it.each([
    ["that makes no sense", Buffer.from("ffffffffff", "hex"), 1002, "compressed message makes no sense"],
    ["that grows too large", deflated(Buffer.alloc(10_000_000)), 1009, "message is too large"],
  ])("ends the connection by what is compressed, %s", (_, payload, status, reason) => {
    inBothWays(
      [{ payload: "before" }, { reserved: COMPRESSED, payload }, { payload: "after" }],
      on,
      (pair) => {
        expect(pair.closing()).toEqual({ status, reason });
        expect(pair.text.startsWith("before")).toBe(true);
        expect(pair.text).not.toContain("after");
      },
    );
  });

  it("bounds strangers more than those who are admitted", () => {
    const grown = Buffer.alloc(100_000, 1);
    const stranger = new WebSocketPair(on);
    stranger.send({ reserved: COMPRESSED, payload: deflated(grown) });
    expect(stranger.closing()?.status).toBe(1009);
    expect(Buffer.concat(stranger.received).length).toBeLessThanOrEqual(READ_SIZE);
    const known = new WebSocketPair(on);
    known.wire.admitted();
    known.send({ reserved: COMPRESSED, payload: deflated(grown) });
    expect(Buffer.concat(known.received).length).toBe(100_000);
  });

  it("bounds what is collected of a message in fragments", () => {
    const pair = new WebSocketPair(on);
    const piece = { opcode: 0, payload: Buffer.alloc(10_000), isFinal: false };
    pair.send({ reserved: COMPRESSED, isFinal: false }, ...Array.from({ length: 7 }, () => piece));
    expect(pair.closing()).toEqual({ status: 1009, reason: "compressed message is too large" });
    expect(pair.received).toEqual([]);
  });

  it("checks compressed text, too", () => {
    inBothWays(
      [{ opcode: TEXT, reserved: COMPRESSED, payload: deflated(Uint8Array.of(0x61, 0xff)) }],
      on,
      (pair) => expect(pair.closing()).toEqual({ status: 1007, reason: "text is not UTF-8" }),
    );
  });

  it.each([
    ["control frame must not be compressed", [{ opcode: PING, reserved: COMPRESSED }]],
    ["invalid continuation frame", [{ isFinal: false }, { opcode: 0, reserved: COMPRESSED }]],
  ] satisfies [string, FrameParts[]][])("is for first frames of messages: %s", (reason, frames) => {
    inBothWays(frames, on, (pair) => expect(pair.closing()).toEqual({ status: 1002, reason }));
  });
});
