/** nats-top reads /varz and /connz of each server of a mixed cluster, and prints them. */
import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { Clients } from "../support/cluster-clients.ts";
import { missingKinds } from "../support/cluster-programs.ts";
import { startMembers } from "../support/cluster.ts";

const run = promisify(execFile);

/**
 * Its module is in no registry that CI can ask (github.com/nats-io/nats-top is built from its source): where it is missing this is
 * said, and nothing is tested.
 */
function isMissing(): boolean {
  const { error } = spawnSync("nats-top", ["--version"]);
  if (error === undefined) return false;
  process.stderr.write("\n***** SKIPPING TESTS: no nats-top on PATH. shoal with it is NOT tested *****\n");
  return true;
}

describe.skipIf(isMissing() || missingKinds(["nats-new"]).length > 0)("nats-top", () => {
  it("shows a shoal as it shows a nats-server", async () => {
    await using cluster = await startMembers(
      (["shoal", "nats-new"] as const).map((kind) => ({ kind, name: kind, clusterLines: ["name: mixed"] })),
    );
    await cluster.fullMesh();
    await using clients = new Clients();
    for (const client of await clients.connectAll(cluster.members, { name: "watched" })) {
      client.subscribe("stars.*");
      for (let n = 0; n < 3; n++) client.publish("stars.one", "12345678");
      await client.flush();
    }
    const shown = await Promise.all(
      cluster.members.map(async ({ ports }) => {
        const args = ["-s", "127.0.0.1", "-m", String(ports.monitor), "-n", "10", "-sort", "msgs_from", "-u"];
        const { stdout } = await run("nats-top", [...args, "-o", "-", "-r", "2", "-d", "1"]);
        return stdout;
      }),
    );
    for (const [at, text] of shown.entries()) {
      expect(/Server: (\S+)/.exec(text)?.[1]).toBe(["shoal", "nats-new"][at]);
      expect(text).toMatch(/In: +Msgs: [1-9].*Bytes: [1-9]/);
      expect(text).toMatch(/Connections Polled: 1\b/);
      expect(text).toMatch(/watched +1 +0 +\d+ +3 +\d+ +24 +nats\.js .*stars\.\*/);
    }
  });
});
