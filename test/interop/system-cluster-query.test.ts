/** One question to all servers of a cluster from inside one of them: two shoals in this process, and one real nats-server. */
import { describe, expect, it } from "vitest";
import { connect } from "@nats-io/transport-node";
import { Member } from "../support/cluster-member.ts";
import { missingKinds } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startInProcess, type InProcessServer } from "../support/in-process-server.ts";

const PATIENCE_MS = 15_000;

describe.skipIf(missingKinds(["nats-new"]).length > 0)("a question to the cluster", () => {
  it("is answered by all, without those who are silent, and without those who are gone", async () => {
    await using nats = await Member.create({
      kind: "nats-new",
      name: "nats",
      clusterLines: ["name: mixed"],
      serverLines: ["accounts { $SYS { users: [{ user: sys, password: p }] } }"],
    });
    await nats.start();
    const routes = [{ host: "127.0.0.1", port: nats.ports.cluster, user: null, password: null }];
    const start = (name: string): Promise<InProcessServer> =>
      startInProcess({
        server: { name },
        cluster: { name: "mixed", routes: routes },
      });
    await using first = await start("first");
    const second = await start("second");
    try {
      await waitFor("the mesh", () => [first, second].every(({ server }) => peersOf(server) === 2));
      const client = await connect({ servers: second.url, reconnect: false });
      for (const asked of [first, second]) {
        for (const kind of ["VARZ", "STATSZ", "CONNZ", "ROUTEZ"]) {
          const answers = await asked.server.clusterQuery(kind, PATIENCE_MS);
          expect(answers.map(({ server }) => server.name).toSorted()).toEqual(["first", "nats", "second"]);
          expect(answers.every(({ data }) => typeof data === "object" && data !== null)).toBe(true);
        }
      }
      const connections = await first.server.clusterQuery("CONNZ", PATIENCE_MS);
      const counts = connections.map(({ server, data }) => [
        server.name,
        (data as { num_connections: number }).num_connections,
      ]);
      expect(Object.fromEntries(counts)).toEqual({ first: 0, second: 1, nats: 0 });
      // Only some are meant: the answer is there when the time is over.
      const some = await first.server.clusterQuery("VARZ", 300, { server_name: "nats" });
      expect(some.map(({ server }) => server.name)).toEqual(["nats"]);
      await client.close();
    } finally {
      await second[Symbol.asyncDispose]();
    }
    await waitFor("one to be gone", () => peersOf(first.server) === 1);
    const left = await first.server.clusterQuery("STATSZ", PATIENCE_MS);
    expect(left.map(({ server }) => server.name).toSorted()).toEqual(["first", "nats"]);
  });
});

function peersOf(server: InProcessServer["server"]): number {
  return server.cluster!.snapshot()?.peers.length ?? 0;
}
