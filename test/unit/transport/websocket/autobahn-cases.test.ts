/**
 * The cases of the Autobahn test suite by their numbers, played on memory wires against a server that echoes: what the suite itself
 * (test/autobahn) needs Python 2.7 and a quarter of an hour for. Left out are performance beyond 256 KiB (9) and windows of compression (13),
 * which are agreed on in upgrading.test.ts.
 */
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { MemoryWire } from "../../../../src/transport/memory.ts";
import { Deflate } from "../../../../src/transport/websocket/deflate.ts";
import { EchoWire } from "../../../autobahn/echo.ts";
import {
  BINARY,
  CLOSING,
  closeWith,
  frame,
  PING,
  PONG,
  readFrames,
  TEXT,
  type FrameParts,
} from "../../../support/websocket-frames.ts";

type Chops = "in one piece" | "by frames" | "by octets";

const CHOPS: readonly Chops[] = ["in one piece", "by frames", "by octets"];
const DEFLATE = Deflate.open();
const NAMES: Readonly<Record<number, string>> = {
  [TEXT]: "text",
  [BINARY]: "binary",
  [PING]: "ping",
  [PONG]: "pong",
};
const BROKEN = "close 1002";
const WRONG_DATA = "close 1007";
const GOOD_BYE = "close 1000";

class Peer {
  private readonly below = new MemoryWire();

  constructor(compression = false) {
    const echo = new EchoWire(this.below, { isMasked: true, deflate: compression ? DEFLATE : null });
    this.below.start(echo);
  }

  send(frames: readonly FrameParts[], chops: Chops = "in one piece"): void {
    const written = frames.map((parts) => frame(parts));
    for (const piece of chops === "by frames" ? written : [Buffer.concat(written)]) {
      const length = chops === "by octets" ? 1 : Math.max(1, piece.length);
      for (let from = 0; from < piece.length; from += length)
        this.below.receive(piece.subarray(from, from + length));
    }
  }

  sendOctets(octets: Uint8Array): void {
    for (let i = 0; i < octets.length; i++) this.below.receive(octets.subarray(i, i + 1));
  }

  /** What the server has said since the last call. */
  heard(): string[] {
    return readFrames(this.below.take()).map(({ opcode, isCompressed, payload }) => {
      if (opcode === CLOSING) return payload.length === 0 ? "close" : `close ${payload.readUInt16BE(0)}`;
      const data = isCompressed ? inflated(payload) : payload;
      return `${NAMES[opcode]} ${data.toString("latin1")}`;
    });
  }
}

function inflated(payload: Uint8Array): Buffer {
  const whole = Buffer.concat([payload, Uint8Array.of(0, 0, 0xff, 0xff)]);
  return inflateRawSync(whole, { finishFlush: constants.Z_SYNC_FLUSH });
}

/** The answers to frames, and to the Close frame behind them. */
function answers(frames: readonly FrameParts[], chops: Chops): string[] {
  const peer = new Peer();
  peer.send(frames, chops);
  peer.send([closeWith(1000)]);
  return peer.heard();
}

const hello = { opcode: TEXT, payload: "Hello, world!" };
const echoed = "text Hello, world!";
const ping = { opcode: PING, payload: "ping payload" };
const pong = "pong ping payload";
const first = { opcode: TEXT, payload: "fragment1", isFinal: false };
const last = { opcode: 0, payload: "fragment2" };
const joined = "text fragment1fragment2";
const stray = { opcode: 0, payload: "nothing to continue" };
const octets = (length: number): Buffer => Buffer.alloc(length, 0xfe);

function of(opcode: number, payload = ""): FrameParts {
  return { opcode, payload };
}

describe("frames, PINGs, reserved bits, opcodes and fragments", () => {
  it.each([
    ["2.1", [of(PING)], ["pong "]],
    ["2.2", [ping], [pong]],
    [
      "2.3",
      [{ opcode: PING, payload: Buffer.from("00ff fefdfcfb00ff", "latin1") }],
      ["pong 00ff fefdfcfb00ff"],
    ],
    ["2.4, 2.6", [{ opcode: PING, payload: octets(125) }], [`pong ${"\xfe".repeat(125)}`]],
    ["2.5", [{ opcode: PING, payload: octets(126), lengthBytes: 2 }], [BROKEN]],
    ["2.7", [of(PONG)], []],
    ["2.8", [of(PONG, "unsolicited")], []],
    ["2.9", [of(PONG, "unsolicited"), ping], [pong]],
    [
      "2.10, 2.11",
      Array.from({ length: 10 }, (_, i) => of(PING, `payload-${i}`)),
      Array.from({ length: 10 }, (_, i) => `pong payload-${i}`),
    ],
    ["3.1", [{ ...hello, reserved: 0x10 }, ping], [BROKEN]],
    ["3.2", [hello, { ...hello, reserved: 0x20 }, ping], [echoed, BROKEN]],
    ["3.3", [hello, { ...hello, reserved: 0x30 }, ping], [echoed, BROKEN]],
    ["3.4", [hello, { ...hello, reserved: 0x40 }, ping], [echoed, BROKEN]],
    ["3.5", [{ payload: octets(9), reserved: 0x50 }], [BROKEN]],
    ["3.6", [{ ...ping, reserved: 0x60 }], [BROKEN]],
    ["3.7", [{ ...closeWith(1000), reserved: 0x70 }], [BROKEN]],
    ["4.1.1", [of(3)], [BROKEN]],
    ["4.1.2", [of(4, "payload")], [BROKEN]],
    ["4.1.3", [hello, of(5), ping], [echoed, BROKEN]],
    ["4.1.4", [hello, of(6, "payload"), ping], [echoed, BROKEN]],
    ["4.1.5", [hello, of(7, "payload"), ping], [echoed, BROKEN]],
    ["4.2.1", [of(11)], [BROKEN]],
    ["4.2.2", [of(12, "payload")], [BROKEN]],
    ["4.2.3", [hello, of(13), ping], [echoed, BROKEN]],
    ["4.2.4", [hello, of(14, "payload"), ping], [echoed, BROKEN]],
    ["4.2.5", [hello, of(15, "payload"), ping], [echoed, BROKEN]],
    ["5.1", [{ ...ping, isFinal: false }, last], [BROKEN]],
    ["5.2", [{ opcode: PONG, payload: "x", isFinal: false }, last], [BROKEN]],
    ["5.3 to 5.5", [first, last], [joined]],
    ["5.6 to 5.8", [first, ping, last], [pong, joined]],
    ["5.9 to 5.11", [stray, hello], [BROKEN]],
    ["5.12 to 5.14", [{ ...stray, isFinal: false }, hello], [BROKEN]],
    ["5.15", [first, last, { ...stray, isFinal: false }, hello], [joined, BROKEN]],
    ["5.16", [{ ...stray, isFinal: false }, first, last], [BROKEN]],
    ["5.17", [stray, first, last], [BROKEN]],
    ["5.18", [first, { ...last, opcode: TEXT }], [BROKEN]],
    [
      "5.19, 5.20",
      [first, { ...last, isFinal: false }, ping, { ...last, isFinal: false }, ping, last],
      [pong, pong, `${joined}fragment2fragment2`],
    ],
  ] satisfies [string, FrameParts[], string[]][])("%s", (_, frames, expected) => {
    const isBroken = expected.at(-1) === BROKEN;
    for (const chops of CHOPS)
      expect(answers(frames, chops)).toEqual(isBroken ? expected : [...expected, GOOD_BYE]);
  });

  it("1.1, 1.2, 9.1 to 9.5: messages of any length, in chops and fragments of any length", () => {
    for (const opcode of [TEXT, BINARY])
      for (const length of [0, 125, 126, 127, 128, 65_535, 65_536, 262_144]) {
        const payload = Buffer.alloc(length, opcode === TEXT ? "*" : 0xfe);
        const expected = [`${NAMES[opcode]} ${payload.toString("latin1")}`];
        for (const chop of [65_536, 997]) {
          const peer = new Peer();
          for (let from = 0; from <= length; from += chop) {
            const isFinal = from + chop > length;
            const part = payload.subarray(from, from + chop);
            peer.send([{ opcode: from === 0 ? opcode : 0, payload: part, isFinal }]);
          }
          expect(peer.heard()).toEqual(expected);
          peer.send([{ opcode, payload }]);
          expect(peer.heard()).toEqual(expected);
        }
      }
  });

  it("9.7, 9.8: many messages", () => {
    const peer = new Peer();
    for (const length of [0, 16, 64, 256, 1024]) {
      const message = { opcode: TEXT, payload: "*".repeat(length) };
      peer.send(Array.from({ length: 1000 }, () => message));
      expect(peer.heard()).toEqual(Array.from({ length: 1000 }, () => `text ${message.payload}`));
    }
  });

  it("10.1.1: a message in fragments of 1300 octets", () => {
    const payload = Buffer.alloc(65_536, "*");
    const parts = Array.from({ length: Math.ceil(65_536 / 1300) }, (_, i) =>
      payload.subarray(1300 * i, 1300 * (i + 1)),
    );
    const frames = parts.map((part, i) => ({
      opcode: i === 0 ? TEXT : 0,
      payload: part,
      isFinal: i === parts.length - 1,
    }));
    expect(answers(frames, "in one piece")).toEqual([`text ${payload.toString()}`, GOOD_BYE]);
  });
});

describe("UTF-8 (6)", () => {
  const fragmented = (payload: Buffer): FrameParts[] =>
    Array.from(payload, (_, i) => ({
      opcode: i === 0 ? TEXT : 0,
      payload: payload.subarray(i, i + 1),
      isFinal: i === payload.length - 1,
    }));
  const letters = "κόσμε";
  /** Code points at the ends of what each length holds, beside the surrogates, and those that are no characters. */
  const good = [
    letters,
    "hello$world",
    "hello¢world",
    "hello€world",
    "hello𤭢world",
    ...[0, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x1_0000, 0x10_ffff, 0xd7ff, 0xe000, 0xfffd].map((code) =>
      String.fromCodePoint(code),
    ),
    ...Array.from({ length: 17 }, (_, plane) => String.fromCodePoint(plane * 0x1_0000 + 0xfffe)),
    ...Array.from({ length: 17 }, (_, plane) => String.fromCodePoint(plane * 0x1_0000 + 0xffff)),
    ...Array.from({ length: 7 }, (_, i) => String.fromCodePoint(0xfff9 + i)),
  ];
  const range = (from: number, to: number, behind = ""): string =>
    Array.from({ length: to - from }, (_, i) => (from + i).toString(16) + behind).join("");
  const cut = "c0 e080 f08080 f8808080 fc80808080 df efbf f7bfbf fbbfbfbf fdbfbfbfbf".split(" ");
  const bad = [
    ...["cebae1bdb9cf83cebcceb5eda080656469746564", "f888808080", "fc8480808080", "f7bfbfbf", "fbbfbfbfbf"],
    ...["fdbfbfbfbfbf", "f4908080", "80", "bf", "80bf", "80bf80", "80bf80bf", range(0x80, 0xbf)],
    ...[range(0xc0, 0xdf, "20"), range(0xe0, 0xef, "20"), range(0xf0, 0xf7, "20"), range(0xf8, 0xfb, "20")],
    ...[
      ...cut,
      cut.join(""),
      "fe",
      "ff",
      "fefeffff",
      "c0af",
      "e080af",
      "f08080af",
      "f8808080af",
      "fc80808080af",
    ],
    ...["c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf", "e08080", "f0808080", "f880808080"],
    ...["eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf", "eda080edb080", "edafbfedbfbf"],
    ...Array.from({ length: 10 }, (_, i) => Buffer.from(letters).toString("hex", 0, i + 1)).filter(
      (hex) => !isWhole(Buffer.from(hex, "hex")),
    ),
  ];

  function isWhole(bytes: Buffer): boolean {
    return Buffer.from(bytes.toString()).equals(bytes);
  }

  it("6.1: empty messages and fragments", () => {
    const empty = { opcode: 0, isFinal: false };
    const begin = { opcode: TEXT, isFinal: false };
    for (const chops of CHOPS) {
      expect(answers([of(TEXT)], chops)).toEqual(["text ", GOOD_BYE]);
      expect(answers([begin, empty, of(0)], chops)).toEqual(["text ", GOOD_BYE]);
      expect(answers([begin, { ...empty, payload: "middle" }, of(0)], chops)).toEqual([
        "text middle",
        GOOD_BYE,
      ]);
    }
  });

  it("6.2, 6.5 to 6.23: what is right is echoed, however it is cut", () => {
    for (const text of good) {
      const payload = Buffer.from(text);
      const expected = [`text ${payload.toString("latin1")}`, GOOD_BYE];
      for (const frames of [[{ opcode: TEXT, payload }], fragmented(payload)])
        expect(answers(frames, "in one piece")).toEqual(expected);
    }
  });

  it("6.3, 6.6 to 6.21: what is wrong ends the connection, however it is cut", () => {
    for (const hex of bad) {
      const payload = Buffer.from(hex, "hex");
      for (const frames of [[{ opcode: TEXT, payload }], fragmented(payload)])
        expect(answers(frames, "in one piece"), hex).toEqual([WRONG_DATA]);
    }
  });

  it("6.4: at once, and not when the message has come", () => {
    const wrong = Buffer.from("cebae1bdb9f490", "hex"); // beyond the last code point
    const peer = new Peer();
    peer.send([{ opcode: TEXT, payload: letters, isFinal: false }]);
    expect(peer.heard()).toEqual([]);
    peer.send([{ opcode: 0, payload: wrong, isFinal: false }]);
    expect(peer.heard()).toEqual([WRONG_DATA]);
    const other = new Peer();
    const long = frame({ opcode: TEXT, payload: Buffer.concat([wrong, Buffer.alloc(1000, "a")]) });
    other.sendOctets(long.subarray(0, 8 + wrong.length));
    expect(other.heard()).toEqual([WRONG_DATA]);
  });
});

describe("the end (7)", () => {
  it.each([
    ["7.1.1", [hello, closeWith(1000)], [echoed, GOOD_BYE]],
    ["7.1.2", [closeWith(1000), closeWith(1000)], [GOOD_BYE]],
    ["7.1.3", [closeWith(1000), ping], [GOOD_BYE]],
    ["7.1.4", [closeWith(1000), hello], [GOOD_BYE]],
    ["7.1.5", [first, closeWith(1000), last], [GOOD_BYE]],
    ["7.3.1", [of(CLOSING)], ["close"]],
    ["7.3.2", [of(CLOSING, "a")], [BROKEN]],
    ["7.3.3", [closeWith(1000)], [GOOD_BYE]],
    ["7.3.4", [closeWith(1000, "Hello World!")], [GOOD_BYE]],
    ["7.3.5", [closeWith(1000, "*".repeat(123))], [GOOD_BYE]],
    ["7.3.6", [closeWith(1000, "*".repeat(124))], [BROKEN]],
    ["7.5.1", [closeWith(1000, Buffer.from("cebae1bdb9cf83cebcceb5eda080", "hex"))], [WRONG_DATA]],
    ["7.13.1", [closeWith(5000)], [BROKEN]],
    ["7.13.2", [closeWith(65_535)], [BROKEN]],
  ] satisfies [string, FrameParts[], string[]][])("%s", (_, frames, expected) => {
    for (const chops of CHOPS) {
      const peer = new Peer();
      peer.send(frames, chops);
      expect(peer.heard()).toEqual(expected);
    }
  });

  it("7.1.6: a long message, the end, and a PING", () => {
    const peer = new Peer();
    const payload = "BAsd7&jh23".repeat(26_214);
    peer.send([{ opcode: TEXT, payload }, closeWith(1000), ping]);
    expect(peer.heard()).toEqual([`text ${payload}`, GOOD_BYE]);
  });

  it("7.7, 7.9: statuses that may be said, and those that may not", () => {
    const answerTo = (status: number): string[] => {
      const peer = new Peer();
      peer.send([closeWith(status)]);
      return peer.heard();
    };
    for (const status of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
      expect(answerTo(status)).toEqual([`close ${status}`]);
    for (const status of [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999])
      expect(answerTo(status), String(status)).toEqual([BROKEN]);
  });
});

describe.skipIf(DEFLATE === null)("compression (12)", () => {
  const json = '{"id":"4711","name":"sensor","values":[1.25,2.5,3.75],"ok":true} ';

  it.each([
    [16, 0],
    [256, 0],
    [4096, 0],
    [131_072, 0],
    [8192, 256],
    [131_072, 1024],
    [131_072, 32_768],
  ])("messages of %i octets, in fragments of %i", (length, fragmentLength) => {
    const peer = new Peer(true);
    for (let i = 0; i < 20; i++) {
      const text = `${i}${json.repeat(Math.ceil(length / json.length))}`.slice(0, length);
      const deflated = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
      const step =
        fragmentLength === 0 ? deflated.length : Math.ceil((fragmentLength * deflated.length) / length);
      for (let from = 0; from < deflated.length; from += step)
        peer.send([
          {
            opcode: from === 0 ? BINARY : 0,
            reserved: from === 0 ? 0x40 : 0,
            payload: deflated.subarray(from, from + step),
            isFinal: from + step >= deflated.length,
          },
        ]);
      expect(peer.heard()).toEqual([`binary ${text}`]);
    }
  });
});
