/** What a server remembers of what happened to it. */
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { RecentEvents } from "../../../src/log/recent-events.ts";

describe("recent events", () => {
  it("are lines that name an event, of children too, with what they are about", () => {
    const events = new RecentEvents(10, systemClock);
    const logger = events.follow(silentLogger);
    logger.info("no event");
    logger.info("Server left the cluster", { event: "peer_left", name: "b", reason: "stale", routes: 3 });
    logger
      .child({ peer: "1.2.3.4:5" })
      .warn("Slow Consumer Detected", { event: "slow_consumer", pendingBytes: 1 });
    expect(events.list()).toMatchObject([
      { event: "peer_left", level: "info", text: "Server left the cluster", about: "b, stale", count: 1 },
      { event: "slow_consumer", level: "warn", about: "1.2.3.4:5" },
    ]);
  });

  it("are bounded, and count up what repeats", () => {
    const events = new RecentEvents(3, systemClock);
    const logger = events.follow(silentLogger);
    for (let i = 0; i < 10; i++) logger.info("x", { event: "e", name: `${i}` });
    for (let i = 0; i < 5; i++) logger.info("x", { event: "e", name: "9" });
    expect(events.list().map(({ about, count }) => [about, count])).toEqual([
      ["7", 1],
      ["8", 1],
      ["9", 6],
    ]);
  });

  it("show no secrets", () => {
    const events = new RecentEvents(3, systemClock);
    events.follow(silentLogger).error("x", { event: "e", error: "nats://user:hunter2@host:1 refused" });
    expect(events.list()[0]?.about).toContain("host:1 refused");
    expect(events.list()[0]?.about).not.toContain("hunter2");
  });
});
