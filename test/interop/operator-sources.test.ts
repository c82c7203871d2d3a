/**
 * Where accounts that were signed come from and who may use them, on shoal and on nats-server alike: a web server, a directory and a
 * configuration that change, several operators, pinned accounts, a sentinel, cookies, and credentials of leaf nodes.
 */
import { createUser } from "@nats-io/nkeys";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { answerToCookie } from "../support/cookie-login.ts";
import { freePort } from "../support/free-port.ts";
import { hasKind, LeafWorld, type LeafServerKind } from "../support/leaf-nodes.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import {
  accountToken,
  connectWith,
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

const REFUSED = "Authorization Violation";
const kit = new OperatorKit();
const user = newUser();
const denied = (subject: string): Fields => ({ default_permissions: { pub: { deny: [subject] } } });

async function outcome(server: ServerProcess, account: ReturnType<typeof newAccount>): Promise<string> {
  return outcomeOf(await connectWith(server.port, userToken(user, account), user));
}

/** Whether the server refuses that the client publishes this. */
async function refuses(client: RawConnection, subject: string): Promise<boolean> {
  client.text = "";
  client.send(`PUB ${subject} 0\r\n\r\nPING\r\n`);
  await client.has("PONG\r\n");
  return client.text.includes("Permissions Violation");
}

async function connected(
  server: ServerProcess,
  account: ReturnType<typeof newAccount>,
): Promise<RawConnection> {
  const client = await connectWith(server.port, userToken(user, account), user);
  await client.has("PONG\r\n");
  return client;
}

describe.each(bothServers)("$name", ({ name: kind, command }) => {
  const withServer = async (config: string, act: (server: ServerProcess) => Promise<void>): Promise<void> => {
    const server = await startServer(command, config);
    try {
      await act(server);
    } finally {
      await server.stop();
    }
  };

  it("asks a web server for accounts, by their keys alone, and asks again at a reload", async () => {
    const [account, silent] = [newAccount(), newAccount()];
    const tokens = new Map([[kit.system, accountToken(kit.system, kit.operator)]]);
    const asked: string[] = [];
    const web = createServer((request, response) => {
      asked.push(request.url ?? "");
      const found = [...tokens].find(([{ publicKey }]) => request.url === `/accounts/${publicKey}`);
      // nats-server asks for the bare URL at its start.
      const isKnown = found !== undefined || request.url === "/accounts/";
      response.writeHead(isKnown ? 200 : 404).end(found?.[1]);
    });
    await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}/accounts/`;
    const config = `operator: ${kit.jwt}\nresolver: URL(${url})`;
    try {
      await withServer(config, async (server) => {
        expect(await outcome(server, account)).toBe(REFUSED);
        tokens.set(account, accountToken(account, kit.operator));
        await waitFor("the account to be found", async () => (await outcome(server, account)) === "in");
        expect(await outcome(server, silent)).toBe(REFUSED);
        const odd = userToken(user, account, { nats: { issuer_account: `../${account.publicKey}` } });
        expect(await outcomeOf(await connectWith(server.port, odd, user))).toBe(REFUSED);
        const client = await connected(server, account);
        expect(await refuses(client, "x")).toBe(false);
        tokens.set(account, accountToken(account, kit.operator, { nats: denied("x") }));
        expect(await server.reload(config)).toBe("reloaded");
        // nats-server asks again for an account whose time is over, and not at a reload.
        if (kind === "shoal") await waitFor("the new claims to be in force", () => refuses(client, "x"));
        client.destroy();
      });
      const keys = [kit.system, account, silent].map(({ publicKey }) => `/accounts/${publicKey}`);
      expect([...new Set(asked)].filter((path) => path !== "/accounts/").toSorted()).toEqual(keys.toSorted());
    } finally {
      web.close();
      web.closeAllConnections();
    }
  });

  it("follows tokens of the configuration at a reload", async () => {
    const [changed, added] = [newAccount(), newAccount()];
    const before = new Map([[changed, accountToken(changed, kit.operator)]]);
    const after = new Map([
      [changed, accountToken(changed, kit.operator, { nats: denied("x") })],
      [added, accountToken(added, kit.operator)],
    ]);
    await withServer(kit.memoryConfig(before), async (server) => {
      const client = await connected(server, changed);
      expect(await outcome(server, added)).toBe(REFUSED);
      expect(await server.reload(kit.memoryConfig(after))).toBe("reloaded");
      await waitFor("the new claims to be in force", () => refuses(client, "x"));
      await waitFor("the new account", async () => (await outcome(server, added)) === "in");
      client.destroy();
    });
  });

  it("reads its directory again at a reload", async () => {
    const folder = mkdtempSync(join(tmpdir(), "shoal-reread-"));
    const [account, added] = [newAccount(), newAccount()];
    const write = (of: typeof account, nats: Fields = {}): void =>
      writeFileSync(join(folder, `${of.publicKey}.jwt`), accountToken(of, kit.operator, { nats }));
    try {
      write(account);
      const config = kit.directoryConfig(folder, "full");
      await withServer(config, async (server) => {
        const client = await connected(server, account);
        write(account, denied("x"));
        write(added);
        expect(await server.reload(config)).toBe("reloaded");
        await waitFor("the new account", async () => (await outcome(server, added)) === "in");
        // Accounts that are in force follow pushes alone with nats-server, which lists what it has looked up itself.
        if (kind === "shoal") {
          await waitFor("the new claims to be in force", () => refuses(client, "x"));
          const system = await SystemRequests.connectTo(server.port, kit);
          const { data } = JSON.parse(await system.ask("$SYS.REQ.CLAIMS.LIST")) as { data: string[] };
          expect(data).toEqual(expect.arrayContaining([account.publicKey, added.publicKey]));
          system.close();
        }
        client.destroy();
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("trusts several operators, and no others", async () => {
    const [other, stranger] = [new OperatorKit({ system_account: kit.system.publicKey }), new OperatorKit()];
    const [own, theirs, nobodys] = [newAccount(), newAccount(), newAccount()];
    const config = kit
      .memoryConfig(
        new Map([
          [own, accountToken(own, kit.operator)],
          [theirs, accountToken(theirs, other.operator)],
          [nobodys, accountToken(nobodys, stranger.operator)],
        ]),
      )
      .replace(`operator: ${kit.jwt}`, `operator: [${kit.jwt}, ${other.jwt}]`);
    await withServer(config, async (server) => {
      expect(await outcome(server, own)).toBe("in");
      expect(await outcome(server, theirs)).toBe("in");
      expect(await outcome(server, nobodys)).toBe(REFUSED);
    });
  });

  it("admits users of pinned accounts, and of the system account", async () => {
    const [pinned, other] = [newAccount(), newAccount()];
    const accounts = new Map([pinned, other].map((each) => [each, accountToken(each, kit.operator)]));
    const config = kit.memoryConfig(accounts, `resolver_pinned_accounts: [${pinned.publicKey}]`);
    await withServer(config, async (server) => {
      expect(await outcome(server, pinned)).toBe("in");
      expect(await outcome(server, kit.system)).toBe("in");
      expect(await outcome(server, other)).toBe(REFUSED);
    });
  });

  it("takes clients without a token for its sentinel", async () => {
    const account = newAccount();
    const sentinel = userToken(user, account, { nats: { bearer_token: true, pub: { deny: ["x"] } } });
    const accounts = new Map([[account, accountToken(account, kit.operator)]]);
    await withServer(kit.memoryConfig(accounts, `default_sentinel: ${sentinel}`), async (server) => {
      const client = await connectWith(server.port, "", null);
      await client.has("PONG\r\n");
      expect(await refuses(client, "x")).toBe(true);
      client.destroy();
    });
  });

  it("takes the token of a cookie over WebSocket", async () => {
    const account = newAccount();
    const accounts = new Map([[account, accountToken(account, kit.operator)]]);
    const port = await freePort();
    const lines = `websocket { listen: "127.0.0.1:${port}", no_tls: true, jwt_cookie: "jwt" }`;
    const answerTo = async (jwt: string): Promise<string> =>
      (await answerToCookie(port, jwt)).includes("PONG") ? "in" : "refused";
    await withServer(kit.memoryConfig(accounts, lines), async () => {
      const bearer = { nats: { bearer_token: true } };
      expect(await answerTo(userToken(user, account, bearer))).toBe("in");
      expect(await answerTo(userToken(user, account))).toBe("refused");
      expect(await answerTo(userToken(user, newAccount(), bearer))).toBe("refused");
    });
  });
});

const KINDS: readonly (readonly [LeafServerKind, LeafServerKind])[] = [
  ["shoal", "nats-server"],
  ["nats-server", "shoal"],
  ["shoal", "shoal"],
];

it.each(KINDS.filter((kinds) => kinds.every(hasKind)))(
  "a hub of %s takes a leaf node of %s into the account of its credentials",
  async (hubKind, leafKind) => {
    const folder = mkdtempSync(join(tmpdir(), "shoal-creds-"));
    const [account, other] = [newAccount(), newAccount()];
    const key = createUser();
    const jwt = userToken({ publicKey: key.getPublicKey() }, account);
    const seed = Buffer.from(key.getSeed()).toString();
    const block = (name: string, text: string): string =>
      `-----BEGIN ${name}-----\n${text}\n------END ${name}------\n`;
    writeFileSync(join(folder, "leaf.creds"), block("NATS USER JWT", jwt) + block("USER NKEY SEED", seed));
    const accounts = new Map([account, other].map((each) => [each, accountToken(each, kit.operator)]));
    try {
      await using world = new LeafWorld();
      const hub = await world.start(hubKind, { name: "hub", config: kit.memoryConfig(accounts) });
      const leaf = await world.start(leafKind, {
        name: "leaf",
        hubs: [hub],
        remote: `credentials: ${JSON.stringify(join(folder, "leaf.creds"))}`,
      });
      const inside = await connectWith(hub.process.port, userToken(user, account), user);
      const outside = await connectWith(hub.process.port, userToken(user, other), user);
      for (const client of [inside, outside]) {
        await client.has("PONG\r\n");
        client.send("SUB told 1\r\n");
      }
      const teller = await world.connect(leaf);
      await waitFor("a message over the leaf connection", async () => {
        teller.publish("told");
        await teller.flush();
        return inside.text.includes("MSG told 1 0\r\n");
      });
      outside.text = "";
      outside.send("PING\r\n");
      await outside.has("PONG\r\n");
      expect(outside.text).not.toContain("MSG");
      inside.destroy();
      outside.destroy();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
