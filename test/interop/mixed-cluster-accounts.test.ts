/**
 * Accounts in mixed clusters: each has its own messages on every server, whichever route of the pool they take, or
 * whether the account has a route of its own.
 */
// oxlint-disable vitest/expect-expect -- expectSeparateAccounts holds the assertions
import type { NatsConnection } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { Clients, Inbox, reaches } from "../support/cluster-clients.ts";
import { missingKinds, shoalTakes, type ServerKind } from "../support/cluster-programs.ts";
import { startMembers } from "../support/cluster.ts";

const accountNames = ["A", "BB", "CCC", "Zoë\u{1f41f}"];
const accountLines = [
  "accounts {",
  ...["SYS", ...accountNames].map((name) => `  "${name}" { users: [{ user: "${name}", password: p }] }`),
  "}",
  "system_account: SYS",
];

const pooled: ServerKind[][] = [
  ["nats-new", "nats-new"],
  ["shoal", "nats-new"],
  ["nats-new", "shoal"],
  ["shoal", "shoal"],
];
const unpooled: ServerKind[][] = [
  ["nats-new", "nats-2.9"],
  ["shoal", "nats-2.9"],
  ["nats-2.9", "shoal"],
];

const missing = missingKinds(["nats-2.9", "nats-new"]);
const untestable = (kind: ServerKind) =>
  missing.includes(kind) || (kind === "shoal" && !shoalTakes(accountLines));

for (const kinds of pooled) {
  describe.skipIf(kinds.some(untestable))(`${kinds.join(" <- ")}: messages stay in their account`, () => {
    it.each([
      [3, 3],
      [3, 5],
      [5, 2],
      [3, -1],
      [-1, 3],
    ])("with %i routes in the pool of the seed and %i in the joiner's", async (...sizes) => {
      await expectSeparateAccounts(kinds, (index) => [`pool_size: ${sizes[index]}`]);
    });
    it("with two accounts that have routes of their own", async () => {
      await expectSeparateAccounts(kinds, () => [`accounts: [BB, "${accountNames[3]}"]`]);
    });
  });
}

for (const kinds of unpooled) {
  describe.skipIf(kinds.some(untestable))(`${kinds.join(" <- ")}: messages stay in their account`, () => {
    it("with one server that knows no pools", async () => {
      await expectSeparateAccounts(kinds, () => []);
    });
  });
}

async function expectSeparateAccounts(
  kinds: readonly ServerKind[],
  poolLines: (index: number) => string[],
): Promise<void> {
  await using cluster = await startMembers(
    kinds.map((kind, index) => ({
      kind,
      name: `m${index}`,
      clusterLines: ["name: mixed", ...poolLines(index)],
      serverLines: accountLines,
    })),
  );
  await using clients = new Clients();
  await cluster.fullMesh();
  const inboxes = new Map<string, Inbox[]>();
  const publishers: NatsConnection[] = [];
  for (const account of accountNames) {
    const [one, other] = await clients.connectAll(cluster.members, { user: account, pass: "p" });
    inboxes.set(account, [new Inbox(one!, "shared.subject"), new Inbox(other!, "shared.subject")]);
    await Promise.all([reaches(one!, other!), reaches(other!, one!)]);
    publishers.push(one!, other!);
  }
  publishers.forEach((client, n) => client.publish("shared.subject", `${accountNames[n >> 1]} ${n & 1}`));
  for (const [account, both] of inboxes) {
    for (const inbox of both) {
      await inbox.received(2);
      expect(inbox.texts.sort()).toEqual([`${account} 0`, `${account} 1`]);
    }
  }
}
