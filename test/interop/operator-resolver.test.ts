/** Accounts that are pushed, changed and deleted while users are connected: shoal and nats-server answer and act alike. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SigningNkey } from "../../src/keys/nkey.ts";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import {
  accountToken,
  connectWith,
  deleteRequest,
  newAccount,
  newUser,
  OperatorKit,
  outcomeOf,
  SystemRequests,
  userToken,
} from "../support/operator-kit.ts";
import type { RawConnection } from "../support/raw-connection.ts";

requireNatsServer();

const kit = new OperatorKit();
const user = newUser();
const now = Math.floor(Date.now() / 1000);

for (const { name: kind, command } of bothServers) {
  describe(`a full resolver of ${kind}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "shoal-jwt-"));
    let server: ServerProcess;
    let system: SystemRequests;
    beforeAll(async () => {
      server = await startServer(command, kit.directoryConfig(folder, "full", "allow_delete: true"));
      system = await SystemRequests.connectTo(server.port, kit);
    });
    afterAll(async () => {
      system.close();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    const push = async (
      account: SigningNkey,
      nats: Readonly<Record<string, unknown>> = {},
      more: Readonly<Record<string, unknown>> = {},
    ): Promise<unknown> => system.update(accountToken(account, kit.operator, { nats: { ...nats }, ...more }));
    const connect = async (
      signer: SigningNkey,
      more: Readonly<Record<string, unknown>> = {},
    ): Promise<RawConnection> => {
      const connection = await connectWith(server.port, userToken(user, signer, more), user);
      await connection.has("PONG\r\n");
      connection.text = "";
      return connection;
    };
    const settled = async (connection: RawConnection): Promise<string> => {
      connection.send("PING\r\n");
      await connection.has("PONG\r\n");
      const { text } = connection;
      connection.text = "";
      return text.replaceAll(/PONG\r\n|PING\r\n|INFO [^\r]*\r\n/g, "");
    };

    it("keeps what is pushed, lists it, and hands it out", async () => {
      const account = newAccount();
      const jwt = accountToken(account, kit.operator);
      expect(await system.update(jwt)).toEqual({
        account: account.publicKey,
        code: 200,
        message: "jwt updated",
      });
      expect(readdirSync(folder)).toContain(`${account.publicKey}.jwt`);
      expect(await system.ask(`$SYS.REQ.ACCOUNT.${account.publicKey}.CLAIMS.LOOKUP`)).toBe(jwt);
      const { data } = JSON.parse(await system.ask("$SYS.REQ.CLAIMS.LIST")) as {
        data: string[];
      };
      expect(data).toContain(account.publicKey);
      expect(await system.ask(`$SYS.REQ.ACCOUNT.${newAccount().publicKey}.CLAIMS.LOOKUP`)).toBe("");
    });

    it("refuses what makes no sense", async () => {
      const account = newAccount();
      const jwt = accountToken(account, kit.operator);
      expect(await system.update("x")).toMatchObject({
        account: "n/a",
        code: 500,
      });
      expect(await system.update(`${jwt.slice(0, -4)}AAAA`)).toMatchObject({
        account: "n/a",
        code: 500,
      });
      const exports = [{ name: "a", subject: "a b", type: "stream" }];
      expect(await push(account, { exports })).toMatchObject({
        account: account.publicKey,
        code: 500,
      });
      const named = `$SYS.REQ.ACCOUNT.${newAccount().publicKey}.CLAIMS.UPDATE`;
      expect(JSON.parse(await system.ask(named, jwt))).toMatchObject({
        error: {
          code: 500,
          description: "jwt update resulted in error - subject does not match jwt content",
        },
      });
      expect(readdirSync(folder)).not.toContain(`${account.publicKey}.jwt`);
    });

    it("has connected users follow new default permissions", async () => {
      const account = newAccount();
      await push(account);
      const client = await connect(account);
      client.send("SUB a 1\r\nSUB b 2\r\nPUB x 0\r\n\r\n");
      expect(await settled(client)).toBe("");
      await push(account, {
        default_permissions: { pub: { deny: ["x"] }, sub: { allow: ["a"] } },
      });
      await client.has(`-ERR 'Permissions Violation for Subscription to "b"`);
      client.text = "";
      client.send("PUB x 0\r\n\r\nPUB a 0\r\n\r\n");
      expect(await settled(client)).toBe(
        `-ERR 'Permissions Violation for Publish to "x"'\r\nMSG a 1 0\r\n\r\n`,
      );
      client.destroy();
    });

    it("closes the newest connections beyond a new limit", async () => {
      const account = newAccount();
      await push(account);
      const [first, second] = [await connect(account), await connect(account)];
      const limits = {
        subs: -1,
        data: -1,
        payload: -1,
        imports: -1,
        exports: -1,
        wildcards: true,
        conn: 1,
        leaf: -1,
      };
      await push(account, { limits });
      await second.closed();
      expect(second.errors).toEqual(["maximum account active connections exceeded"]);
      expect(await settled(first)).toBe("");
      first.destroy();
    });

    it.each([
      ["a revoked user", { revocations: { [user.publicKey]: now + 3600 } }, ["User Authentication Revoked"]],
      ["all users", { revocations: { "*": now + 3600 } }, ["User Authentication Revoked"]],
    ])("closes the connections of %s", async (_who, nats, errors) => {
      const account = newAccount();
      await push(account);
      const client = await connect(account);
      await push(account, nats);
      await client.closed();
      expect(client.errors).toEqual(errors);
      expect(await outcomeOf(await connectWith(server.port, userToken(user, account), user))).toBe(
        "Authorization Violation",
      );
    });

    it("closes the connections of users whose signing key is gone, and of bearers that are not allowed", async () => {
      const account = newAccount();
      const signing = newAccount();
      await push(account, { signing_keys: [signing.publicKey] });
      const signed = await connect(signing, {
        nats: { issuer_account: account.publicKey },
      });
      const bearer = await connect(account, { nats: { bearer_token: true } });
      const limits = {
        subs: -1,
        data: -1,
        payload: -1,
        imports: -1,
        exports: -1,
        conn: -1,
        leaf: -1,
        disallow_bearer: true,
      };
      await push(account, { limits });
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
      await push(exporter);
      await push(importer, { imports });
      const there = await connect(exporter);
      const here = await connect(importer);
      here.send("SUB s.> 1\r\n");
      await settled(here);
      there.send("PUB s.1 0\r\n\r\n");
      await settled(there);
      expect(await settled(here)).toBe("");
      await push(exporter, {
        exports: [{ name: "s", subject: "s.>", type: "stream" }],
      });
      there.send("PUB s.2 0\r\n\r\n");
      await here.has("MSG s.2 1 0\r\n");
      here.text = "";
      await push(exporter, {
        exports: [{ name: "s", subject: "s.>", type: "stream", token_req: true }],
      });
      there.send("PUB s.3 0\r\n\r\n");
      await settled(there);
      expect(await settled(here)).toBe("");
      there.destroy();
      here.destroy();
    });

    it("closes the connections of an account that is deleted", async () => {
      const account = newAccount();
      await push(account);
      const client = await connect(account);
      const request = deleteRequest(kit.operator, [account.publicKey]);
      expect(await system.delete(request)).toMatchObject({
        code: 200,
        message: "deleted 1 accounts",
      });
      await client.closed();
      expect(client.errors).toEqual(["Account Authentication Expired"]);
      expect(readdirSync(folder)).toContain(`${account.publicKey}.jwt.deleted`);
      expect(await outcomeOf(await connectWith(server.port, userToken(user, account), user))).toBe(
        "Authorization Violation",
      );
    });

    it("deletes for operators alone, and never the system account", async () => {
      const account = newAccount();
      await push(account);
      const failing = { code: 500 };
      expect(await system.delete(deleteRequest(newAccount(), [account.publicKey]))).toMatchObject(failing);
      expect(await system.delete(deleteRequest(kit.operator, [kit.system.publicKey]))).toMatchObject(failing);
      expect(await system.delete(deleteRequest(kit.operator, ["x"]))).toMatchObject(failing);
      expect(readdirSync(folder)).toContain(`${account.publicKey}.jwt`);
    });
  });
}
