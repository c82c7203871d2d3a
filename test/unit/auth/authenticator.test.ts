/** The decision which clients may connect. */
import { describe, expect, it } from "vitest";
import type { Credentials } from "../../../src/auth/attempt.ts";
import { Authenticator } from "../../../src/auth/authenticator.ts";
import type { Grant, Verdict } from "../../../src/auth/grant.ts";
import type { KnownUser } from "../../../src/auth/known-user.ts";
import { equalSecrets } from "../../../src/base/equal-secrets.ts";

const users = [known("ann", "a"), known("bob", "")];

function known(name: string, password: string): KnownUser {
  return { name, password, account: "$G", permissions: null, connectionTypes: [] };
}

/** The decision about a client that presents this. */
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
    grant: expect.objectContaining({ user, account: "$G", permissions: null, expiresInMs: null }),
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

  it("keeps after a reload what its origin still grants", () => {
    const authenticator = new Authenticator({ users, noAuthUser: "bob" });
    const [ann, bob] = [
      grantOf(authenticator, { user: "ann", pass: "a" }),
      grantOf(authenticator, { user: "", pass: "" }),
    ];
    expect([ann.origin, bob.origin]).toEqual([
      { kind: "user", user: users[0], how: "asked" },
      { kind: "user", user: users[1], how: "no_auth_user" },
    ]);
    authenticator.reconfigure({ users, noAuthUser: null });
    expect(authenticator.currentGrant(ann, "STANDARD")).toBe(ann);
    expect(authenticator.currentGrant(bob, "STANDARD")).toBeNull();
    authenticator.reconfigure({ users: [known("ann", "other")], noAuthUser: null });
    expect(authenticator.currentGrant(ann, "STANDARD")).toBeNull();
    expect([authenticator.hasMoved(ann), authenticator.hasMoved(bob)]).toEqual([false, true]);
    authenticator.reconfigure({ token: "T", users: [], noAuthUser: null });
    const holder = grantOf(authenticator, { authToken: "T" });
    expect(authenticator.currentGrant(ann, "STANDARD")).toBeNull();
    expect(authenticator.currentGrant(holder, "STANDARD")).toBe(holder);
    authenticator.reconfigure({ token: "U", users: [], noAuthUser: null });
    authenticator.reconfigure({ token: "T", users: [], noAuthUser: null });
    expect(authenticator.currentGrant(holder, "STANDARD")).toBeNull();
  });
});

function grantOf(authenticator: Authenticator, presented: Partial<Credentials>): Grant {
  const verdict = verdictOf(authenticator, presented);
  if (verdict instanceof Promise || verdict.kind === "refused") throw new Error("not admitted at once");
  return verdict.grant;
}
