/** A shoal among nats-servers that keep streams: it follows what they agree on, and never leads it. */
import { jetstreamManager, StorageType } from "@nats-io/jetstream";
import { describe, expect, it } from "vitest";
import { missingKinds } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";
import type { InProcessServer } from "../support/in-process-server.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { clusterOf, NatsStreamCluster } from "../support/nats-stream-cluster.ts";
import { PATIENT } from "../support/patience.ts";

const missing = missingKinds(["nats-new"]);
const tool = findNatsCli();

interface MetaGroup {
  readonly leader?: string;
  readonly replicas?: readonly { readonly name: string; readonly current: boolean; readonly peer: string }[];
}

/** The meta group, as a nats-server reports it. */
async function metaGroup(servers: NatsStreamCluster): Promise<MetaGroup> {
  const admin = await servers.admin(0);
  return waitFor("the report of the leader", async () => {
    const answers = await admin.requestMany(
      "$SYS.REQ.SERVER.PING.JSZ",
      JSON.stringify({ leader_only: true }),
      {
        strategy: "timer",
        maxWait: 1000,
      },
    );
    for await (const answer of answers) {
      const { data } = answer.json<{ data?: { meta_cluster?: MetaGroup } }>();
      if ((data?.meta_cluster?.replicas?.length ?? 0) > 0) return data!.meta_cluster!;
    }
    return undefined;
  });
}

async function isCurrent(servers: NatsStreamCluster, name: string): Promise<boolean> {
  const { replicas = [] } = await metaGroup(servers);
  return replicas.some((one) => one.name === name && one.current);
}

/** The streams and consumers that a shoal knows of, with those who keep them. */
function known(shoal: InProcessServer): string[] {
  return [...clusterOf(shoal).meta.assignments.all()]
    .map(({ assignment: { config, group }, consumers }) =>
      [config.name, `r${group.peers.length}`, ...[...consumers.keys()].toSorted()].join(" "),
    )
    .toSorted();
}

describe.skipIf(missing.length > 0)("a shoal that joins nats-servers with streams", () => {
  it("becomes a member, knows everything that is assigned, and does so after a restart and without its disk", async () => {
    await using servers = await new NatsStreamCluster().start();
    const manager = await jetstreamManager(await servers.client(1), PATIENT);
    await waitFor("a stream to be made", () =>
      manager.streams.add({ name: "BEFORE", subjects: ["before"], num_replicas: 3 }).catch(() => undefined),
    );
    await manager.consumers.add("BEFORE", { durable_name: "reader" });

    const shoal = await servers.startShoal("s1");
    await waitFor("the shoal to be a current member", () => isCurrent(servers, "s1"));
    await waitFor("what was assigned before", () => known(shoal).includes("BEFORE r3 reader"));
    await manager.streams.add({ name: "AFTER", subjects: ["after"], storage: StorageType.Memory });
    await manager.streams.delete("BEFORE");
    await waitFor("what is assigned now", () => known(shoal).join() === "AFTER r1");
    const { leader, replicas } = await metaGroup(servers);
    expect(leader).toMatch(/^n[123]$/);
    expect(replicas).toHaveLength(3);
    if (tool !== undefined)
      await waitFor("the report of the tool to name it as current", async () => {
        await using report = new NatsCommand(tool, servers.adminUrl(0), ["server", "report", "jetstream"]);
        return /s1\s.*│\s*│\s*true/.test(await report.done());
      });

    await servers.stopShoal("s1");
    const again = await servers.startShoal("s1");
    await waitFor("what its disk and the leader say", () => known(again).join() === "AFTER r1");
    await servers.stopShoal("s1");
    servers.wipe("s1");
    const empty = await servers.startShoal("s1");
    await waitFor("what the leader says", () => known(empty).join() === "AFTER r1");
    expect((await metaGroup(servers)).replicas).toHaveLength(3);
  });
});
