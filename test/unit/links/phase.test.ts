import { describe, expect, it } from "vitest";
import {
  GREETED,
  isAdmitted,
  isIntroduced,
  NEGOTIATING,
  OPEN,
  RECALLED,
  standingIn,
  TRUSTED,
  withStanding,
  type Phase,
  type Standing,
} from "../../../src/links/trunk/phase.ts";
import { CLIENT_CLOSED, SERVER_SHUTDOWN } from "../../../src/protocol/close-cause.ts";

const LEAVING: Phase = { kind: "leaving", cause: SERVER_SHUTDOWN, standing: GREETED };
const CLOSED: Phase = { kind: "closed", cause: CLIENT_CLOSED };

describe("the phase of a connection", () => {
  it.each<[Standing, boolean, boolean]>([
    [NEGOTIATING, false, false],
    [GREETED, false, false],
    [TRUSTED, true, false],
    [OPEN, true, true],
    [RECALLED, false, true],
    [{ kind: "deciding", before: GREETED }, false, false],
    [{ kind: "deciding", before: OPEN }, true, true],
  ])("tells whether it may act, and whether it was introduced: %j", (standing, mayAct, wasIntroduced) => {
    expect([isAdmitted(standing), isIntroduced(standing)]).toEqual([mayAct, wasIntroduced]);
  });

  it("stays that of a connection that leaves, while its peer comes to stand otherwise", () => {
    const phase = withStanding(LEAVING, OPEN);
    expect(phase).toEqual({ ...LEAVING, standing: OPEN });
    expect(standingIn(phase)).toBe(OPEN);
  });

  it("does not move on from its end", () => {
    expect(standingIn(CLOSED)).toBeNull();
    expect(() => withStanding(CLOSED, OPEN)).toThrow("has ended");
  });
});
