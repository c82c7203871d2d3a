/** A pushed token changes what connected users may do: one change after the other, on shoal and on nats-server alike. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SigningNkey } from "../../src/keys/nkey.ts";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import {
  accountToken,
  activationToken,
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

type Fields = Readonly<Record<string, unknown>>;

const HOUR_S = 3600;
const kit = new OperatorKit();
const user = newUser();
const limits = {
  subs: -1,
  data: -1,
  payload: -1,
  imports: -1,
  exports: -1,
  wildcards: true,
  conn: -1,
  leaf: -1,
};
const limited = (more: Fields): Fields => ({ limits: { ...limits, ...more } });

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
    const folder = mkdtempSync(join(tmpdir(), "shoal-changes-"));
    let server: ServerProcess;
    let system: SystemRequests;
    let issuedS = Math.floor(Date.now() / 1000) - HOUR_S;
    beforeAll(async () => {
      server = await startServer(
        command,
        kit.directoryConfig(folder, "full", `allow_delete: true, timeout: "50ms"`),
      );
      system = await SystemRequests.connectTo(server.port, kit);
    });
    afterAll(async () => {
      system.close();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    const push = async (account: SigningNkey, nats: Fields = {}, more: Fields = {}): Promise<void> => {
      issuedS += 1;
      const jwt = accountToken(account, kit.operator, { nats, iat: issuedS, ...more });
      expect(await system.update(jwt)).toMatchObject({ code: 200 });
    };
    const enter = async (account: SigningNkey): Promise<RawConnection> => {
      const client = await connectWith(server.port, userToken(user, account), user);
      await client.has("PONG\r\n");
      client.text = "";
      return client;
    };
    /** The lines that the server answers, without INFO and PONG. */
    const answers = async (client: RawConnection, sent: string): Promise<readonly string[]> => {
      client.text = "";
      client.send(`${sent}PING\r\n`);
      await client.until("an answer", () => client.text.includes("PONG\r\n") || client.isClosed);
      const lines = client.text.split("\r\n").slice(0, -1);
      return lines.filter((line) => !/^(INFO|PONG|PING)/.test(line));
    };
    const outcome = async (account: SigningNkey): Promise<string> =>
      outcomeOf(await connectWith(server.port, userToken(user, account), user));

    it.each(Object.entries(CHANGES))("%s", async (_name, { before = {}, after, first = "", ...rest }) => {
      const account = newAccount();
      await push(account, before);
      const client = await enter(account);
      await answers(client, first);
      await push(account, after);
      expect(await answers(client, rest.second)).toEqual(rest.answers);
      client.destroy();
    });

    // nats-server closes connections that have as many.
    it.skipIf(kind !== "shoal")("a lower limit of subscriptions, and keep what they have", async () => {
      const account = newAccount();
      await push(account);
      const client = await enter(account);
      await answers(client, "SUB a 1\r\nSUB b 2\r\n");
      await push(account, limited({ subs: 1 }));
      expect(await answers(client, `SUB c 3\r\n${pub("a")}${pub("b")}`)).toEqual([
        "-ERR 'maximum subscriptions exceeded'",
        ...["MSG a 1 0", "", "MSG b 2 0", ""],
      ]);
      client.destroy();
    });

    it("the end of the account's time", async () => {
      const account = newAccount();
      await push(account);
      const client = await enter(account);
      await push(account, {}, { exp: Math.floor(Date.now() / 1000) + 2 });
      await client.closed();
      expect(client.errors).toEqual(["Account Authentication Expired"]);
      expect(await outcome(account)).toBe("Authorization Violation");
    });

    it("a revocation, and its end", async () => {
      const account = newAccount();
      await push(account);
      const client = await enter(account);
      await push(account, { revocations: { [user.publicKey]: Math.floor(Date.now() / 1000) + HOUR_S } });
      await client.closed();
      expect(await outcome(account)).toBe("Authorization Violation");
      await push(account);
      expect(await outcome(account)).toBe("in");
    });

    it("a deletion, and that the account comes back", async () => {
      const account = newAccount();
      await push(account);
      const client = await enter(account);
      await system.delete(deleteRequest(kit.operator, [account.publicKey]));
      await client.closed();
      await push(account);
      await waitFor("the user to be admitted", async () => (await outcome(account)) === "in");
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
        const [there, here] = [await enter(exporter), await enter(importer)];
        await answers(here, "SUB g.> 1\r\n");
        const isHeard = async (): Promise<boolean> => {
          here.text = "";
          await answers(there, pub("g.x"));
          here.send("PING\r\n");
          await here.has("PONG\r\n");
          return here.text.includes("MSG g.x");
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
