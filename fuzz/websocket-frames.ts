/**
 * Feeds bytes to a connection of WebSocket as its frames. The first two bytes say how:
 *
 *     | how | size of pieces | frames ...      how: 1 not masked, 2 compression, 4 admitted, 8 receiver waits, 16 writes wait
 *
 * However they are cut, the same data is handed on, the same is answered, and nothing comes after the end.
 */
import { constants, deflateRawSync } from "node:zlib";
import { assert } from "../src/base/assert.ts";
import { readFrames, frame, WebSocketPair, type ReadFrame } from "../test/support/websocket-frames.ts";
import { pieceLength } from "./support/shared-stack.ts";

const small = deflateRawSync("PING\r\n", { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
const large = deflateRawSync(Buffer.alloc(200_000), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);

export const dictionary = [
  ...[0, 1, 2, 3, 8, 9, 10, 11].flatMap((opcode) => [
    frame({ opcode, payload: "PING\r\n" }),
    frame({ opcode, payload: "κόσμε", isFinal: false }),
    frame({ opcode, mask: null, payload: "x" }),
    frame({ opcode, reserved: 0x40, payload: small }),
  ]),
  frame({ payload: Buffer.alloc(126) }),
  frame({ payload: Buffer.alloc(300), lengthBytes: 8 }),
  frame({ told: 2n ** 63n }),
  frame({ told: 2n ** 31n }),
  frame({ opcode: 8, payload: Buffer.from([0x03, 0xe8, 0x62, 0x79, 0x65]) }),
  frame({ reserved: 0x40, payload: large }),
  frame({ reserved: 0x40, payload: small.subarray(0, 2), isFinal: false }),
  frame({ opcode: 0, payload: small.subarray(2) }),
  Buffer.of(0x82),
  Buffer.of(0xfe),
  Buffer.of(0xff),
];

interface Outcome {
  readonly received: Buffer;
  readonly answered: readonly ReadFrame[];
  readonly state: string;
}

export function fuzz(input: Uint8Array): void {
  const [how = 0, second = 0] = input;
  const stream = input.subarray(2);
  const whole = play(how, stream, stream.length);
  const pieces = play(how, stream, pieceLength(stream, second & 63));
  assert(whole.state === pieces.state, "a connection ends however its bytes are cut");
  // What comes before a mistake may be handed on sooner.
  const shorter = Math.min(whole.received.length, pieces.received.length);
  assert(
    whole.received.subarray(0, shorter).equals(pieces.received.subarray(0, shorter)),
    "the same data is handed on however it is cut",
  );
  if (whole.state === "open")
    assert(whole.received.length === pieces.received.length, "all of it is handed on however it is cut");
  if ((how & 16) !== 0) return; // then the latest PING is answered alone
  assert(shown(whole.answered) === shown(pieces.answered), "the same is answered however it is cut");
}

function play(how: number, stream: Uint8Array, length: number): Outcome {
  const pair = new WebSocketPair({ isMasked: (how & 1) === 0, compression: (how & 2) !== 0 });
  if ((how & 4) !== 0) pair.wire.admitted();
  pair.waits = (how & 8) !== 0;
  pair.below.holdsWrites = (how & 16) !== 0;
  for (let from = 0; from < stream.length; from += length) {
    pair.below.receive(stream.subarray(from, from + length));
    if (pair.below.isPaused) pair.wire.resume();
    if (pair.below.state !== "open") break;
  }
  for (let i = 0; i < 100_000 && pair.below.isPaused; i++) pair.wire.resume();
  for (let i = 0; i < 4; i++) pair.below.completeWrite();
  const { state } = pair.below;
  const answered = readFrames(pair.below.take());
  const at = answered.findIndex(({ opcode }) => opcode === 8);
  assert(at < 0 || at === answered.length - 1, "nothing comes after a Close frame");
  assert((state === "open") === at < 0, "a connection that ends says so");
  const received = Buffer.concat(pair.received);
  pair.below.receive(stream.subarray(0, 100));
  pair.below.hangUp();
  assert(
    state === "open" || pair.received.length === 0 || sizeOf(pair) === received.length,
    "the end is the end",
  );
  assert(pair.closedFor !== null, "the receiver is told of the end");
  return { received, answered, state };
}

function sizeOf({ received }: WebSocketPair): number {
  return received.reduce((sum, { length }) => sum + length, 0);
}

function shown(frames: readonly ReadFrame[]): string {
  return frames.map(({ opcode, payload }) => `${opcode} ${payload.toString("latin1")}`).join("\n");
}
