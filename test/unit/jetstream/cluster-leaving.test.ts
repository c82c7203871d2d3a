/** Servers that leave a cluster for good, on the virtual clock: what they alone keep moves before. */
import { describe, expect, it } from "vitest";
import { hashName } from "../../../src/base/base62.ts";
import { QuietCluster } from "../../support/quiet-cluster.ts";

/** A stream with one copy, on n3, with a consumer that waits for some of its messages. */
function withOneCopy(cluster: QuietCluster): readonly string[] {
  const placement = { tags: ["name:n3"] };
  const made = cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], placement });
  expect(made["error"]).toBeUndefined();
  const config = { durable_name: "c", ack_policy: "explicit", ack_wait: 3600e9 };
  cluster.ask("CONSUMER.CREATE.S.c", { stream_name: "S", config });
  cluster.publish("s.1", ...Array.from({ length: 20 }, (_, i) => `message ${i}`));
  const heard = cluster.send("A", "$JS.API.CONSUMER.MSG.NEXT.S.c", JSON.stringify({ batch: 5 }));
  cluster.until("five messages", () => heard.length === 5);
  cluster.ask("STREAM.UPDATE.S", { name: "S", subjects: ["s.>"] }); // it may be anywhere from here on
  return cluster.contents("n3", "S")!;
}

function remove(cluster: QuietCluster, name: string): void {
  const heard = cluster.send("$SYS", "$JS.API.SERVER.REMOVE", JSON.stringify({ peer: name }), "", "n1");
  cluster.until("an answer", () => heard.length > 0);
  expect(heard[0]!.text).toContain('"success":true');
}

const isMember = (cluster: QuietCluster, name: string): boolean =>
  cluster.server("n1").cluster!.meta.group!.peers.peers.includes(hashName(name));

describe("a server that is removed from a cluster", () => {
  it("keeps its only copies until others have them, with consumers, and is no member then", () => {
    const cluster = new QuietCluster(["n1", "n2", "n3", "n4"]).start();
    const before = withOneCopy(cluster);
    expect(cluster.keepers("S")).toEqual(["n3"]);
    remove(cluster, "n3");
    cluster.until("it to be no member", () => !isMember(cluster, "n3"));
    const [keeper] = cluster.keepers("S").filter((name) => name !== "n3");
    expect(cluster.contents(keeper!, "S")).toEqual(before);
    expect(cluster.ask("CONSUMER.INFO.S.c")).toMatchObject({ num_ack_pending: 5, num_pending: 15 });
    expect(cluster.ask("STREAM.INFO.S")).toMatchObject({ cluster: { leader: keeper } });
    cluster.publish("s.1", "next");
  });

  it("goes on with that under another leader of all servers", () => {
    const cluster = new QuietCluster(["n1", "n2", "n3", "n4"]).start();
    const before = withOneCopy(cluster);
    remove(cluster, "n3");
    const leader = cluster.servers.find((one) => one.cluster!.meta.leads)!;
    cluster.kill(leader.name === "n3" ? "n4" : leader.name);
    cluster.server(leader.name === "n3" ? "n4" : leader.name).start();
    cluster.until("it to be no member", () => !isMember(cluster, "n3"));
    const [keeper] = cluster.keepers("S").filter((name) => name !== "n3");
    expect(cluster.contents(keeper!, "S")).toEqual(before);
  });

  it("is none at once where it is gone, and the log names what it alone has", () => {
    const cluster = new QuietCluster(["n1", "n2", "n3", "n4"]).start();
    withOneCopy(cluster);
    const { id } = cluster.server("n3");
    cluster.kill("n3");
    for (const { cluster: of, isAlive } of cluster.servers)
      if (isAlive) of!.servers["left"]({ server: { name: "n3", id } });
    remove(cluster, "n3");
    cluster.until("it to be no member", () => !isMember(cluster, "n3"));
    expect(cluster.log.join("\n")).toMatch(/leaves the cluster with the only copies .*A\/S/);
    expect(cluster.ask("STREAM.INFO.S")["error"]).toMatchObject({ err_code: 10_118 });
  });
});
