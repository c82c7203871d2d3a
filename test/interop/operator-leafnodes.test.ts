/**
 * Leaf nodes of accounts that an operator has signed: a spoke that trusts an operator connects in an account by its key, a hub takes the one
 * user of its block into such an account, and both servers refuse the same configurations.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NatsConnection } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import type { SigningNkey } from "../../src/keys/nkey.ts";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { hasKind, LeafWorld, type LeafServer, type LeafServerKind } from "../support/leaf-nodes.ts";
import {
  accountToken,
  connectWith,
  newAccount,
  newUser,
  OperatorKit,
  SystemRequests,
  userToken,
} from "../support/operator-kit.ts";
import { RawConnection } from "../support/raw-connection.ts";

requireNatsServer();

const kit = new OperatorKit();
const user = newUser();
const [inside, outside] = [newAccount(), newAccount()];
const accounts = new Map([inside, outside].map((each) => [each, accountToken(each, kit.operator)]));
const KINDS: readonly (readonly [LeafServerKind, LeafServerKind])[] = [
  ["shoal", "nats-server"],
  ["nats-server", "shoal"],
  ["shoal", "shoal"],
];

async function listener(server: LeafServer, account: SigningNkey): Promise<RawConnection> {
  const client = await connectWith(server.process.port, userToken(user, account), user);
  await client.has("PONG\r\n");
  client.send("SUB told 1\r\n");
  return client;
}

/** Resolves with all that has come until now. */
async function heardBy(client: RawConnection): Promise<string> {
  client.text = "";
  client.send("PING\r\n");
  await client.has("PONG\r\n");
  return client.text;
}

/** What `teller` publishes comes over the leaf connection to the account `inside` of `server`, and to no other. */
async function expectToldInside(teller: NatsConnection, server: LeafServer): Promise<void> {
  const [here, elsewhere] = [await listener(server, inside), await listener(server, outside)];
  await waitFor("a message over the leaf connection", async () => {
    teller.publish("told");
    await teller.flush();
    return here.text.includes("MSG told 1 0\r\n");
  });
  expect(await heardBy(elsewhere)).not.toContain("MSG");
  for (const client of [here, elsewhere]) client.destroy();
}

describe.each(KINDS.filter((kinds) => kinds.every(hasKind)))(
  "a hub of %s and a spoke of %s",
  (hubKind, leafKind) => {
    it("join an account that an operator has signed on the spoke", async () => {
      await using world = new LeafWorld();
      const hub = await world.start(hubKind, { name: "hub" });
      const leaf = await world.start(leafKind, {
        name: "leaf",
        hubs: [hub],
        remote: `account: ${inside.publicKey}`,
        config: kit.memoryConfig(accounts),
      });
      await expectToldInside(await world.connect(hub), leaf);
    });

    it("join the account of the one user of the hub's block", async () => {
      await using world = new LeafWorld();
      const hub = await world.start(hubKind, {
        name: "hub",
        leafnodes: `authorization { user: leaf, password: secret, account: ${inside.publicKey} }`,
        config: kit.memoryConfig(accounts),
        urlUser: "leaf:secret@",
      });
      const leaf = await world.start(leafKind, { name: "leaf", hubs: [hub] });
      await expectToldInside(await world.connect(leaf), hub);
    });

    it("wait for an account that is pushed later, and part when its time is over", async () => {
      const folder = mkdtempSync(join(tmpdir(), "shoal-spoke-"));
      const account = newAccount();
      try {
        await using world = new LeafWorld();
        const hub = await world.start(hubKind, { name: "hub" });
        const leaf = await world.start(leafKind, {
          name: "leaf",
          hubs: [hub],
          leafnodes: `reconnect: "100ms",`,
          remote: `account: ${account.publicKey}`,
          config: kit.directoryConfig(folder, "full", `timeout: "50ms"`),
        });
        const system = await SystemRequests.connectTo(leaf.process.port, kit);
        const nowS = Math.floor(Date.now() / 1000);
        await system.update(accountToken(account, kit.operator, { iat: nowS - 60 }));
        const here = await listener(leaf, account);
        const teller = await world.connect(hub);
        await waitFor("a message over the leaf connection", async () => {
          teller.publish("told");
          await teller.flush();
          return here.text.includes("MSG told 1 0\r\n");
        });
        // A busy machine must not take longer to push it.
        const exp = Math.floor(Date.now() / 1000) + 6;
        await system.update(accountToken(account, kit.operator, { iat: nowS, exp }));
        const asking = await RawConnection.greeted(hub.process.port, { headers: true, no_responders: true });
        asking.send("SUB inbox 1\r\n");
        await waitFor("the hub to be without the interest", async () => {
          asking.text = "";
          asking.send("PUB told inbox 0\r\n\r\nPING\r\n");
          await asking.has("PONG\r\n");
          return asking.text.includes("NATS/1.0 503");
        });
        asking.destroy();
        here.destroy();
        system.close();
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  },
);

describe.each(bothServers)("$name", ({ command }) => {
  const folder = mkdtempSync(join(tmpdir(), "shoal-blocks-"));
  const verdictOn = (block: string): string => {
    const file = join(folder, "server.conf");
    writeFileSync(file, `${kit.memoryConfig(accounts)}\nleafnodes { ${block} }\n`);
    const { stdout, stderr, status } = spawnSync(command, ["-c", file, "-t"], { encoding: "utf8" });
    return status === 0 ? "taken" : `${stdout}${stderr}`;
  };
  const port = `listen: "127.0.0.1:7422"`;
  const remote = (more: string): string => `remotes: [{ url: "nats-leaf://127.0.0.1:7422", ${more} }]`;

  it.each([
    [`${port}, authorization { user: a, password: b, account: ${inside.publicKey} }`, "taken"],
    [remote(`account: ${inside.publicKey}`), "taken"],
    [`${port}, authorization { users: [{ user: a, password: b }] }`, "does not allow specifying users"],
    [`${port}, authorization { user: a, password: b, account: A }`, "non account nkeys are incompatible"],
    [remote("account: A"), "requires account nkeys in remotes"],
    [remote(""), "requires account nkeys in remotes"],
  ])("judges %s", (block, verdict) => {
    expect(verdictOn(block)).toContain(verdict);
  });
});
