/** Tokens are bounded before they are read, and no error quotes one. */
import { describe, expect, it } from "vitest";
import { decodeToken, undecorated } from "../../../src/keys/token.ts";
import { newAccount, newUser, userToken } from "../../support/operator-kit.ts";

const user = newUser();
const account = newAccount();

describe("a token", () => {
  it("has at most a mebibyte", () => {
    const jwt = userToken(user, account, { name: "x".repeat(1024 * 1024) });
    expect(() => decodeToken(jwt, "user")).toThrow("token too large");
  });

  it.each([
    ["another signature", (jwt: string): string => `${jwt.slice(0, -4)}AAAA`],
    ["no JSON", (jwt: string): string => jwt.replace(/\.[^.]+\./, ".c2VjcmV0.")],
    ["another kind", (jwt: string): string => jwt],
  ])("with %s is refused without being quoted", (_what, change) => {
    const jwt = change(userToken(user, account, { name: "secret" }));
    let message = "";
    try {
      decodeToken(jwt, "account");
    } catch (error) {
      ({ message } = error as Error);
    }
    expect(message).not.toBe("");
    expect(message).not.toMatch(/secret|c2VjcmV0|eyJ/);
  });

  it("may stand between lines of dashes", () => {
    const jwt = userToken(user, account);
    expect(undecorated(`-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n`)).toBe(jwt);
    expect(undecorated(` ${jwt}\n`)).toBe(jwt);
  });
});
