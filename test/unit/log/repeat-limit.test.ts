import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../src/base/clock.ts";
import { silentLogger, type LogFields, type Logger } from "../../../src/base/logger.ts";
import { limitRepeats } from "../../../src/log/repeat-limit.ts";

function recorder(lines: string[], own: LogFields = {}): Logger {
  const record = (message: string, fields?: LogFields): void => {
    lines.push(`${message} ${JSON.stringify({ ...own, ...fields })}`);
  };
  return {
    ...silentLogger,
    info: record,
    warn: record,
    error: record,
    child: (fields) => recorder(lines, { ...own, ...fields }),
  };
}

function setup(keysMax = 8, variantsMax = 3) {
  const lines: string[] = [];
  const clock = new VirtualClock();
  const limit = limitRepeats(recorder(lines), clock, { windowMs: 1000, keysMax, variantsMax });
  return { lines, clock, limit, logger: limit.logger };
}

describe("repeated errors of one peer", () => {
  it("come as the first line, then as one line per window with the count", () => {
    const { lines, clock, logger } = setup();
    for (let cid = 1; cid <= 5; cid++) logger.child({ peer: `10.0.0.1:${cid}`, cid }).error("Bad CONNECT");
    expect(lines).toEqual(['Bad CONNECT {"peer":"10.0.0.1:1","cid":1}']);
    clock.advance(1000);
    expect(lines[1]).toBe('Bad CONNECT {"peer":"10.0.0.1:5","cid":5,"repeated":4}');
    logger.error("Bad CONNECT", { peer: "10.0.0.1:9" });
    expect(lines).toHaveLength(2);
    clock.advance(1000);
    clock.advance(1000);
    expect(lines).toHaveLength(3);
    expect(clock.timerCount).toBe(0);
    logger.error("Bad CONNECT", { peer: "10.0.0.1:9" });
    expect(lines).toHaveLength(4);
  });

  it("are told apart by host, message and level", () => {
    const { lines, logger } = setup();
    logger.error("a", { peer: "h1:1" });
    logger.error("a", { peer: "h2:1" });
    logger.error("b", { peer: "h1:1" });
    logger.warn("a", { peer: "h1:1" });
    expect(lines).toHaveLength(4);
  });

  it("are told apart by user and reason, up to a number of them; the rest is counted", () => {
    const { lines, clock, logger } = setup();
    const fail = (user: string, reason: string): void =>
      logger.error("Authorization Violation", { peer: "h:1", detail: `${user}: ${reason}` });
    for (const user of ["alice", "bob", "alice", "alice"]) fail(user, "wrong password");
    fail("alice", "unknown user");
    for (let i = 0; i < 5; i++) fail(`guess-${i}`, "unknown user");
    const said = (detail: string, more = ""): string =>
      `Authorization Violation {"peer":"h:1","detail":"${detail}"${more}}`;
    expect(lines).toEqual([
      said("alice: wrong password"),
      said("bob: wrong password"),
      said("alice: unknown user"),
    ]);
    clock.advance(1000);
    expect(lines.slice(3)).toEqual([
      said("alice: wrong password", ',"repeated":2'),
      said("guess-4: unknown user", ',"leftOut":5'),
    ]);
    clock.advance(1000);
    expect(clock.timerCount).toBe(0);
    fail("guess-5", "unknown user");
    expect(lines).toHaveLength(6);
  });

  it("do not hold back what concerns no peer, nor information", () => {
    const { lines, logger } = setup();
    for (let i = 0; i < 3; i++) {
      logger.error("disk full");
      logger.info("joined", { peer: "h:1" });
    }
    expect(lines).toHaveLength(6);
  });

  it("take bounded memory: the oldest is counted out for a new one", () => {
    const { lines, clock, logger } = setup(2);
    for (const host of ["h1", "h1", "h2", "h3"]) logger.error("x", { peer: `${host}:1` });
    expect(lines).toEqual([
      'x {"peer":"h1:1"}',
      'x {"peer":"h2:1"}',
      'x {"peer":"h1:1","repeated":1}',
      'x {"peer":"h3:1"}',
    ]);
    expect(clock.timerCount).toBe(2);
  });

  it("are all accounted for at the end", () => {
    const { lines, clock, limit, logger } = setup();
    logger.error("x", { peer: "h:1" });
    logger.error("x", { peer: "h:2" });
    limit[Symbol.dispose]();
    expect(lines).toHaveLength(2);
    expect(clock.timerCount).toBe(0);
  });
});
