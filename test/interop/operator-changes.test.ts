/** A pushed token changes what connected users may do: one change after the other, on shoal and on nats-server alike. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SigningNkey } from "../../src/keys/nkey.ts";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import {
  activationToken,
  deleteRequest,
  HOUR_S,
  newAccount,
  OperatorKit,
  UNLIMITED,
} from "../support/operator-kit.ts";
import { linesAnswered, ResolverServer } from "../support/resolver-server.ts";

requireNatsServer();

type Fields = Readonly<Record<string, unknown>>;

const kit = new OperatorKit();
const limited = (more: Fields): Fields => ({ limits: { ...UNLIMITED, ...more } });

interface Change {
  readonly before?: Fields;
  readonly after: Fields;
  /** What the client sends before and after, and the lines that it gets then, without INFO. */
  readonly first?: string;
  readonly second: string;
  readonly answers: readonly string[];
}

const pub = (subject: string, payload = ""): string => `PUB ${subject} ${payload.length}\r\n${payload}\r\n`;

const CHANGES: Readonly<Record<string, Change>> = {
  "a higher limit of subscriptions": {
    before: limited({ subs: 1 }),
    after: limited({ subs: 2 }),
    first: "SUB a 1\r\n",
    second: `SUB b 2\r\n${pub("b")}`,
    answers: ["MSG b 2 0", ""],
  },
  "a lower limit of payloads": {
    after: limited({ payload: 2 }),
    second: pub("a", "123"),
    answers: ["-ERR 'Maximum Payload Violation'"],
  },
  "default permissions": {
    after: { default_permissions: { pub: { allow: ["a"] } } },
    first: "SUB a 1\r\n",
    second: pub("a") + pub("b"),
    answers: ["MSG a 1 0", "", `-ERR 'Permissions Violation for Publish to "b"'`],
  },
  "fewer default permissions": {
    before: { default_permissions: { pub: { deny: ["a"] } } },
    after: {},
    first: "SUB a 1\r\n",
    second: pub("a"),
    answers: ["MSG a 1 0", ""],
  },
  "a mapping": {
    after: { mappings: { a: [{ subject: "b" }] } },
    first: "SUB b 1\r\n",
    second: pub("a"),
    answers: ["MSG b 1 0", ""],
  },
  "a mapping that is gone": {
    before: { mappings: { a: [{ subject: "b" }] } },
    after: {},
    first: "SUB a 1\r\nSUB b 2\r\n",
    second: pub("a"),
    answers: ["MSG a 1 0", ""],
  },
};

for (const { name: kind, command } of bothServers) {
  describe(`users who are connected to ${kind} follow`, () => {
    let server: ResolverServer;
    let issuedS = Math.floor(Date.now() / 1000) - HOUR_S;
    beforeAll(async () => {
      server = await ResolverServer.start({ command, kit, resolver: `allow_delete: true, timeout: "50ms"` });
    });
    afterAll(() => server.stop());

    const push = async (account: SigningNkey, nats: Fields = {}, claims: Fields = {}): Promise<void> => {
      issuedS += 1;
      expect(await server.push(account, nats, { iat: issuedS, ...claims })).toMatchObject({ code: 200 });
    };

    it.each(Object.entries(CHANGES))("%s", async (_name, { before = {}, after, first = "", ...rest }) => {
      const account = newAccount();
      await push(account, before);
      const client = await server.enter(account);
      await linesAnswered(client, first);
      await push(account, after);
      expect(await linesAnswered(client, rest.second)).toEqual(rest.answers);
      client.destroy();
    });

    // nats-server closes connections that have as many.
    it.skipIf(kind !== "shoal")("a lower limit of subscriptions, and keep what they have", async () => {
      const account = newAccount();
      await push(account);
      const client = await server.enter(account);
      await linesAnswered(client, "SUB a 1\r\nSUB b 2\r\n");
      await push(account, limited({ subs: 1 }));
      expect(await linesAnswered(client, `SUB c 3\r\n${pub("a")}${pub("b")}`)).toEqual([
        "-ERR 'maximum subscriptions exceeded'",
        ...["MSG a 1 0", "", "MSG b 2 0", ""],
      ]);
      client.destroy();
    });

    it("the end of the account's time", async () => {
      const account = newAccount();
      await push(account);
      const client = await server.enter(account);
      await push(account, {}, { exp: Math.floor(Date.now() / 1000) + 2 });
      await client.closed();
      expect(client.errors).toEqual(["Account Authentication Expired"]);
      expect(await server.outcome(account)).toBe("Authorization Violation");
    });

    it("a revocation, and its end", async () => {
      const account = newAccount();
      await push(account);
      const client = await server.enter(account);
      await push(account, {
        revocations: { [server.user.publicKey]: Math.floor(Date.now() / 1000) + HOUR_S },
      });
      await client.closed();
      expect(await server.outcome(account)).toBe("Authorization Violation");
      await push(account);
      expect(await server.outcome(account)).toBe("in");
    });

    it("a deletion, and that the account comes back", async () => {
      const account = newAccount();
      await push(account);
      const client = await server.enter(account);
      await server.system.delete(deleteRequest(kit.operator, [account.publicKey]));
      await client.closed();
      await push(account);
      await waitFor("the user to be admitted", async () => (await server.outcome(account)) === "in");
    });

    it("an activation whose time is over", async () => {
      const [exporter, importer] = [newAccount(), newAccount()];
      const exported = { name: "g", subject: "g.>", type: "stream", token_req: true };
      const terms = { exp: Math.floor(Date.now() / 1000) + 4, nats: { subject: "g.>", kind: "stream" } };
      const token = activationToken(importer, exporter, terms);
      const imported = { name: "g", subject: "g.>", account: exporter.publicKey, token, type: "stream" };
      await push(exporter, { exports: [exported] });
      await push(importer, { imports: [imported] });
      const [there, here] = [await server.enter(exporter), await server.enter(importer)];
      await linesAnswered(here, "SUB g.> 1\r\n");
      const isHeard = async (): Promise<boolean> => {
        await linesAnswered(there, pub("g.x"));
        return (await linesAnswered(here)).includes("MSG g.x 1 0");
      };
      const before = await isHeard();
      expect(before || Date.now() / 1000 >= terms.exp).toBe(true);
      await waitFor("the import to end with its token", async () => !(await isHeard()));
      there.destroy();
      here.destroy();
    });

    // nats-server is compared for a revocation, in nsc-deployment.test.ts.
    it.skipIf(kind !== "shoal")(
      "an activation that is revoked, renewed, and whose time is over",
      async () => {
        const [exporter, importer] = [newAccount(), newAccount()];
        const exported = { name: "g", subject: "g.>", type: "stream", token_req: true };
        const importing = (claims: Fields): Fields => {
          const token = activationToken(importer, exporter, {
            ...claims,
            nats: { subject: "g.>", kind: "stream" },
          });
          return {
            imports: [{ name: "g", subject: "g.>", account: exporter.publicKey, token, type: "stream" }],
          };
        };
        const old = Math.floor(Date.now() / 1000) - HOUR_S;
        await push(exporter, { exports: [exported] });
        await push(importer, importing({ iat: old }));
        const [there, here] = [await server.enter(exporter), await server.enter(importer)];
        await linesAnswered(here, "SUB g.> 1\r\n");
        const isHeard = async (): Promise<boolean> => {
          await linesAnswered(there, pub("g.x"));
          return (await linesAnswered(here)).includes("MSG g.x 1 0");
        };
        expect(await isHeard()).toBe(true);
        await push(exporter, { exports: [{ ...exported, revocations: { [importer.publicKey]: old } }] });
        await waitFor("the import to end", async () => !(await isHeard()));
        await push(importer, importing({ iat: old + 1 }));
        await waitFor("the import to begin again", isHeard);
        await push(importer, importing({ iat: old + 2, exp: Math.floor(Date.now() / 1000) + 2 }));
        await waitFor("the import to end with its token", async () => !(await isHeard()));
        there.destroy();
        here.destroy();
      },
    );
  });
}
