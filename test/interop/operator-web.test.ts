/**
 * Accounts from a web server: over TLS with the authorities that are configured, where the operator's token alone names it, and where a shoal
 * itself is that server.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { freePort } from "../support/free-port.ts";
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
import { WebServer } from "../support/web-server.ts";

requireNatsServer();

const kit = new OperatorKit();
const [account, later, unknown, user] = [newAccount(), newAccount(), newAccount(), newUser()];
const BASE = "/jwt/v1/accounts/";

/** What an account server has: nats-server asks for the bare path at its start. */
function tokenAt(path: string, of = kit): string | null {
  if (path === BASE) return "here";
  const found = [account, later, of.system].find(({ publicKey }) => path === BASE + publicKey);
  return found === undefined ? null : accountToken(found, of.operator);
}

async function outcome({ port }: ServerProcess, of = account): Promise<string> {
  return outcomeOf(await connectWith(port, userToken(user, of), user));
}

async function withServer(
  command: string,
  config: string,
  act: (server: ServerProcess) => Promise<void>,
): Promise<void> {
  const server = await startServer(command, config);
  try {
    await act(server);
  } finally {
    await server.stop();
  }
}

describe.skipIf(missingOpenssl()).each(bothServers)("over TLS, $name", ({ command }) => {
  let authority: Authority;
  let other: Authority;
  let web: WebServer;
  const configOf = (tls: string): string =>
    `operator: ${kit.jwt}\nresolver: URL("https://localhost:${web.port}${BASE}")\n${tls}`;
  beforeAll(async () => {
    [authority, other] = [new Authority(), new Authority("other")];
    const tls = { ...authority.issue(), clientCaFile: authority.caFile };
    web = await WebServer.start({ text: (path) => tokenAt(path), tls });
  });
  afterAll(async () => {
    await web[Symbol.asyncDispose]();
    for (const one of [authority, other]) one[Symbol.dispose]();
  });
  const pair = (): string => {
    const { certFile, keyFile } = authority.issue();
    return `cert_file: ${JSON.stringify(certFile)}, key_file: ${JSON.stringify(keyFile)}`;
  };

  it("asks with the certificates that are configured", async () => {
    const tls = `resolver_tls { ca_file: ${JSON.stringify(authority.caFile)}, ${pair()} }`;
    await withServer(command, configOf(tls), async (server) => {
      expect(await outcome(server)).toBe("in");
      expect(await outcome(server, unknown)).toBe("Authorization Violation");
    });
  });

  it("does not start with a web server of another authority, or without a certificate for it", async () => {
    for (const tls of [
      "",
      `resolver_tls { ca_file: ${JSON.stringify(other.caFile)}, ${pair()} }`,
      `resolver_tls { ca_file: ${JSON.stringify(authority.caFile)} }`,
    ])
      await expect(startServer(command, configOf(tls))).rejects.toThrow("did not start");
  });

  it("asks with other certificates after a reload", async () => {
    const configWith = ({ caFile }: Authority): string =>
      configOf(`resolver_tls { ca_file: ${JSON.stringify(caFile)}, ${pair()} }`);
    await withServer(command, configWith(authority), async (server) => {
      expect(await outcome(server)).toBe("in");
      expect(await server.reload(configWith(other))).toBe("reloaded");
      expect(await outcome(server, later)).toBe("Authorization Violation");
      expect(await server.reload(configWith(authority))).toBe("reloaded");
      await waitFor("the account to be found", async () => (await outcome(server, later)) === "in");
    });
  });

  it("asks whomever it finds where that is configured", async () => {
    await withServer(command, configOf(`resolver_tls { insecure: true, ${pair()} }`), async (server) => {
      expect(await outcome(server)).toBe("in");
    });
  });
});

describe.each(bothServers)("$name", ({ command }) => {
  it("asks the account server that the operator's token names", async () => {
    await using web = await WebServer.start({ text: (path) => tokenAt(path, named) });
    const named: OperatorKit = new OperatorKit({
      account_server_url: `http://127.0.0.1:${web.port}/jwt/v1`,
    });
    await withServer(command, `operator: ${named.jwt}`, async (server) => {
      expect(await outcome(server)).toBe("in");
      expect(await outcome(server, unknown)).toBe("Authorization Violation");
    });
  });

  it("presents what the URL says of a user, and follows where it is led", async () => {
    const secret = Buffer.from("me:secret").toString("base64");
    await using web = await WebServer.start({
      text: (path, { headers }) => (headers.authorization === `Basic ${secret}` ? tokenAt(path) : null),
      redirect: (path) => (path.startsWith("/old/") ? `${BASE}${path.slice("/old/".length)}` : undefined),
    });
    const config = `operator: ${kit.jwt}\nresolver: URL("http://me:secret@127.0.0.1:${web.port}/old/")`;
    await withServer(command, config, async (server) => {
      expect(await outcome(server)).toBe("in");
      expect(server.log()).not.toContain("secret");
    });
  });

  it("asks a shoal, which has the accounts of its directory at an account server's path", async () => {
    const folder = mkdtempSync(join(tmpdir(), "shoal-looked-up-"));
    const http = await freePort();
    const shoal = bothServers[0]!.command;
    try {
      const config = kit.directoryConfig(folder, "full", "", `http: "127.0.0.1:${http}"`);
      await withServer(shoal, config, async (keeper) => {
        const system = await SystemRequests.connectTo(keeper.port, kit);
        const token = accountToken(account, kit.operator);
        await system.update(token);
        const url = `http://127.0.0.1:${http}${BASE}`;
        const found = await fetch(url + account.publicKey);
        expect([found.status, found.headers.get("content-type"), await found.text()]).toEqual([
          200,
          "application/jwt",
          token,
        ]);
        for (const name of [unknown.publicKey, "..", `${account.publicKey}/`, "varz"])
          expect((await fetch(url + name)).status).toBe(404);
        await withServer(command, `operator: ${kit.jwt}\nresolver: URL("${url}")`, async (server) => {
          expect(await outcome(server)).toBe("in");
          expect(await outcome(server, unknown)).toBe("Authorization Violation");
        });
        system.close();
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

it("has no such path without an operator", async () => {
  const http = await freePort();
  await withServer(bothServers[0]!.command, `http: "127.0.0.1:${http}"`, async () => {
    expect((await fetch(`http://127.0.0.1:${http}${BASE}`)).status).toBe(404);
  });
});
