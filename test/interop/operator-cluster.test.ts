/** Full resolvers of a cluster of both kinds: what is pushed to one is looked up and exchanged by the others. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Directories, SIGNED_PAIRS } from "../support/directories.ts";
import { newAccount } from "../support/operator-kit.ts";

requireNatsServer();

for (const kinds of SIGNED_PAIRS) {
  describe(`pushed to ${kinds[0]}, needed on ${kinds[1]}`, () => {
    it("is looked up there, and exchanged with what was there before", async () => {
      await using both = new Directories();
      // In the directory of the first server alone: others have to look it up, or to be given it.
      const [earlier, later, quiet] = [newAccount(), newAccount(), newAccount()];
      for (const account of [earlier, quiet])
        writeFileSync(join(both.folders[0], `${account.publicKey}.jwt`), both.token(account));
      await both.start(kinds);
      await both.push(both.token(later), later);
      for (const account of [earlier, later])
        await waitFor("the user to be admitted by both", async () => {
          const admitted = await Promise.all([0, 1].map((index) => both.admits(index, account)));
          return admitted.every(Boolean);
        });
      await waitFor("both directories to have all accounts", () =>
        [0, 1].every((index) =>
          [earlier, later, quiet].every((account) => both.kept(index, account) !== undefined),
        ),
      );
      expect(both.kept(1, quiet)).toBe(both.kept(0, quiet));
    });

    it("reaches a server that was away when it was pushed", async () => {
      await using both = new Directories();
      const [changed, added] = [newAccount(), newAccount()];
      await both.start(kinds);
      const before = both.token(changed);
      await both.push(before, changed);
      await waitFor("the second to have the account", () => both.kept(1, changed) === before);
      await both.cluster.member(1).stop();
      const iat = Math.floor(Date.now() / 1000) + 1;
      const after = both.token(changed, { iat, name: "changed" });
      await both.push(after, changed);
      await both.push(both.token(added), added);
      await both.cluster.member(1).start();
      await both.cluster.fullMesh();
      await waitFor(
        "the second to have what it has missed",
        () => both.kept(1, changed) === after && both.kept(1, added) !== undefined,
      );
      expect(await both.admits(1, added)).toBe(true);
    });

    it("is deleted everywhere, and its users are closed", async () => {
      await using both = new Directories();
      const account = newAccount();
      await both.start(kinds);
      await both.push(both.token(account), account);
      await waitFor("the second to admit the user", () => both.admits(1, account));
      const client = await both.enter(1, account);
      await both.delete(account);
      await client.closed();
      expect(client.errors).toEqual(["Account Authentication Expired"]);
      await waitFor("both directories to be without it", () =>
        [0, 1].every((index) => both.kept(index, account) === undefined),
      );
      expect(await both.admits(0, account)).toBe(false);
      expect(await both.admits(1, account)).toBe(false);
    });

    it("is looked up and kept by a cache, whose users follow changes", async () => {
      await using both = new Directories();
      const account = newAccount();
      await both.start(kinds, ["full", "cache"]);
      await both.push(both.token(account), account);
      await waitFor("the cache to admit the user", () => both.admits(1, account));
      await waitFor("the cache to keep the token", () => both.kept(1, account) !== undefined);
      const client = await both.enter(1, account);
      const iat = Math.floor(Date.now() / 1000) + 1;
      const denied = { default_permissions: { pub: { deny: ["x"] } } };
      await both.push(both.token(account, { iat, nats: denied }), account);
      await waitFor("the new permissions", async () => {
        client.text = "";
        client.send("PUB x 0\r\n\r\nPING\r\n");
        await client.has("PONG\r\n");
        return client.text.includes("Permissions Violation");
      });
      client.destroy();
    });
  });
}
