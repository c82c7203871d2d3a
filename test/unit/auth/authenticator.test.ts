/** Who may connect. */
import { describe, expect, it } from "vitest";
import { Authenticator, equalSecrets } from "../../../src/auth/authenticator.ts";

const nobody = { user: "", pass: "", authToken: "" };
const users = [
  { user: "ann", password: "a" },
  { user: "bob", password: "" },
];

describe("authentication", () => {
  it("asks for nothing where nothing is configured", () => {
    const open = new Authenticator({ users: [], noAuthUser: null });
    expect(open.isRequired).toBe(false);
    expect(open.check({ ...nobody, user: "x", pass: "y" })).toEqual({ kind: "admitted", user: "" });
  });

  it("by token admits who has it, and does not tell it to logs", () => {
    const byToken = new Authenticator({ token: "T", users: [], noAuthUser: null });
    expect(byToken.isRequired).toBe(true);
    expect(byToken.check({ ...nobody, authToken: "T" })).toEqual({ kind: "admitted", user: "[REDACTED]" });
    for (const authToken of ["", "t", "TT"]) {
      expect(byToken.check({ ...nobody, authToken })).toEqual({ kind: "refused" });
    }
  });

  it("by users admits each with the own password alone", () => {
    const byUsers = new Authenticator({ users, noAuthUser: null });
    expect(byUsers.check({ ...nobody, user: "ann", pass: "a" })).toEqual({ kind: "admitted", user: "ann" });
    const wrong = [
      ["ann", ""],
      ["ann", "b"],
      ["eve", "a"],
      ["eve", ""],
      ["", ""],
      ["", "a"],
    ] as const;
    for (const [user, pass] of wrong)
      expect(byUsers.check({ ...nobody, user, pass })).toEqual({ kind: "refused" });
  });

  it("takes a client that says nothing for the configured user, but no other", () => {
    const lenient = new Authenticator({ users, noAuthUser: "bob" });
    expect(lenient.isRequired).toBe(false);
    expect(lenient.check(nobody)).toEqual({ kind: "admitted", user: "bob" });
    expect(lenient.check({ ...nobody, user: "eve" })).toEqual({ kind: "refused" });
  });

  it("compares secrets of any length", () => {
    expect([equalSecrets("", ""), equalSecrets("a", "a"), equalSecrets("a", "ab")]).toEqual([
      true,
      true,
      false,
    ]);
  });
});
