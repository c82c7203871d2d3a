/** How many clients a server sends away, and when: the decision alone. */
import { describe, expect, it } from "vitest";
import { Rebalance, type Move } from "../../../src/cluster/rebalance.ts";

const OPTIONS = { tolerance: 0.2, ratePerSecond: 10, calmMs: 60_000, arrivalMs: 11_000 };
const ROUND_MS = 5000;

/** A server whose cluster has been calm for long; `look` is one round. */
class Looker {
  nowMs = 0;
  readonly rebalance = new Rebalance(OPTIONS, 0);

  constructor(others: Record<string, number>) {
    for (let i = 0; i < 14; i++) this.look(1, others);
  }

  look(own: number, others: Record<string, number>, afterMs = ROUND_MS): Move {
    this.nowMs += afterMs;
    return this.rebalance.decide({ own, others: new Map(Object.entries(others)) }, this.nowMs);
  }
}

describe("a server asks nobody to move", () => {
  it("when it is alone", () => {
    expect(new Looker({}).look(1000, {}).count).toBe(0);
  });

  it("when it is not far over the mean", () => {
    const looker = new Looker({ b: 0 });
    expect(looker.look(119, { b: 81 }).count).toBe(0);
    expect(looker.look(80, { b: 120 }).count).toBe(0);
  });

  it("for a handful of clients, be they twice the mean", () => {
    expect(new Looker({ b: 0 }).look(8, { b: 0 }).count).toBe(0);
    expect(new Looker({ b: 0 }).look(10, { b: 0 }).count).toBe(5);
  });

  it("when a server has just come, or gone", () => {
    const looker = new Looker({ b: 100 });
    const crowd = { b: 0, c: 0 };
    for (let i = 0; i < 12; i++) expect(looker.look(300, crowd).count).toBe(0);
    expect(looker.look(300, crowd).count).toBeGreaterThan(0);
    expect(looker.look(300, { b: 0 }).count).toBe(0);
  });
});

describe("a server with far too many clients", () => {
  it("asks no more than its rate allows, and names those who have fewer than the mean", () => {
    const looker = new Looker({ b: 0, c: 0 });
    expect(looker.look(1000, { b: 10, c: 700 })).toEqual({ count: 50, receivers: ["b"] });
    // a late look does not make up for what was not asked before
    expect(looker.look(1000, { b: 10, c: 700 }, 3_600_000).count).toBe(110);
  });

  it("does not count clients on their way as gone", () => {
    const looker = new Looker({ b: 0 });
    let own = 100;
    // the other one's figure does not change for two rounds
    for (let i = 0; i < 2; i++) own -= looker.look(own, { b: 0 }).count;
    expect(own).toBe(50);
    expect(looker.look(own, { b: 0 }).count).toBe(0);
  });

  it("begins beyond the tolerance, and goes on down to the mean", () => {
    const looker = new Looker({ b: 0 });
    expect(looker.look(1210, { b: 790 }).count).toBe(50);
    expect(looker.look(1050, { b: 950 }, 20_000).count).toBe(50);
    expect(looker.look(1000, { b: 1000 }, 20_000).count).toBe(0);
    expect(looker.look(1050, { b: 950 }, 20_000).count).toBe(0);
  });
});
