/** Who may connect. */
import { describe, expect, it } from "vitest";
import {
  Authenticator,
  equalSecrets,
  type Credentials,
  type KnownUser,
  type Verdict,
} from "../../../src/auth/authenticator.ts";

const users = [known("ann", "a"), known("bob", "")];

function known(name: string, password: string): KnownUser {
  return { name, password, account: "$G", permissions: null, connectionTypes: [] };
}

/** What is decided of a client that presents this. */
function verdictOf(
  authenticator: Authenticator,
  presented: Partial<Credentials> = {},
): Verdict | Promise<Verdict> {
  const credentials = { user: "", pass: "", authToken: "", nkey: "", sig: "", ...presented };
  return authenticator.check({
    credentials,
    nonce: "",
    address: "127.0.0.1",
    connectionType: "STANDARD",
    proxyKey: "",
    isWanted: () => true,
  });
}

function admittedAs(user: string): unknown {
  return {
    kind: "admitted",
    grant: { user, account: "$G", permissions: null, expiresInMs: null },
  };
}

describe("authentication", () => {
  it("asks for nothing where nothing is configured", () => {
    const open = new Authenticator({ users: [], noAuthUser: null });
    expect(open.hasSecrets).toBe(false);
    expect(verdictOf(open, { user: "x", pass: "y" })).toEqual(admittedAs(""));
  });

  it("by token admits who has it, and does not tell it to logs", () => {
    const byToken = new Authenticator({ token: "T", users: [], noAuthUser: null });
    expect(byToken.hasSecrets).toBe(true);
    expect(verdictOf(byToken, { authToken: "T" })).toEqual(admittedAs("[REDACTED]"));
    for (const authToken of ["", "t", "TT"]) {
      expect(verdictOf(byToken, { authToken })).toMatchObject({ kind: "refused" });
    }
  });

  it("by users admits each with the own password alone", () => {
    const byUsers = new Authenticator({ users, noAuthUser: null });
    expect(verdictOf(byUsers, { user: "ann", pass: "a" })).toEqual(admittedAs("ann"));
    const wrong = [
      ["ann", ""],
      ["ann", "b"],
      ["eve", "a"],
      ["eve", ""],
      ["", ""],
      ["", "a"],
    ] as const;
    for (const [user, pass] of wrong)
      expect(verdictOf(byUsers, { user, pass })).toMatchObject({ kind: "refused" });
  });

  it("takes a client that says nothing for the configured user, but no other", () => {
    const lenient = new Authenticator({ users, noAuthUser: "bob" });
    expect(lenient.hasSecrets).toBe(true);
    expect(verdictOf(lenient)).toEqual(admittedAs("bob"));
    expect(verdictOf(lenient, { user: "eve" })).toMatchObject({ kind: "refused" });
  });

  it("compares secrets of any length", () => {
    expect([equalSecrets("", ""), equalSecrets("a", "a"), equalSecrets("a", "ab")]).toEqual([
      true,
      true,
      false,
    ]);
  });
});
