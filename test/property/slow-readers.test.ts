/**
 * Readers that take what is for them in any pattern, and who publishes to them: the publisher waits for a bounded time, and
 * what is pending is taken in time or the reader is cut.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/base/clock.ts";
import { PATIENCE_MAX_MS, RESTORED_SHARE } from "../../src/links/trunk/patience.ts";
import { MemoryWire } from "../../src/transport/memory.ts";
import { Stack } from "./stack.ts";

const TICK_MS = 2;
const DEADLINE_MS = 10_000;
/** How often the turn looks for writes that are late. */
const SWEEP_MS = 250;
/** A read of 64 KiB waits for 10 ms at most, a shorter one in proportion. */
const STALL_MAX_MS = 10;
const STALL_BYTES_PER_MS = (64 * 1024) / STALL_MAX_MS;
const MIB = 1024 * 1024;
const LINE_BYTES = "MSG load 1 100000\r\n".length + 2;

/** The reader takes what is in flight each `everyMs`, for `forMs`; Infinity: never. */
interface Phase {
  readonly everyMs: number;
  readonly forMs: number;
}

interface Run {
  /** In which the publisher was not read from. */
  readonly stalledMs: number;
  readonly takenBytes: number;
  readonly deliveredBytes: number;
  /** Longest time that a byte was pending. */
  readonly oldestMs: number;
  readonly isCut: boolean;
}

/** Knows for how long it was paused. */
class TimedWire extends MemoryWire {
  stalledMs = 0;
  private pausedMs = 0;

  receiveAt(data: Uint8Array, clock: Clock): void {
    this.receive(data);
    if (this.isPaused) this.pausedMs = clock.nowMs();
    this.clock = clock;
  }

  override resume(): void {
    if (this.isPaused) this.stalledMs += this.clock!.nowMs() - this.pausedMs;
    super.resume();
  }

  private clock: Clock | null = null;
}

/** A publisher that sends one read of about `size` bytes each tick as long as it is let, and one reader. */
function play(phases: readonly Phase[], size: number): Run {
  const stack = new Stack({ limits: { maxPendingBytes: 64 * MIB, writeDeadlineMs: DEADLINE_MS } });
  const { clock } = stack;
  const from = new TimedWire();
  stack.client("", from);
  const { wire: to, session } = stack.client();
  to.receiveText("SUB load 1\r\n");
  to.holdsWrites = true;
  const frame = Buffer.from(`PUB load ${size}\r\n${"x".repeat(size)}\r\n`);
  let [takenBytes, deliveredBytes, oldestMs] = [0, 0, 0];
  /** Delivered in all, by time. */
  const history: { readonly atMs: number; readonly bytes: number }[] = [];
  for (const { everyMs, forMs } of phases) {
    let nextMs = clock.nowMs() + everyMs;
    for (
      const endMs = clock.nowMs() + forMs;
      clock.nowMs() < endMs && session.isOpen;
      clock.advance(TICK_MS)
    ) {
      if (!from.isPaused) {
        from.receiveAt(frame, clock);
        deliveredBytes += size + LINE_BYTES;
        history.push({ atMs: clock.nowMs(), bytes: deliveredBytes });
      }
      if (clock.nowMs() >= nextMs) {
        to.completeWrite();
        takenBytes += to.take().length;
        nextMs += everyMs;
      }
      while (history.length > 0 && history[0]!.bytes <= takenBytes) history.shift();
      if (history.length > 0) oldestMs = Math.max(oldestMs, clock.nowMs() - history[0]!.atMs);
    }
  }
  const isCut = !session.isOpen;
  for (const wire of [from, to]) wire.hangUp();
  return { stalledMs: from.stalledMs, takenBytes, deliveredBytes, oldestMs, isCut };
}

const everyMs = fc.oneof(
  fc.integer({ min: 1, max: 50 }),
  fc.integer({ min: 50, max: 5000 }),
  fc.constant(Infinity),
);
const phases = fc.array(fc.record({ everyMs, forMs: fc.integer({ min: 1, max: 15_000 }) }), {
  minLength: 1,
  maxLength: 4,
});
const size = fc.constantFrom(16, 1024, 20_000, 70_000);

describe("a reader that takes its messages in any pattern", () => {
  it("makes its publisher wait for a bounded time, and is cut when it is late", () => {
    fc.assert(
      fc.property(phases, size, (pattern, bytes) => {
        const { stalledMs, takenBytes, deliveredBytes, oldestMs } = play(pattern, bytes);
        const spanMs = pattern.reduce((sum, { forMs }) => sum + forMs, 0);
        // Its patience, and what it takes and time restore of that.
        const earnedMs = takenBytes / STALL_BYTES_PER_MS + spanMs * RESTORED_SHARE;
        expect(stalledMs).toBeLessThanOrEqual(PATIENCE_MAX_MS + earnedMs + STALL_MAX_MS);
        // A client that sends little waits little.
        expect(stalledMs).toBeLessThanOrEqual(deliveredBytes / STALL_BYTES_PER_MS + STALL_MAX_MS);
        expect(oldestMs).toBeLessThanOrEqual(2 * DEADLINE_MS + SWEEP_MS + TICK_MS);
      }),
      { numRuns: 20 },
    );
  });

  it("loses nothing, and the publisher waits for it, as long as it takes 6.4 MiB a second", () => {
    // 35 MB a second come, 10 MiB a second may go.
    const run = play([{ everyMs: 100, forMs: 30_000 }], 70_000);
    expect(run.isCut).toBe(false);
    expect(run.takenBytes).toBeGreaterThan(200 * MIB);
  });

  it("is cut when it drips", () => {
    // 256 KiB a second: each batch is out in time, all that is pending is not.
    const run = play([{ everyMs: 4000, forMs: 60_000 }], 1024);
    expect(run.isCut).toBe(true);
    expect(run.stalledMs).toBeLessThan(PATIENCE_MAX_MS);
  });

  it("does not slow down who sends a little at a time", () => {
    const run = play([{ everyMs: 5000, forMs: 9000 }], 600);
    expect(run.deliveredBytes).toBeGreaterThan(MIB);
    expect(run.stalledMs).toBeLessThan(0.1 * 9000);
  });
});
