/**
 * Leaf nodes on both servers of a cluster of both kinds, whose account or user changes by what is pushed to the first: their connections
 * are closed where the new claims no longer permit them, on the other server as well.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SigningNkey } from "../../src/keys/nkey.ts";
import { requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Directories, SIGNED_PAIRS } from "../support/directories.ts";
import { freePort } from "../support/free-port.ts";
import {
  connectWith,
  HOUR_S,
  newAccount,
  newServer,
  newUser,
  UNLIMITED,
  userToken,
} from "../support/operator-kit.ts";
import type { RawConnection } from "../support/raw-connection.ts";

requireNatsServer();

type Fields = Readonly<Record<string, unknown>>;

const limited = (leaf: number): Fields => ({ limits: { ...UNLIMITED, leaf } });

for (const kinds of SIGNED_PAIRS) {
  describe(`leaf nodes on both follow what is pushed to ${kinds[0]}, beside ${kinds[1]}`, () => {
    let both: Directories;
    let ports: readonly number[] = [];
    let issuedS = Math.floor(Date.now() / 1000) - HOUR_S;
    beforeAll(async () => {
      both = new Directories();
      ports = [await freePort(), await freePort()];
      await both.start(kinds, ["full", "full"], "", (index) => [
        `leafnodes { listen: "127.0.0.1:${ports[index]}" }`,
      ]);
    });
    afterAll(async () => both[Symbol.asyncDispose]());

    const push = async (account: SigningNkey, nats: Fields = {}, claims: Fields = {}): Promise<void> => {
      issuedS += 1;
      await both.push(both.token(account, { nats, iat: issuedS, ...claims }), account);
    };

    /** A leaf node of its own each time; null: it was refused. */
    const join = async (
      index: number,
      account: SigningNkey,
      user = both.user,
    ): Promise<RawConnection | null> => {
      const more = { name: newServer().publicKey, server_id: newServer().publicKey };
      const leaf = await connectWith(ports[index]!, userToken(user, account), user, more);
      await leaf.until("an answer", () => leaf.text.includes("PONG\r\n") || leaf.isClosed);
      return leaf.isClosed ? null : leaf;
    };
    const joined = async (index: number, account: SigningNkey, user = both.user): Promise<RawConnection> =>
      waitFor(
        `a leaf node to be admitted by ${kinds[index]}`,
        async () => (await join(index, account, user)) ?? undefined,
      );

    const onBoth = (account: SigningNkey, user = both.user): Promise<readonly RawConnection[]> =>
      Promise.all([0, 1].map((index) => joined(index, account, user)));
    const isRefused = async (index: number, account: SigningNkey): Promise<boolean> => {
      const leaf = await join(index, account);
      leaf?.destroy();
      return leaf === null;
    };
    const areRefused = async (account: SigningNkey): Promise<void> => {
      for (const index of [0, 1])
        await waitFor(`${kinds[index]} to refuse it`, () => isRefused(index, account));
    };
    const expectEnded = async (leafs: readonly RawConnection[], error: string): Promise<void> => {
      for (const leaf of leafs) await leaf.closed();
      expect(leafs.map(({ errors }) => errors)).toEqual(leafs.map(() => [error]));
    };

    it("a revocation of a user, which leaves those of others", async () => {
      const [account, other] = [newAccount(), newUser()];
      await push(account);
      const leafs = await onBoth(account);
      const others = await onBoth(account, other);
      const revoked = { [both.user.publicKey]: Math.floor(Date.now() / 1000) + HOUR_S };
      await push(account, { revocations: revoked });
      await expectEnded(leafs, "User Authentication Revoked");
      await areRefused(account);
      for (const leaf of others) {
        leaf.text = "";
        leaf.send("PING\r\n");
        await leaf.has("PONG\r\n");
        leaf.destroy();
      }
      await push(account);
      for (const leaf of await onBoth(account)) leaf.destroy();
    });

    it("the end of the account's time", async () => {
      const account = newAccount();
      await push(account);
      const leafs = await onBoth(account);
      // A busy machine must not take longer to push it.
      await push(account, {}, { exp: Math.floor(Date.now() / 1000) + 6 });
      await expectEnded(leafs, "Account Authentication Expired");
      await areRefused(account);
    });

    it("a deletion of the account", async () => {
      const account = newAccount();
      await push(account);
      const leafs = await onBoth(account);
      await both.delete(account);
      await expectEnded(leafs, "Account Authentication Expired");
      await areRefused(account);
    });

    it.each([1, 0])("a lower limit of leaf nodes, which counts those to both servers: %i", async (limit) => {
      const account = newAccount();
      await push(account, limited(2));
      const leafs = await onBoth(account);
      await push(account, limited(limit));
      const open = (): readonly RawConnection[] => leafs.filter(({ isClosed }) => !isClosed);
      await waitFor("leaf nodes beyond the limit to be closed", async () => {
        // A nats-server looks for them when another server tells how many it has: so something happens on each.
        for (const index of [0, 1]) await both.admits(index, account);
        return open().length <= limit;
      });
      // one that is told so is closed a little later
      await waitFor("those that are closed, and no others, to have been told why", () =>
        leafs.every(
          ({ isClosed, errors }) =>
            errors.join() === (isClosed ? "maximum account active connections exceeded" : ""),
        ),
      );
      // Both servers may have closed theirs, each for the sake of the other.
      let held = open()[0] ?? null;
      await waitFor("so many to be admitted, and no more", async () => {
        if (limit > 0 && held?.isClosed !== false) held = await join(0, account);
        const refused = [await isRefused(0, account), await isRefused(1, account)];
        return refused.every(Boolean) && (limit === 0 || held?.isClosed === false);
      });
      held?.destroy();
      await push(account, limited(2));
      for (const leaf of await onBoth(account)) leaf.destroy();
    });
  });
}
