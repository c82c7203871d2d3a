/** Consumers of replicated streams go on where something has gone wrong for a moment: on the virtual clock. */
import { describe, it } from "vitest";
import { QuietCluster } from "../../support/quiet-cluster.ts";
import type { SimulatedServer } from "../../sim/jetstream-cluster/server.ts";

const PULL = "$JS.API.CONSUMER.MSG.NEXT.S.c";

/** A stream and a consumer of it on three servers. */
function three(): QuietCluster {
  const cluster = new QuietCluster().start();
  cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s"], num_replicas: 3 });
  const config = { durable_name: "c", ack_policy: "explicit", ack_wait: 3600e9 };
  cluster.ask("CONSUMER.CREATE.S.c", { stream_name: "S", config });
  return cluster;
}

function leaderOf(cluster: QuietCluster): SimulatedServer {
  return cluster.until("a leader", () =>
    cluster.servers.find(({ cluster: at }) => at?.assets.standing("A", "S", "c") === "leads"),
  );
}

const request = (batch: number): string => JSON.stringify({ batch, expires: 3e9 });

/** A client asks again and again, until it gets a message. */
function pullUntil(cluster: QuietCluster, wanted: string, at: string): void {
  let heard: ReturnType<QuietCluster["send"]> = [];
  let askedMs = -Infinity;
  cluster.until(`message ${wanted}`, () => {
    if (cluster.timeline.nowMs - askedMs > 4000) {
      heard = cluster.send("A", PULL, request(10), "", at);
      askedMs = cluster.timeline.nowMs;
    }
    return heard.some(({ text }) => text === wanted);
  });
}

describe("a consumer of three servers", () => {
  it("goes on where the disk of its leader was full for a moment", () => {
    const cluster = three();
    const leader = leaderOf(cluster);
    const client = cluster.servers.find((one) => one !== leader)!;
    cluster.publish("s", "one", "two", "three");
    leader.hasFullDisk = true;
    // the first delivery waits for the disk, and the next one is refused
    for (let i = 0; i < 2; i++) {
      cluster.send("A", PULL, request(1), "", client.name);
      cluster.advance(20);
    }
    leader.hasFullDisk = false;
    pullUntil(cluster, "three", client.name);
  });
});
