/** Full resolvers of a cluster of both kinds: what is pushed to one is looked up and exchanged by the others. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { startMembers } from "../support/cluster.ts";
import { waitFor } from "../support/cluster-wait.ts";
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

const missing = missingKinds(["nats-new"]);
const PAIRS: readonly (readonly [ServerKind, ServerKind])[] = [
  ["shoal", "nats-new"],
  ["nats-new", "shoal"],
  ["shoal", "shoal"],
];

for (const kinds of PAIRS) {
  describe.skipIf(kinds.some((kind) => missing.includes(kind)))(
    `pushed to ${kinds[0]}, needed on ${kinds[1]}`,
    () => {
      it("is looked up there, and exchanged with what was there before", async () => {
        const kit = new OperatorKit();
        const user = newUser();
        const folders = kinds.map(() => mkdtempSync(join(tmpdir(), "shoal-full-")));
        // In the directory of the first server alone: others have to look it up, or to be given it.
        const [earlier, later, quiet] = [newAccount(), newAccount(), newAccount()];
        for (const account of [earlier, quiet])
          writeFileSync(join(folders[0]!, `${account.publicKey}.jwt`), accountToken(account, kit.operator));
        try {
          await using cluster = await startMembers(
            kinds.map((kind, index) => ({
              kind,
              name: `m${index}`,
              clusterLines: ["name: mixed"],
              serverLines: kit.directoryConfig(folders[index]!, "full", `interval: "1s"`).split("\n"),
            })),
          );
          await cluster.fullMesh();
          const ports = cluster.members.map(({ clientUrl }) => Number(clientUrl.split(":").at(-1))) as [
            number,
            number,
          ];
          const system = await SystemRequests.connectTo(ports[0], kit);
          const update = `$SYS.REQ.ACCOUNT.${later.publicKey}.CLAIMS.UPDATE`;
          await system.ask(update, accountToken(later, kit.operator));
          for (const account of [earlier, later]) {
            const admits = async (port: number): Promise<string> =>
              outcomeOf(await connectWith(port, userToken(user, account), user));
            await waitFor("the user to be admitted by both", async () =>
              (await Promise.all(ports.map(admits))).every((outcome) => outcome === "in"),
            );
          }
          await waitFor("both directories to have all accounts", () =>
            folders.every((folder) =>
              [earlier, later, quiet].every(({ publicKey }) =>
                readdirSync(folder).includes(`${publicKey}.jwt`),
              ),
            ),
          );
          system.close();
        } finally {
          for (const folder of folders) rmSync(folder, { recursive: true, force: true });
        }
        expect(folders).toHaveLength(2);
      });
    },
  );
}
