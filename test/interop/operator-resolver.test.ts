/** Accounts that are pushed, changed and deleted while users are connected: shoal and nats-server answer and act alike. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import {
  accountToken,
  deleteRequest,
  HOUR_S,
  newAccount,
  OperatorKit,
  UNLIMITED,
} from "../support/operator-kit.ts";
import { linesAnswered, ResolverServer } from "../support/resolver-server.ts";

requireNatsServer();

const kit = new OperatorKit();
const now = Math.floor(Date.now() / 1000);

for (const { name: kind, command } of bothServers) {
  describe(`a full resolver of ${kind}`, () => {
    let server: ResolverServer;
    beforeAll(async () => {
      server = await ResolverServer.start({ command, kit, resolver: "allow_delete: true" });
    });
    afterAll(() => server.stop());

    it("keeps what is pushed, lists it, and hands it out", async () => {
      const account = newAccount();
      const jwt = accountToken(account, kit.operator);
      expect(await server.system.update(jwt)).toEqual({
        account: account.publicKey,
        code: 200,
        message: "jwt updated",
      });
      expect(server.files).toContain(`${account.publicKey}.jwt`);
      expect(await server.system.ask(`$SYS.REQ.ACCOUNT.${account.publicKey}.CLAIMS.LOOKUP`)).toBe(jwt);
      const { data } = JSON.parse(await server.system.ask("$SYS.REQ.CLAIMS.LIST")) as {
        data: string[];
      };
      expect(data).toContain(account.publicKey);
      expect(await server.system.ask(`$SYS.REQ.ACCOUNT.${newAccount().publicKey}.CLAIMS.LOOKUP`)).toBe("");
    });

    it("refuses what makes no sense", async () => {
      const account = newAccount();
      const jwt = accountToken(account, kit.operator);
      expect(await server.system.update("x")).toMatchObject({
        account: "n/a",
        code: 500,
      });
      expect(await server.system.update(`${jwt.slice(0, -4)}AAAA`)).toMatchObject({
        account: "n/a",
        code: 500,
      });
      const exports = [{ name: "a", subject: "a b", type: "stream" }];
      expect(await server.push(account, { exports })).toMatchObject({
        account: account.publicKey,
        code: 500,
      });
      const named = `$SYS.REQ.ACCOUNT.${newAccount().publicKey}.CLAIMS.UPDATE`;
      expect(JSON.parse(await server.system.ask(named, jwt))).toMatchObject({
        error: {
          code: 500,
          description: "jwt update resulted in error - subject does not match jwt content",
        },
      });
      expect(server.files).not.toContain(`${account.publicKey}.jwt`);
    });

    it("has connected users follow new default permissions", async () => {
      const account = newAccount();
      await server.push(account);
      const client = await server.enter(account);
      client.send("SUB a 1\r\nSUB b 2\r\nPUB x 0\r\n\r\n");
      expect(await linesAnswered(client)).toEqual([]);
      await server.push(account, {
        default_permissions: { pub: { deny: ["x"] }, sub: { allow: ["a"] } },
      });
      await client.has(`-ERR 'Permissions Violation for Subscription to "b"`);
      client.text = "";
      expect(await linesAnswered(client, "PUB x 0\r\n\r\nPUB a 0\r\n\r\n")).toEqual([
        `-ERR 'Permissions Violation for Publish to "x"'`,
        ...["MSG a 1 0", ""],
      ]);
      client.destroy();
    });

    it("closes the newest connections beyond a new limit", async () => {
      const account = newAccount();
      await server.push(account);
      const [first, second] = [await server.enter(account), await server.enter(account)];
      const limits = { ...UNLIMITED, conn: 1 };
      await server.push(account, { limits });
      await second.closed();
      expect(second.errors).toEqual(["maximum account active connections exceeded"]);
      expect(await linesAnswered(first)).toEqual([]);
      first.destroy();
    });

    it.each(["the user", "all users"])("closes the connections when %s is revoked", async (who) => {
      const revoked = who === "the user" ? server.user.publicKey : "*";
      const nats = { revocations: { [revoked]: now + HOUR_S } };
      const account = newAccount();
      await server.push(account);
      const client = await server.enter(account);
      await server.push(account, nats);
      await client.closed();
      expect(client.errors).toEqual(["User Authentication Revoked"]);
      expect(await server.outcome(account)).toBe("Authorization Violation");
    });

    it("closes the connections of users whose signing key is gone, and of bearers that are not allowed", async () => {
      const account = newAccount();
      const signing = newAccount();
      await server.push(account, { signing_keys: [signing.publicKey] });
      const signed = await server.enter(signing, {
        nats: { issuer_account: account.publicKey },
      });
      const bearer = await server.enter(account, { nats: { bearer_token: true } });
      const limits = { ...UNLIMITED, disallow_bearer: true };
      await server.push(account, { limits });
      await Promise.all([signed.closed(), bearer.closed()]);
      expect([signed.errors, bearer.errors]).toEqual([[], ["Authorization Violation"]]);
    });

    it("begins and ends imports as exporters and importers change", async () => {
      const [exporter, importer] = [newAccount(), newAccount()];
      const imports = [
        {
          name: "s",
          subject: "s.>",
          account: exporter.publicKey,
          type: "stream",
        },
      ];
      await server.push(exporter);
      await server.push(importer, { imports });
      const there = await server.enter(exporter);
      const here = await server.enter(importer);
      here.send("SUB s.> 1\r\n");
      await linesAnswered(here);
      there.send("PUB s.1 0\r\n\r\n");
      await linesAnswered(there);
      expect(await linesAnswered(here)).toEqual([]);
      await server.push(exporter, {
        exports: [{ name: "s", subject: "s.>", type: "stream" }],
      });
      there.send("PUB s.2 0\r\n\r\n");
      await here.has("MSG s.2 1 0\r\n");
      here.text = "";
      await server.push(exporter, {
        exports: [{ name: "s", subject: "s.>", type: "stream", token_req: true }],
      });
      there.send("PUB s.3 0\r\n\r\n");
      await linesAnswered(there);
      expect(await linesAnswered(here)).toEqual([]);
      there.destroy();
      here.destroy();
    });

    it("closes the connections of an account that is deleted", async () => {
      const account = newAccount();
      await server.push(account);
      const client = await server.enter(account);
      const request = deleteRequest(kit.operator, [account.publicKey]);
      expect(await server.system.delete(request)).toMatchObject({
        code: 200,
        message: "deleted 1 accounts",
      });
      await client.closed();
      expect(client.errors).toEqual(["Account Authentication Expired"]);
      expect(server.files).toContain(`${account.publicKey}.jwt.deleted`);
      expect(await server.outcome(account)).toBe("Authorization Violation");
    });

    it("deletes for operators alone, and never the system account", async () => {
      const account = newAccount();
      await server.push(account);
      const failing = { code: 500 };
      expect(await server.system.delete(deleteRequest(newAccount(), [account.publicKey]))).toMatchObject(
        failing,
      );
      expect(await server.system.delete(deleteRequest(kit.operator, [kit.system.publicKey]))).toMatchObject(
        failing,
      );
      expect(await server.system.delete(deleteRequest(kit.operator, ["x"]))).toMatchObject(failing);
      expect(server.files).toContain(`${account.publicKey}.jwt`);
    });
  });
}
