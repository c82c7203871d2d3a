/** Copies of a stream in which messages are damaged, in a cluster without other faults. */
import { expect, it } from "vitest";
import { QuietCluster } from "../../support/quiet-cluster.ts";

const PAYLOADS = Array.from({ length: 20 }, (_, i) => `message ${i + 1}`);

it("a copy with damaged messages leads neither the stream nor its consumer, so that clients get all of them", () => {
  const cluster = new QuietCluster().start();
  cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s"], num_replicas: 3 });
  const config = { durable_name: "c", ack_policy: "explicit" };
  cluster.ask("CONSUMER.CREATE.S.c", { stream_name: "S", config });
  cluster.publish("s", ...PAYLOADS);
  const hurt = cluster.until("a copy that does not lead", () =>
    cluster.servers.find(({ cluster: its }) => its!.assets.standing("A", "S", "") === "follows"),
  );
  const { store } = hurt.jetStream!.accounts.get("A")!.assets.streams.get("S")!.stream;
  // as where a message cannot be read any more
  store["forget"](5);
  store.lost.add(5, 5);
  const placement = { preferred: hurt.name };
  cluster.ask("STREAM.LEADER.STEPDOWN.S", { placement });
  cluster.ask("CONSUMER.LEADER.STEPDOWN.S.c", { placement });
  cluster.advance(5000);
  const { assets } = hurt.cluster!;
  expect([assets.standing("A", "S", ""), assets.standing("A", "S", "c")]).toEqual(["follows", "follows"]);
  const body = JSON.stringify({ batch: PAYLOADS.length, expires: 5e9 });
  const heard = cluster.send("A", "$JS.API.CONSUMER.MSG.NEXT.S.c", body);
  cluster.until("all messages", () => heard.length >= PAYLOADS.length);
  expect(heard.map(({ text }) => text)).toEqual(PAYLOADS);
});
