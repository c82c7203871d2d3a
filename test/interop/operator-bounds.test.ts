/** What bounds the tokens in a directory, `limit` and `ttl`, and directories that the older account server wrote. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Directories, SIGNED_PAIRS } from "../support/directories.ts";
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

requireNatsServer();

const kit = new OperatorKit();
const user = newUser();

describe.each(bothServers)("a full resolver of $name", ({ name: kind, command }) => {
  const withServer = async (
    folder: string,
    more: string,
    act: (server: ServerProcess) => Promise<void>,
  ): Promise<void> => {
    const server = await startServer(command, kit.directoryConfig(folder, "full", more));
    try {
      await act(server);
    } finally {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  };

  it("refuses a new account beyond its limit, and takes new tokens of those it has", async () => {
    const folder = mkdtempSync(join(tmpdir(), "shoal-limit-"));
    await withServer(folder, "limit: 2", async (server) => {
      const system = await SystemRequests.connectTo(server.port, kit);
      const [first, second] = [newAccount(), newAccount()];
      const nowS = Math.floor(Date.now() / 1000);
      expect(await system.update(accountToken(first, kit.operator, { iat: nowS - 9 }))).toMatchObject({
        code: 200,
      });
      expect(await system.update(accountToken(second, kit.operator))).toMatchObject({
        account: second.publicKey,
        code: 500,
        description: expect.stringMatching(/jwt store is full/) as string,
      });
      expect(await system.update(accountToken(first, kit.operator, { iat: nowS }))).toMatchObject({
        code: 200,
      });
      expect(readdirSync(folder).toSorted()).toEqual(
        [kit.system, first].map(({ publicKey }) => `${publicKey}.jwt`).toSorted(),
      );
      system.close();
    });
  });

  it("has the accounts that the older account server has written", async () => {
    const folder = mkdtempSync(join(tmpdir(), "shoal-older-"));
    const [flat, sharded] = [newAccount(), newAccount()];
    writeFileSync(join(folder, `${flat.publicKey}.jwt`), accountToken(flat, kit.operator));
    // With `shard` it makes folders by the last two letters.
    const shard = join(folder, sharded.publicKey.slice(-2));
    mkdirSync(shard);
    writeFileSync(join(shard, `${sharded.publicKey}.jwt`), accountToken(sharded, kit.operator));
    await withServer(folder, "", async ({ port }) => {
      expect(await outcomeOf(await connectWith(port, userToken(user, flat), user))).toBe("in");
      // nats-server does not look into folders.
      if (kind !== "shoal") return;
      expect(await outcomeOf(await connectWith(port, userToken(user, sharded), user))).toBe("in");
      expect(readdirSync(folder)).toContain(`${sharded.publicKey}.jwt`);
    });
  });
});

for (const kinds of SIGNED_PAIRS) {
  describe(`a cache of ${kinds[1]}`, () => {
    it("forgets what nobody has needed for its time, and looks it up again", async () => {
      await using both = new Directories();
      const account = newAccount();
      await both.start(kinds, ["full", "cache"], `ttl: "1s"`);
      await both.push(both.token(account), account);
      await waitFor("the cache to admit the user", () => both.admits(1, account));
      await waitFor("the cache to forget the token", () => both.kept(1, account) === undefined);
      expect(await both.admits(1, account)).toBe(true);
    });

    it("keeps as many as its limit says, and drops the one that was not needed for longest", async () => {
      await using both = new Directories();
      const [first, second] = [newAccount(), newAccount()];
      await both.start(kinds, ["full", "cache"], "limit: 1");
      for (const account of [first, second]) {
        await both.push(both.token(account), account);
        await waitFor("the cache to admit the user", () => both.admits(1, account));
      }
      await waitFor("the cache to keep the last one", () => both.kept(1, second) !== undefined);
      await waitFor("the cache to be without the first", () => both.kept(1, first) === undefined);
      expect(await both.admits(1, first)).toBe(true);
    });
  });
}
