/**
 * Tokens that must not admit anybody: each is wrong in one way, and both servers refuse it. Tokens that differ in that one thing admit
 * their users: `operator-mode.test.ts`, and ADMITTED.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { connectWith, newAccount, outcomeOf, userToken } from "../support/operator-kit.ts";
import { ResolverServer } from "../support/resolver-server.ts";
import { ACCOUNT_CLAIMS, ACCOUNT_TERMS } from "./operator-account-cases.ts";
import { ACCOUNTS, keyed, kit, now, user, type Token } from "./operator-keys.ts";
import { ADMITTED, old, REFUSED, REFUSED_HERE_ALONE } from "./operator-user-cases.ts";

requireNatsServer();

for (const { name: kind, command } of bothServers) {
  describe(`claims judged by ${kind}`, () => {
    let server: ResolverServer;
    beforeAll(async () => {
      // nats-server waits so long for others to have an account that it has refused, and there are none.
      const resolver = `timeout: "50ms"`;
      server = await ResolverServer.start({ command, kit, resolver, lines: () => "max_control_line: 1MB" });
      for (const [account, nats] of ACCOUNTS) await server.push(account, nats);
    });
    afterAll(() => server.stop());
    const outcome = async ([jwt, signer]: Token): Promise<string> =>
      outcomeOf(await connectWith(server.port, jwt, signer));

    it.each(REFUSED)("refuses %s", async (_name, token) => {
      expect(await outcome(token)).toBe("Authorization Violation");
    });

    it.skipIf(kind !== "shoal").each(REFUSED_HERE_ALONE)("refuses %s", async (_name, token) => {
      expect(await outcome(token)).toBe("Authorization Violation");
    });

    it.each(ADMITTED)("admits %s", async (_name, token) => {
      expect(await outcome(token)).toBe("in");
    });

    it("reads users of version 1", async () => {
      expect(await outcome(old({}))).toBe("in");
      expect(await outcome(old({ exp: now - 1 }))).toBe("Authorization Violation");
      expect(await outcome(old({}, { src: "10.0.0.0/8" }))).toBe("Authorization Violation");
      expect(await outcome(old({ issuer_account: keyed.publicKey }))).toBe("Authorization Violation");
    });

    const accounts = [
      ...Object.entries(ACCOUNT_CLAIMS).map(([name, claims]) => ({
        name,
        claims,
        nats: {},
      })),
      ...Object.entries(ACCOUNT_TERMS).map(([name, nats]) => ({
        name,
        claims: {},
        nats,
      })),
    ];
    it.each(accounts)("refuses users of $name", async ({ claims, nats }) => {
      const account = newAccount();
      await server.push(account, nats, claims);
      const expected = /^Authorization Violation$|account active connections/;
      expect(await outcome([userToken(user, account), user])).toMatch(expected);
    });
  });
}
