/** The outbox and the slab below it: bytes come out once and in order, and every chunk comes back. */
import { liveCell } from "../../src/base/live.ts";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { assert } from "../../src/base/assert.ts";
import { VirtualClock } from "../../src/base/clock.ts";
import { CHUNK_SIZE, limitSlab, slabSnapshot } from "../../src/slab/chunks.ts";
import { clearSpareHeads, HEAD_MAX, releaseHead, makeRoomForHeads, takeHead } from "../../src/slab/heads.ts";
import { AREA } from "../../src/slab/layout.ts";
import { bytes } from "../../src/slab/memory.ts";
import { CONGESTED_BYTES, Outbox, type OutboxLimits, type SlowReason } from "../../src/links/trunk/outbox.ts";
import { Turn } from "../../src/links/trunk/turn.ts";
import { MemoryWire } from "../../src/transport/memory.ts";

interface Rig {
  readonly wire: MemoryWire;
  readonly outbox: Outbox;
  readonly turn: Turn;
  readonly clock: VirtualClock;
  readonly slow: SlowReason[];
}

/** Bytes of which every piece is told from its neighbours. */
const PATTERN = Buffer.alloc(400_000, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));

function pattern(from: number, length: number): Buffer {
  return PATTERN.subarray(from % 251, (from % 251) + length);
}

function rig(limits: Partial<OutboxLimits> = {}, turn?: Turn): Rig {
  const clock = new VirtualClock(1_000_000);
  const own = turn ?? new Turn(clock);
  const wire = new MemoryWire();
  const slow: SlowReason[] = [];
  const all = liveCell({ maxPendingBytes: 64 * 1024 * 1024, writeDeadlineMs: 10_000, ...limits });
  const outbox: Outbox = new Outbox(wire, own, all, (reason) => {
    slow.push(reason);
    outbox.close();
    wire.destroy();
  });
  wire.start({
    onBytes: () => true,
    onWritten: () => outbox.onWritten(),
    onClosed: () => outbox.afterClosed(),
  });
  return { wire, outbox, turn: own, clock, slow };
}

/** Reserves and writes `length` bytes that follow `counter`. Returns what was written. */
function write({ outbox }: Rig, length: number, counter: number): Buffer {
  const piece = pattern(counter, length);
  const at = outbox.reserve(length);
  if (at < 0) return Buffer.alloc(0);
  bytes.set(piece, at);
  outbox.at = at + length;
  outbox.touch();
  return piece;
}

afterEach(() => {
  limitSlab(Infinity);
  const { chunksInUse } = slabSnapshot();
  assert(chunksInUse === 0, `${chunksInUse} chunks are left`);
});

const length = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 300 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: CHUNK_SIZE }) },
  { weight: 1, arbitrary: fc.constant(CHUNK_SIZE) },
);
type Step =
  readonly ["write" | "owned" | "text", number] | readonly ["flush" | "complete" | "hold" | "release"];
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant("write" as const), length) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("owned" as const), fc.integer({ min: 1, max: 300_000 })) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("text" as const), fc.integer({ min: 0, max: 200_000 })) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom("flush" as const, "complete" as const)) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom("hold" as const, "release" as const)) },
);

/** Carries a step out; returns the bytes that it put in. */
function take(one: Rig, [what, count = 0]: Step, counter: number): Buffer {
  const { outbox, wire } = one;
  const piece = pattern(counter, count);
  switch (what) {
    case "write":
      return write(one, count, counter);
    case "owned":
      outbox.writeOwned(piece);
      return piece;
    case "text":
      outbox.writeText(piece.toString("latin1"));
      return piece;
    case "flush":
      outbox.flush();
      break;
    case "complete":
      wire.completeWrite();
      break;
    default:
      wire.holdsWrites = what === "hold";
  }
  return Buffer.alloc(0);
}

describe("an outbox", () => {
  it("writes what was put in, once and in order, however writes complete", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
        const one = rig();
        const put: Buffer[] = [];
        let counter = 0;
        for (const current of steps) {
          const piece = take(one, current, counter);
          counter += piece.length;
          put.push(piece);
          const out = one.wire.take();
          put.unshift(out); // what is out stands in front, to be compared at the end
          expect(one.outbox.pendingBytes).toBeGreaterThanOrEqual(0);
          settle(put);
        }
        one.wire.holdsWrites = false;
        while (one.wire.isWriting) one.wire.completeWrite();
        one.outbox.flush();
        put.unshift(one.wire.take());
        settle(put);
        expect(put.length).toBe(0);
        expect(one.outbox.pendingBytes).toBe(0);
        expect(slabSnapshot().chunksInUse).toBe(0);
        one.outbox.close();
      }),
      { numRuns: 150 },
    );
  });

  it("gives every chunk back, whenever it is closed", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20, size: "max" }), fc.boolean(), (steps, isDestroyed) => {
        const one = rig();
        for (const [i, current] of steps.entries()) take(one, current, i);
        one.outbox.close();
        if (isDestroyed) one.wire.destroy();
        one.wire.hangUp();
        expect(slabSnapshot().chunksInUse).toBe(0);
        expect(one.outbox.reserve(1)).toBe(-1);
        expect(one.clock.timerCount).toBe(0);
      }),
      { numRuns: 150 },
    );
  });

  it("keeps what is in flight until the wire says that it has closed", () => {
    const one = rig();
    one.wire.holdsWrites = true;
    write(one, 100, 0);
    one.outbox.flush();
    one.outbox.close();
    expect(slabSnapshot().chunksInUse).toBe(1);
    one.wire.hangUp();
    expect(slabSnapshot().chunksInUse).toBe(0);
  });

  it("cuts a reader that lets more pile up than it may", () => {
    const one = rig({ maxPendingBytes: 3 * CHUNK_SIZE });
    one.wire.holdsWrites = true;
    for (let i = 0; i < 3; i++) write(one, CHUNK_SIZE, i);
    one.outbox.flush();
    expect(one.slow).toEqual([]);
    for (let i = 0; i < 2; i++) write(one, CHUNK_SIZE, i);
    expect(one.slow).toEqual(["pending"]);
    one.wire.hangUp();
  });

  it("cuts a reader whose write takes longer than the deadline, and no other", () => {
    const late = rig({ writeDeadlineMs: 1000 });
    const quick = rig({ writeDeadlineMs: 1000 }, late.turn);
    for (const one of [late, quick]) {
      one.wire.holdsWrites = true;
      write(one, 10, 0);
      one.outbox.flush();
    }
    late.clock.advance(900);
    quick.wire.completeWrite();
    late.clock.advance(600);
    expect([late.slow, quick.slow]).toEqual([["deadline"], []]);
    expect(late.clock.timerCount).toBe(0);
    late.wire.hangUp();
  });

  it("tells those that wait when it has room again, and when it closes", () => {
    const one = rig();
    one.wire.holdsWrites = true;
    while (!one.outbox.isCongested) write(one, CHUNK_SIZE, 0);
    one.outbox.flush();
    let drained = 0;
    one.outbox.onceDrained(() => drained++);
    expect(one.outbox.pendingBytes).toBeGreaterThan(CONGESTED_BYTES);
    while (one.wire.isWriting) one.wire.completeWrite();
    expect(drained).toBe(1);
    one.outbox.onceDrained(() => drained++);
    one.outbox.close();
    expect(drained).toBe(2);
  });
});

/** Takes what matches off both the bytes that came out (in front) and those that were put in. */
function settle(put: Buffer[]): void {
  let out = put.shift()!;
  while (out.length > 0) {
    const next = put.shift();
    if (next === undefined) throw new Error(`${out.length} bytes came out that nobody put in`);
    const count = Math.min(out.length, next.length);
    if (out.compare(next, 0, count, 0, count) !== 0) throw new Error("other bytes came out than were put in");
    out = out.subarray(count);
    if (count < next.length) put.unshift(next.subarray(count));
  }
  while (put.length > 0 && put[0]!.length === 0) put.shift();
}

describe("when the slab is used up", () => {
  it("what the turn has brought is written before anybody is cut", () => {
    limitSlab(0); // 16 chunks are left in any case
    const { turn } = rig();
    turn.enter();
    const many = Array.from({ length: 100 }, () => rig({}, turn));
    for (const one of many) write(one, 10, 0);
    turn.leave();
    expect(many.map((one) => one.wire.take().length)).toEqual(many.map(() => 10));
    expect(many.flatMap((one) => one.slow)).toEqual([]);
  });

  it("the connection that holds most of it is cut", () => {
    limitSlab(0);
    const hog = rig();
    const modest = rig({}, hog.turn);
    for (const one of [modest, hog]) {
      one.wire.holdsWrites = true;
      write(one, 10, 0);
      one.outbox.flush();
    }
    const { chunkLimit, chunksMade } = slabSnapshot();
    const most = Math.max(chunkLimit, chunksMade);
    while (slabSnapshot().chunksInUse < most) write(hog, CHUNK_SIZE, 0);
    const other = rig({}, hog.turn);
    expect(write(other, 10, 0).length).toBe(10);
    expect([hog.slow, modest.slow, other.slow]).toEqual([["memory"], [], []]);
    other.outbox.flush();
    for (const one of [hog, modest]) one.wire.hangUp();
  });
});

describe("the arena of heads", () => {
  it("never hands out the same bytes twice", () => {
    const act = fc.tuple(fc.integer({ min: 1, max: HEAD_MAX - 8 }), fc.boolean(), fc.nat());
    fc.assert(
      fc.property(fc.array(act, { maxLength: 80, size: "max" }), (acts) => {
        const held: { at: number; length: number }[] = [];
        const letGo = (which: number): void => {
          const [head] = held.splice(which % held.length, 1);
          releaseHead(head!.at, head!.length);
        };
        for (const [size, isTaken, which] of acts) {
          if (!isTaken && held.length > 0) letGo(which);
          const at = takeHead(size);
          // copies by words may touch seven bytes more
          for (const other of held) {
            expect(at + size + 7 < other.at || other.at + other.length + 7 < at).toBe(true);
          }
          held.push({ at, length: size });
        }
        while (held.length > 0) letGo(0);
        expect(slabSnapshot().headsBytes).toBe(0);
        makeRoomForHeads();
      }),
      { numRuns: 200 },
    );
  });

  it("takes no head that is too long: it lies among the spare heads", () => {
    clearSpareHeads();
    expect(takeHead(HEAD_MAX - 7)).toBe(AREA.spareHeads.at);
    expect(slabSnapshot().headsBytes).toBe(0);
  });
});
