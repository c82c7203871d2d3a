/** RFC 6455 and 7692 as a server keeps them, on memory wires: each case in one piece, and in single bytes. */
import { describe, expect, it } from "vitest";
import { CHUNK_SIZE, releaseChunk, takeChunk } from "../../../../src/slab/chunks.ts";
import { READ_SIZE } from "../../../../src/slab/layout.ts";
import { bytes, slice } from "../../../../src/slab/memory.ts";
import {
  BINARY,
  CLOSING,
  closeWith,
  frame,
  inBothWays,
  PING,
  PONG,
  TEXT,
  WebSocketPair,
  type FrameParts,
} from "../../../support/websocket-frames.ts";

describe("data", () => {
  it.each([
    ["of one frame", [{ payload: "PING\r\n" }]],
    ["of two frames", [{ payload: "PI" }, { payload: "NG\r\n" }]],
    ["of text", [{ opcode: TEXT, payload: "PING\r\n" }]],
    [
      "in fragments",
      [
        { payload: "P", isFinal: false },
        { opcode: 0, payload: "ING", isFinal: false },
        { opcode: 0, payload: "\r\n" },
      ],
    ],
    ["with empty frames between", [{}, { payload: "PING\r\n" }, {}]],
    [
      "in empty fragments",
      [{ isFinal: false }, { opcode: 0, isFinal: false }, { opcode: 0, payload: "PING\r\n" }],
    ],
    [
      "with lengths longer than need be",
      [
        { payload: "PING", lengthBytes: 2 },
        { payload: "\r\n", lengthBytes: 8 },
      ],
    ],
    [
      "with a PING between fragments",
      [{ payload: "PIN", isFinal: false }, { opcode: PING }, { opcode: 0, payload: "G\r\n" }],
    ],
  ] satisfies [string, FrameParts[]][])("is handed on without its frames: %s", (_, frames) => {
    inBothWays(frames, {}, (pair) => expect(pair.text).toBe("PING\r\n"));
  });

  it("of one read is handed on in one piece, however many frames it had", () => {
    const pair = new WebSocketPair();
    pair.send(...Array.from({ length: 500 }, (_, i) => ({ payload: `PUB a ${i}\r\n` })));
    expect(pair.received).toHaveLength(1);
    expect(pair.text).toBe(Array.from({ length: 500 }, (_, i) => `PUB a ${i}\r\n`).join(""));
  });

  it.each([125, 126, 65_535, 65_536, READ_SIZE, READ_SIZE + 1, 1_000_003])(
    "comes whole: %i bytes",
    (size) => {
      const payload = Buffer.alloc(size).map((_, i) => (i * 7) ^ (i >> 8));
      for (const lengthBytes of [undefined, 8] as const) {
        const pair = new WebSocketPair();
        pair.send({ payload, ...(lengthBytes === undefined ? {} : { lengthBytes }) }, { payload: "end" });
        expect(Buffer.concat(pair.received).equals(Buffer.concat([payload, Buffer.from("end")]))).toBe(true);
      }
    },
  );

  it("needs no masks where none are agreed on", () => {
    const frames = [
      { payload: "PING", mask: null },
      { payload: "\r\n", mask: null },
    ];
    inBothWays(frames, { isMasked: false }, (pair) => expect(pair.text).toBe("PING\r\n"));
  });
});

describe("control frames", () => {
  it.each(["", "hello", "x".repeat(125)])("are answered: PING %s", (payload) => {
    inBothWays([{ opcode: PING, payload }, { payload: "data" }], {}, (pair) => {
      expect(pair.frames()).toEqual([{ opcode: PONG, isCompressed: false, payload: Buffer.from(payload) }]);
      expect(pair.text).toBe("data");
    });
  });

  it("may be PONGs that nobody asked for", () => {
    inBothWays([{ opcode: PONG, payload: "?" }, { payload: "data" }], {}, (pair) => {
      expect(pair.frames()).toEqual([]);
      expect(pair.text).toBe("data");
    });
  });

  it("do not pile up while nothing can be written: the latest PING is answered", () => {
    const pair = new WebSocketPair();
    pair.below.holdsWrites = true;
    expect(pair.wire.write(Buffer.from("first"))).toBe(false);
    for (let i = 0; i < 1000; i++) pair.send({ opcode: PING, payload: String(i) });
    pair.below.holdsWrites = false;
    pair.below.completeWrite();
    expect(pair.frames().map(({ payload }) => payload.toString())).toEqual(["first", "999"]);
    expect(pair.written).toBe(1);
  });

  it("hold up what the receiver writes while they are written", () => {
    const pair = new WebSocketPair();
    pair.below.holdsWrites = true;
    pair.send({ opcode: PING, payload: "?" });
    expect(pair.wire.write(Buffer.from("data"))).toBe(false);
    expect(pair.written).toBe(0);
    pair.below.completeWrite();
    pair.below.completeWrite();
    expect(pair.written).toBe(1);
    expect(pair.frames().map(({ payload }) => payload.toString())).toEqual(["?", "data"]);
  });
});

const LARGE = "x".repeat(126);

describe("a peer that breaks the rules", () => {
  it.each([
    [1002, "mask bit missing", [{ mask: null }]],
    [1002, "RSV2 and RSV3 must be clear", [{ reserved: 0x20 }]],
    [1002, "RSV2 and RSV3 must be clear", [{ reserved: 0x10 }]],
    [1002, "compressed frame received without negotiated permessage-deflate", [{ reserved: 0x40 }]],
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [number, string, FrameParts[]] => [
      1002,
      `unknown opcode ${opcode}`,
      [{ opcode }],
    ]),
    [1002, "invalid continuation frame", [{ opcode: 0 }]],
    [
      1002,
      "new message started before final frame for previous message was received",
      [{ isFinal: false }, {}],
    ],
    [1002, "control frame does not have final bit set", [{ opcode: PING, isFinal: false }]],
    [
      1002,
      "control frame length bigger than maximum allowed of 125 bytes",
      [{ opcode: PING, payload: LARGE }],
    ],
    [
      1002,
      "control frame length bigger than maximum allowed of 125 bytes",
      [{ opcode: CLOSING, payload: LARGE }],
    ],
    [1002, "invalid 64-bit payload length", [{ told: 2n ** 63n }]],
    [1002, "invalid 64-bit payload length", [{ told: 2n ** 64n - 1n }]],
    [1009, "frame is too large", [{ told: 2n ** 30n + 1n }]],
    [1009, "frame is too large", [{ told: 2n ** 63n - 1n }]],
    [1002, "close frame payload cannot be 1 byte", [{ opcode: CLOSING, payload: "1" }]],
    [1007, "invalid utf8 body in close frame", [closeWith(1000, Uint8Array.of(0xff))]],
    ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map(
      (status): [number, string, FrameParts[]] => [
        1002,
        `invalid close status code ${status}`,
        [closeWith(status)],
      ],
    ),
  ] satisfies [number, string, FrameParts[]][])("is told %i %s", (status, reason, frames) => {
    inBothWays([{ payload: "before" }, ...frames, { payload: "after" }], {}, (pair) => {
      expect(pair.closing()).toEqual({ status, reason });
      expect(pair.text).toBe("before");
      expect(pair.below.state).toBe("closing");
      pair.below.hangUp();
      expect(pair.closedFor).toBe(reason);
    });
  });

  it("is told where it masks although it asked for no masks", () => {
    inBothWays([{ payload: "x" }], { isMasked: false }, (pair) =>
      expect(pair.closing()).toEqual({ status: 1002, reason: "mask bit set" }),
    );
  });
});

describe("text", () => {
  const good = [
    "",
    "κόσμε",
    "\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}",
    "\ud7ff\ue000",
    "𝄞".repeat(30),
  ];
  it.each(good)("passes that is UTF-8: %s", (payload) => {
    inBothWays([{ opcode: TEXT, payload }], {}, (pair) => {
      expect(Buffer.concat(pair.received).toString()).toBe(payload);
      expect(pair.below.state).toBe("open");
    });
  });

  const bad = [
    "ff",
    "c0af",
    "c3",
    "e08080",
    "eda080",
    "f08080",
    "f4908080",
    "f8888080",
    "80",
    "e28228",
    "f0288cbc",
    "61e282",
  ];
  it.each(bad)("ends the connection that is not: %s", (hex) => {
    const payload = Buffer.from(hex, "hex");
    inBothWays([{ opcode: TEXT, payload }, { payload: "after" }], {}, (pair) => {
      expect(pair.closing()).toEqual({ status: 1007, reason: "text is not UTF-8" });
      expect(pair.text).not.toContain("after");
    });
  });

  it("may be cut anywhere by frames", () => {
    const payload = Buffer.from("κόσμε 𝄞");
    for (let cut = 0; cut <= payload.length; cut++) {
      const frames = [
        { opcode: TEXT, payload: payload.subarray(0, cut), isFinal: false },
        { opcode: 0, payload: payload.subarray(cut) },
      ];
      inBothWays(frames, {}, (pair) => expect(Buffer.concat(pair.received).toString()).toBe("κόσμε 𝄞"));
    }
  });

  it("is not looked for in binary messages", () => {
    inBothWays([{ opcode: BINARY, payload: Uint8Array.of(0xff) }], {}, (pair) =>
      expect(pair.text).toBe("\xff"),
    );
  });
});

describe("the end", () => {
  it.each([1000, 1001, 1007, 1011, 1014, 3000, 4999])("that the peer asks for is answered: %i", (status) => {
    inBothWays([{ payload: "data" }, closeWith(status, "bye"), { payload: "after" }], {}, (pair) => {
      expect(pair.closing()).toEqual({ status, reason: "bye" });
      expect(pair.text).toBe("data");
      pair.below.hangUp();
      expect(pair.closedFor).toBe("");
    });
  });

  it("is answered without a status where none was given", () => {
    inBothWays([{ opcode: CLOSING }], {}, (pair) =>
      expect(pair.closing()).toEqual({ status: null, reason: "" }),
    );
  });

  it("is told to the peer with status and reason, after what was written", () => {
    const pair = new WebSocketPair();
    pair.wire.write(Buffer.from("-ERR 'x'\r\n"));
    pair.wire.end({ reason: "Authentication Failure", webSocketStatus: 1008 });
    const [data, closing] = pair.frames();
    expect(data!.payload.toString()).toBe("-ERR 'x'\r\n");
    expect([closing!.payload.readUInt16BE(0), closing!.payload.toString("utf8", 2)]).toEqual([
      1008,
      "Authentication Failure",
    ]);
    expect(pair.below.state).toBe("closing");
  });

  it("waits for what is being written", () => {
    const pair = new WebSocketPair();
    pair.below.holdsWrites = true;
    pair.wire.write(Buffer.from("data"));
    pair.wire.writeMany([Buffer.from("last "), Buffer.from("words")]);
    pair.wire.end({ reason: "Server Shutdown", webSocketStatus: 1001 });
    expect(pair.below.state).toBe("open");
    for (let i = 0; i < 3; i++) pair.below.completeWrite();
    expect(pair.frames().map(({ payload }) => payload.toString("latin1"))).toEqual([
      "data",
      "last words",
      "\x03\xe9Server Shutdown",
    ]);
    expect(pair.below.state).toBe("closing");
  });

  it("comes once, whoever begins", () => {
    const pair = new WebSocketPair();
    pair.wire.endWriting(1000);
    expect(pair.closing()).toEqual({ status: 1001, reason: "" });
    pair.send({ payload: "still on its way" }, closeWith(1001));
    expect(pair.text).toBe("still on its way");
    expect(pair.frames()).toEqual([]);
    expect(pair.below.state).toBe("closing");
  });

  it("cuts reasons that are too long", () => {
    const pair = new WebSocketPair();
    pair.wire.end({ reason: "x".repeat(200), webSocketStatus: 1011 });
    expect(pair.closing()).toEqual({ status: 1011, reason: `${"x".repeat(120)}...` });
  });
});

describe("what is written", () => {
  it.each([0, 125, 126, 65_535, CHUNK_SIZE])(
    "from a chunk is one frame and one piece: %i bytes",
    (length) => {
      const pair = new WebSocketPair();
      const chunk = takeChunk();
      bytes.fill(7, chunk, chunk + length);
      const before = slice(chunk - 16, 6).slice();
      expect(pair.wire.write(slice(chunk, length))).toBe(true);
      expect(slice(chunk - 16, 6)).toEqual(before);
      releaseChunk(chunk);
      const [only, ...others] = pair.frames();
      expect(others).toEqual([]);
      expect([only!.opcode, only!.payload.length, only!.payload.every((byte) => byte === 7)]).toEqual([
        BINARY,
        length,
        true,
      ]);
    },
  );

  it("in several pieces is one frame", () => {
    const pair = new WebSocketPair();
    pair.wire.writeMany([Buffer.from("MSG a 1 2\r\n"), Buffer.alloc(70_000, 1), Buffer.from("\r\n")]);
    const frames = pair.frames();
    expect(frames.map(({ payload }) => payload.length)).toEqual([70_013]);
  });
});

it("keeps nothing of a peer that has ended", () => {
  const pair = new WebSocketPair();
  pair.below.receive(frame({ payload: "PING" }).subarray(0, 5));
  pair.wire.destroy();
  pair.below.hangUp();
  expect([pair.closedFor, pair.received]).toEqual(["", []]);
});
