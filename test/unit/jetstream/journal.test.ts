import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { Journal } from "../../../src/jetstream/consumer/journal.ts";
import { ConsumerState } from "../../../src/jetstream/consumer/state.ts";
import type { Disk } from "../../../src/store/disk.ts";
import { ConsumerLog } from "../../../src/store/consumer-log.ts";
import { MemoryDisk } from "../../../src/store/memory-disk.ts";

const act = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ what: fc.constant("deliver" as const), gap: fc.constantFrom(1, 1, 1, 4) }),
  },
  { weight: 5, arbitrary: fc.record({ what: fc.constant("ack" as const), which: fc.nat(60) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant("ack next" as const) }) },
  fc.record({ what: fc.constant("again" as const) }),
  fc.record({ what: fc.constant("later" as const), which: fc.nat(60) }),
  fc.record({ what: fc.constant("end of turn" as const) }),
  fc.record({ what: fc.constant("fold" as const) }),
);

function open(disk: Disk, state: ConsumerState): { log: ConsumerLog; journal: Journal } {
  const log = new ConsumerLog({ disk, folder: "c", snapshot: () => state.toJson() });
  log.recover(
    (json) => state.restore(json),
    (entry) => state.apply(entry),
  );
  return { log, journal: new Journal(state, log) };
}

describe("the journal of a consumer", () => {
  it.each(["explicit", "all", "none"] as const)(
    "brings a restart to the same state, with the policy %s",
    (policy) => {
      fc.assert(
        fc.property(fc.array(act, { maxLength: 120, size: "max" }), (acts) => {
          const disk = new MemoryDisk();
          const state = new ConsumerState(policy, 1, 0);
          const { log, journal } = open(disk, state);
          let nowMs = 1000;
          for (const one of acts) {
            const { delivered, pending } = state;
            const [first] = pending;
            if (one.what === "deliver")
              journal.delivered(delivered.stream + one.gap, delivered.consumer + 1, 1, nowMs);
            else if (one.what === "ack" && pending.has(one.which)) journal.acked(one.which, nowMs);
            else if (one.what === "ack next" && first !== undefined) journal.acked(first[0], nowMs);
            else if (one.what === "again" && first !== undefined)
              journal.delivered(first[0], delivered.consumer + 1, first[1].count + 1, nowMs);
            else if (one.what === "later") journal.note(ConsumerState.later(one.which, nowMs + 5));
            else if (one.what === "fold") journal.fold();
            else if (one.what === "end of turn") {
              nowMs += 3;
              journal.settle();
              log.flush();
            }
          }
          journal.settle();
          log.flush();
          const again = new ConsumerState(policy, 1, 0);
          open(disk, again);
          expect(again.toJson()).toBe(state.toJson());
        }),
        { numRuns: 150 },
      );
    },
  );

  it("is folded the less often the more messages wait", () => {
    const disk = new MemoryDisk();
    const state = new ConsumerState("explicit", 1, 0);
    const { log, journal } = open(disk, state);
    const waiting = 100_000;
    // None follows another one, so that each is written by itself.
    for (let i = 1; i <= waiting; i++) journal.delivered(2 * i, i, 1, 1000 * i);
    const folds = vi.spyOn(disk, "replace");
    for (let i = 1; i <= waiting; i++) {
      journal.delivered(2 * i, waiting + i, 2, 1e12 + i);
      if (i % 500 === 0) log.flush();
    }
    expect(folds.mock.calls.length).toBe(4); // what was appended would fill the smallest log more than seven times
    const again = new ConsumerState("explicit", 1, 0);
    open(disk, again);
    expect(again.toJson()).toBe(state.toJson());
  });

  it("folds messages that follow each other into as few numbers as one of them takes", () => {
    const state = new ConsumerState("explicit", 1, 0);
    const many = 100_000;
    state.apply(ConsumerState.deliveries(1, 1, many, 1_796_000_000_000));
    state.settle(50_000);
    expect(JSON.parse(state.toJson())).toMatchObject({
      runs: [1, 1, 1, 1_796_000_000_000, 49_999, 1, 1, 1, 0, 50_000],
    });
    const again = new ConsumerState("explicit", 1, 0);
    again.restore(state.toJson());
    expect([...again.pending]).toEqual([...state.pending]);
  });

  it("reads what was folded one by one", () => {
    const state = new ConsumerState("explicit", 1, 0);
    const pending = [
      [2, { consumerSequence: 1, count: 1, timeMs: 5.5 }],
      [3, { consumerSequence: 2, count: 3, timeMs: 7 }],
    ];
    const at = { consumer: 4, stream: 3 };
    state.restore(JSON.stringify({ delivered: at, floor: { consumer: 0, stream: 1 }, pending }));
    expect([...state.pending]).toEqual(pending);
    const again = new ConsumerState("explicit", 1, 0);
    again.restore(state.toJson());
    expect([...again.pending]).toEqual(pending);
  });

  it("writes one entry for messages that follow each other", () => {
    const state = new ConsumerState("explicit", 1, 0);
    const { log, journal } = open(new MemoryDisk(), state);
    for (let i = 1; i <= 500; i++) journal.delivered(i, i, 1, 0);
    for (let i = 1; i <= 500; i++) journal.acked(i, 0);
    journal.settle();
    expect(log.last).toBe(2);
    expect(state.floor).toEqual({ consumer: 500, stream: 500 });
  });
});
