/** The heartbeat: when a peer is asked, and when it is given up. */
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../src/base/clock.ts";
import { liveCell } from "../../../src/base/live.ts";
import { Heartbeat } from "../../../src/links/trunk/heartbeat.ts";

function beating(options = { pingIntervalMs: 120_000, pingMax: 2 }) {
  const clock = new VirtualClock(1_000_000);
  const said: string[] = [];
  const at = (): number => (clock.nowMs() - 1_000_000) / 1000;
  const heartbeat = new Heartbeat(clock, liveCell(options), {
    sendPing: () => said.push(`PING ${at()}`),
    onStale: () => said.push(`stale ${at()}`),
  });
  heartbeat.start();
  return { clock, said, heartbeat };
}

describe("a heartbeat", () => {
  it("asks soon after the start, then once per interval, and gives up a peer that never answers", () => {
    const { clock, said } = beating();
    clock.advance(1_000_000);
    expect(said).toEqual(["PING 2", "PING 122", "stale 242"]);
    expect(clock.timerCount).toBe(0);
  });

  it("asks at once where the interval is short", () => {
    const { clock, said } = beating({ pingIntervalMs: 500, pingMax: 2 });
    clock.advance(1000);
    expect(said).toEqual(["PING 0.5", "PING 1"]);
  });

  it("keeps a peer that answers, and knows its round trip", () => {
    const { clock, said, heartbeat } = beating();
    clock.advance(2000);
    clock.advance(30);
    heartbeat.heard();
    heartbeat.onPong();
    expect(heartbeat.roundTripMs).toBe(30);
    for (let i = 0; i < 5; i++) {
      clock.advance(120_000);
      heartbeat.onPong();
    }
    expect(said.some((one) => one.startsWith("stale"))).toBe(false);
    heartbeat[Symbol.dispose]();
    expect(clock.timerCount).toBe(0);
  });

  it("has an estimate of the round trip before it asks, and asks anyway", () => {
    const { clock, said, heartbeat } = beating();
    const startMs = clock.nowMs();
    clock.advance(70);
    heartbeat.heard();
    heartbeat.estimate(startMs);
    expect(heartbeat.roundTripMs).toBe(70);
    clock.advance(1930);
    expect(said).toEqual(["PING 2"]);
    clock.advance(20);
    heartbeat.onPong();
    heartbeat.estimate(startMs);
    expect(heartbeat.roundTripMs).toBe(20);
  });

  it("does not ask a peer that it hears from, once it knows the round trip", () => {
    const { clock, said, heartbeat } = beating();
    clock.advance(2000);
    heartbeat.onPong();
    for (let i = 0; i < 20; i++) {
      heartbeat.heard();
      clock.advance(60_000);
    }
    expect(said).toEqual(["PING 2"]);
  });

  it("does not give up a peer that sends but is slow to answer", () => {
    const { clock, said, heartbeat } = beating();
    for (let i = 0; i < 20; i++) {
      clock.advance(60_000);
      heartbeat.heard();
    }
    expect(said.filter((one) => one.startsWith("stale"))).toEqual([]);
  });

  it("stays silent when its PING ends the connection", () => {
    const clock = new VirtualClock();
    let pings = 0;
    const heartbeat: Heartbeat = new Heartbeat(clock, liveCell({ pingIntervalMs: 1000, pingMax: 2 }), {
      sendPing: () => {
        pings++;
        heartbeat[Symbol.dispose]();
      },
      onStale: () => pings--,
    });
    heartbeat.start();
    clock.advance(60_000);
    expect([pings, clock.timerCount]).toEqual([1, 0]);
  });

  it("tells whoever asked out of turn of the answer to that PING, not to an earlier one", () => {
    const { clock, said, heartbeat } = beating();
    const answered: string[] = [];
    clock.advance(2000); // a PING of its own, which is still under way
    heartbeat.roundTrip(() => answered.push("first"));
    heartbeat.roundTrip(() => answered.push("second"));
    expect(said).toEqual(["PING 2", "PING 2", "PING 2"]);
    heartbeat.onPong();
    expect(answered).toEqual([]);
    heartbeat.onPong();
    expect(answered).toEqual(["first"]);
    heartbeat[Symbol.dispose]();
    expect(answered).toEqual(["first", "second"]);
  });

  it("does not give a peer up for PINGs out of turn", () => {
    const { clock, said, heartbeat } = beating();
    for (let i = 0; i < 5; i++) heartbeat.roundTrip(() => undefined);
    clock.advance(2000);
    expect(said).toHaveLength(6);
    expect(said).not.toContain("stale 2");
  });
});
