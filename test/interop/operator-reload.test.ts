/** What a reload changes of who may connect with an operator: the sentinel and the pinned accounts, on shoal and on nats-server alike. */
import { describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import {
  accountToken,
  connectWith,
  newAccount,
  newUser,
  OperatorKit,
  outcomeOf,
  userToken,
} from "../support/operator-kit.ts";

requireNatsServer();

const REFUSED = "Authorization Violation";
const kit = new OperatorKit();
const [one, two, user] = [newAccount(), newAccount(), newUser()];
const accounts = new Map([one, two].map((each) => [each, accountToken(each, kit.operator)]));

describe.each(bothServers)("$name", ({ command }) => {
  const withServer = async (lines: string, act: (server: ServerProcess) => Promise<void>): Promise<void> => {
    const server = await startServer(command, kit.memoryConfig(accounts, lines));
    try {
      await act(server);
    } finally {
      await server.stop();
    }
  };
  const reload = async (server: ServerProcess, lines: string): Promise<void> => {
    expect(await server.reload(kit.memoryConfig(accounts, lines))).toBe("reloaded");
  };
  const outcome = async ({ port }: ServerProcess, account: typeof one): Promise<string> =>
    outcomeOf(await connectWith(port, userToken(user, account), user));

  it("gives clients without a token another sentinel, or none", async () => {
    const sentinelIn = (account: typeof one): string =>
      `default_sentinel: ${userToken(user, account, { nats: { bearer_token: true } })}`;
    const accountOf = async ({ port }: ServerProcess): Promise<string> => {
      const client = await connectWith(port, "", null);
      await client.until("an answer", () => client.text.includes("PONG\r\n") || client.isClosed);
      if (client.isClosed) return client.errors.join();
      client.send("SUB inbox 1\r\nPUB $SYS.REQ.USER.INFO inbox 0\r\n\r\n");
      await client.until("who it is", () => /"account":"[A-Z0-9]+"/.test(client.text));
      const [, account = ""] = /"account":"([A-Z0-9]+)"/.exec(client.text)!;
      client.destroy();
      return account;
    };
    await withServer(sentinelIn(one), async (server) => {
      expect(await accountOf(server)).toBe(one.publicKey);
      await reload(server, sentinelIn(two));
      await waitFor("the other sentinel", async () => (await accountOf(server)) === two.publicKey);
      await reload(server, "");
      await waitFor("nobody without a token", async () => (await accountOf(server)) === REFUSED);
    });
  });

  it("pins other accounts, and closes the connections of those that are not pinned any more", async () => {
    await withServer(`resolver_pinned_accounts: [${one.publicKey}]`, async (server) => {
      const before = await connectWith(server.port, userToken(user, one), user);
      await before.has("PONG\r\n");
      expect(await outcome(server, two)).toBe(REFUSED);
      await reload(server, `resolver_pinned_accounts: [${two.publicKey}]`);
      await waitFor("the other account", async () => (await outcome(server, two)) === "in");
      expect(await outcome(server, one)).toBe(REFUSED);
      expect(await outcome(server, kit.system)).toBe("in");
      await before.closed();
      expect(before.errors).toEqual([REFUSED]);
      await reload(server, "");
      await waitFor("all accounts", async () => (await outcome(server, one)) === "in");
    });
  });
});
