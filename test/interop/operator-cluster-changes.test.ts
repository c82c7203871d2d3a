/**
 * Changes for users who are connected to one server of a cluster of both kinds, pushed to the other one: all that a pushed token changes
 * takes effect there, and a limit of connections counts those to both.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SigningNkey } from "../../src/keys/nkey.ts";
import { requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Directories, SIGNED_PAIRS } from "../support/directories.ts";
import { activationToken, connectWith, newAccount, outcomeOf, userToken } from "../support/operator-kit.ts";
import type { RawConnection } from "../support/raw-connection.ts";

requireNatsServer();

type Fields = Readonly<Record<string, unknown>>;

const HOUR_S = 3600;
const limits = {
  ...{ subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 },
};
const limited = (more: Fields): Fields => ({ limits: { ...limits, ...more } });
const pub = (subject: string, payload = ""): string => `PUB ${subject} ${payload.length}\r\n${payload}\r\n`;

interface Change {
  readonly before?: Fields;
  readonly after: Fields;
  /** What the client sends again and again, and what it is answered in the end, without INFO. */
  readonly sent: string;
  readonly answers: readonly string[];
}

const CHANGES: Readonly<Record<string, Change>> = {
  "a higher limit of subscriptions": {
    before: limited({ subs: 1 }),
    after: limited({ subs: 2 }),
    sent: `SUB a 1\r\nSUB b 2\r\n${pub("b")}`,
    answers: ["MSG b 2 0", ""],
  },
  "a lower limit of payloads": {
    after: limited({ payload: 2 }),
    sent: pub("a", "123"),
    answers: ["-ERR 'Maximum Payload Violation'"],
  },
  "fewer default permissions": {
    after: { default_permissions: { pub: { allow: ["a"] } } },
    sent: pub("b"),
    answers: [`-ERR 'Permissions Violation for Publish to "b"'`],
  },
  "more default permissions": {
    before: { default_permissions: { pub: { deny: ["a"] } } },
    after: {},
    sent: `SUB a 1\r\n${pub("a")}`,
    answers: ["MSG a 1 0", ""],
  },
  "a mapping": {
    after: { mappings: { a: [{ subject: "b" }] } },
    sent: `SUB b 1\r\n${pub("a")}`,
    answers: ["MSG b 1 0", ""],
  },
};

for (const kinds of SIGNED_PAIRS) {
  describe(`users on ${kinds[1]} follow what is pushed to ${kinds[0]}`, () => {
    let both: Directories;
    let issuedS = Math.floor(Date.now() / 1000) - HOUR_S;
    beforeAll(async () => {
      both = new Directories();
      await both.start(kinds);
    });
    afterAll(async () => both[Symbol.asyncDispose]());

    const push = async (account: SigningNkey, nats: Fields = {}, claims: Fields = {}): Promise<void> => {
      issuedS += 1;
      await both.push(both.token(account, { nats, iat: issuedS, ...claims }), account);
    };
    const enter = async (index: number, account: SigningNkey): Promise<RawConnection> => {
      await waitFor("the user to be admitted", () => both.admits(index, account));
      return both.enter(index, account);
    };
    const answers = async (client: RawConnection, sent: string): Promise<readonly string[]> => {
      client.text = "";
      client.send(`${sent}PING\r\n`);
      await client.until("an answer", () => client.text.includes("PONG\r\n") || client.isClosed);
      const lines = client.text.split("\r\n").slice(0, -1);
      return lines.filter((line) => !/^(INFO|PONG|PING)/.test(line));
    };
    const outcome = async (index: number, account: SigningNkey): Promise<string> =>
      outcomeOf(await connectWith(both.port(index), userToken(both.user, account), both.user));

    it.each(Object.entries(CHANGES))("%s", async (_name, { before = {}, after, sent, answers: wanted }) => {
      const account = newAccount();
      await push(account, before);
      const client = await enter(1, account);
      expect(await answers(client, sent)).not.toEqual(wanted);
      await push(account, after);
      await waitFor(
        "the change",
        async () => JSON.stringify(await answers(client, sent)) === JSON.stringify(wanted),
        () => client.text,
      );
      client.destroy();
    });

    it("a revocation, and its end", async () => {
      const account = newAccount();
      await push(account);
      const client = await enter(1, account);
      const revoked = { [both.user.publicKey]: Math.floor(Date.now() / 1000) + HOUR_S };
      await push(account, { revocations: revoked });
      await client.closed();
      await waitFor("both to refuse the user", async () =>
        (await Promise.all([0, 1].map((index) => outcome(index, account)))).every((one) => one !== "in"),
      );
      await push(account);
      await waitFor("the user to be admitted again", () => both.admits(1, account));
    });

    it("the end of the account's time", async () => {
      const account = newAccount();
      await push(account);
      const client = await enter(1, account);
      await push(account, {}, { exp: Math.floor(Date.now() / 1000) + 6 });
      await client.closed();
      expect(client.errors).toEqual(["Account Authentication Expired"]);
    });

    it("imports that begin and end, and an activation that is revoked", async () => {
      const [exporter, importer] = [newAccount(), newAccount()];
      const exported = { name: "g", subject: "g.>", type: "stream", token_req: true };
      const issued = Math.floor(Date.now() / 1000) - HOUR_S;
      const token = activationToken(importer, exporter, {
        iat: issued,
        nats: { subject: "g.>", kind: "stream" },
      });
      await push(exporter, { exports: [exported] });
      await push(importer);
      const [there, here] = [await enter(0, exporter), await enter(1, importer)];
      await answers(here, "SUB g.> 1\r\n");
      const isHeard = async (): Promise<boolean> => {
        await answers(there, pub("g.x"));
        return (await answers(here, "")).some((line) => line.startsWith("MSG g.x"));
      };
      expect(await isHeard()).toBe(false);
      const imported = { name: "g", subject: "g.>", account: exporter.publicKey, token, type: "stream" };
      await push(importer, { imports: [imported] });
      await waitFor("the import to begin", isHeard);
      await push(exporter, { exports: [{ ...exported, revocations: { [importer.publicKey]: issued } }] });
      await waitFor("the import to end", async () => !(await isHeard()));
      there.destroy();
      here.destroy();
    });

    it("a limit of connections, which counts those to both servers", async () => {
      const account = newAccount();
      await push(account, limited({ conn: 2 }));
      const clients: RawConnection[] = [];
      const refusal = "maximum account active connections exceeded";
      // A third that comes before the servers have told each other of the first two costs one of those its place.
      const haveOneEach = async (): Promise<boolean> => {
        for (const index of [0, 1]) {
          if (clients[index]?.isClosed === false) continue;
          const client = await connectWith(both.port(index), userToken(both.user, account), both.user);
          await client.until("an answer", () => client.text.includes("PONG\r\n") || client.isClosed);
          clients[index] = client;
        }
        return clients.every(({ isClosed }) => !isClosed);
      };
      for (const index of [0, 1])
        await waitFor(
          `a third to be refused by ${kinds[index]}`,
          async () =>
            (await haveOneEach()) && (await outcome(index, account)) === refusal && (await haveOneEach()),
        );
      clients[0]!.destroy();
      await waitFor("another to be admitted in its place", () => both.admits(1, account));
      await push(account, limited({ conn: 3 }));
      await waitFor("the higher limit to hold", async () => {
        const more = [await connectWith(both.port(1), userToken(both.user, account), both.user)];
        more.push(await connectWith(both.port(1), userToken(both.user, account), both.user));
        for (const one of more)
          await one.until("an answer", () => one.text.includes("PONG\r\n") || one.isClosed);
        const count = more.filter((one) => one.text.includes("PONG\r\n")).length;
        for (const one of more) one.destroy();
        return count === 2;
      });
      for (const client of clients) client.destroy();
    });
  });
}
