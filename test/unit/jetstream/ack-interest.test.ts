/** In a cluster an acknowledgement goes to the server whose consumer it is for, and to no other. */
import { expect, it } from "vitest";
import { QuietCluster } from "./quiet-cluster.ts";

const PLAIN = "$JS.ACK.S.c.1.1.1.1800000000000000000.0";
const WITH_DOMAIN = "$JS.ACK.hub.Xa3kPq7z.S.c.1.1.1.1800000000000000000.0.x";

function withConsumer(ackPolicy: string): QuietCluster {
  const cluster = new QuietCluster().start();
  cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], num_replicas: 3 });
  const config = { durable_name: "c", ack_policy: ackPolicy };
  cluster.ask("CONSUMER.DURABLE.CREATE.S.c", { stream_name: "S", config });
  return cluster;
}

function listeners({ servers }: QuietCluster, subject: string): readonly string[] {
  const message = { account: "A", subject, reply: "", headers: "", payload: new Uint8Array(0) };
  return servers.filter((one) => one.listens(message)).map(({ name }) => name);
}

it("is listened to by the leader of the consumer, and by its successor", () => {
  const cluster = withConsumer("explicit");
  const before = cluster.leaderOf("S", "c");
  expect(listeners(cluster, PLAIN)).toEqual([before.name]);
  cluster.ask("CONSUMER.LEADER.STEPDOWN.S.c");
  cluster.until("another leader", () => ![undefined, before].includes(cluster.leaderOf("S", "c")));
  const after = cluster.leaderOf("S", "c");
  expect(listeners(cluster, PLAIN)).toEqual([after.name]);
  cluster.publish("s.1", "message");
  expect(cluster.consume("S", "c")).toBe("message");
  cluster.ask("CONSUMER.DELETE.S.c");
  cluster.until("nobody to listen", () => listeners(cluster, PLAIN).length === 0);
});

it("is listened to by nobody where the consumer wants none", () => {
  const cluster = withConsumer("none");
  cluster.leaderOf("S", "c");
  expect(listeners(cluster, PLAIN)).toEqual([]);
});

it("is heard by all where domain and account stand before the stream", () => {
  expect(listeners(withConsumer("explicit"), WITH_DOMAIN)).toHaveLength(3);
});
