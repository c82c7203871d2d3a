/** Servers that kept streams by themselves and become members of a cluster, on the virtual clock: nothing of what they had is lost. */
import { describe, expect, it } from "vitest";
import { JetStreamStack } from "../../support/jetstream-stack.ts";
import { QuietCluster } from "../../support/quiet-cluster.ts";

/** A server by itself, with a stream that has gaps and consumers in the middle of their work. */
function alone(stream = "S", subject = "s"): JetStreamStack {
  const stack = new JetStreamStack();
  stack.request(`STREAM.CREATE.${stream}`, { name: stream, subjects: [`${subject}.>`] });
  for (const name of ["c", "d"])
    stack.request(`CONSUMER.DURABLE.CREATE.${stream}.${name}`, {
      stream_name: stream,
      config: { durable_name: name, ack_policy: "explicit", ack_wait: 3600e9 },
    });
  for (let i = 1; i <= 40; i++) stack.publish(`${subject}.${i % 3}`, `message ${i}`);
  for (const seq of [1, 20]) stack.request(`STREAM.MSG.DELETE.${stream}`, { seq });
  const taken = stack.listen("taken");
  stack.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.c`, JSON.stringify({ batch: 5 }), {}, "taken");
  for (const { reply } of taken.slice(0, 2)) stack.publish(reply, "+ACK");
  return stack;
}

/** Puts what a server had by itself on the disk of one that has not started yet. */
function moveTo(cluster: QuietCluster, name: string, { disk }: JetStreamStack): void {
  const to = cluster.server(name)["disk"];
  for (const [path, { content }] of disk["files"]) to.replace(path, content);
}

const consumer = (cluster: QuietCluster, name: string): unknown => {
  const { delivered, ack_floor, num_ack_pending, num_pending, error } = cluster.ask(
    `CONSUMER.INFO.S.${name}`,
  );
  return { delivered, ack_floor, num_ack_pending, num_pending, error };
};
const contentsOf = (stack: JetStreamStack, stream: string): string[] => {
  const { store } = stack.stream(stream);
  const found: string[] = [];
  for (let at = store.next(1, null); at !== 0; at = store.next(at + 1, null)) {
    const view = store.read(at)!;
    found.push(`${at} ${view.subject} ${view.payload.toString("latin1")}`);
  }
  return found;
};

describe("a server that kept streams by itself and becomes a member of a cluster", () => {
  it("keeps them with all messages and consumers, which may have three replicas from then on", () => {
    const stack = alone();
    const before = contentsOf(stack, "S");
    const infos = ["c", "d"].map((name) => stack.request(`CONSUMER.INFO.S.${name}`));
    const { created } = stack.request("STREAM.INFO.S");
    stack.stop();
    const cluster = new QuietCluster();
    moveTo(cluster, "n2", stack);
    cluster.start();
    cluster.until("the stream to be taken over", () => cluster.server("n2").cluster!.offers.count === 0);
    expect(cluster.keepers("S")).toEqual(["n2"]);
    expect(cluster.contents("n2", "S")).toEqual(before);
    expect(cluster.ask("STREAM.INFO.S")).toMatchObject({ created, cluster: { leader: "n2" } });
    for (const [i, name] of ["c", "d"].entries()) {
      const { num_ack_pending, num_pending } = infos[i]!;
      const delivered = { stream_seq: name === "c" ? 6 : 0 };
      const ack_floor = { stream_seq: name === "c" ? 3 : 0 };
      expect(consumer(cluster, name)).toMatchObject({ delivered, ack_floor, num_ack_pending, num_pending });
    }
    const wider = cluster.ask("STREAM.UPDATE.S", { name: "S", subjects: ["s.>"], num_replicas: 3 });
    expect(wider["error"]).toBeUndefined();
    for (const { name } of cluster.servers)
      cluster.until(
        `${name} to have everything`,
        () => cluster.contents(name, "S")?.length === before.length,
      );
    for (const { name } of cluster.servers) expect(cluster.contents(name, "S")).toEqual(before);
    cluster.publish("s.1", "next");
    expect(cluster.ask("STREAM.INFO.S")).toMatchObject({ state: { last_seq: 41 } });
  });

  it("keeps them when it is killed at any moment of that", () => {
    const stack = alone();
    const before = contentsOf(stack, "S");
    stack.stop();
    for (let waitMs = 800; waitMs < 1000; waitMs += 20) {
      const cluster = new QuietCluster();
      moveTo(cluster, "n2", stack);
      for (const server of cluster.servers) server.start();
      cluster["tell"]();
      cluster.advance(waitMs);
      cluster.kill("n2");
      cluster.advance(3000);
      cluster.server("n2").start();
      cluster.until("the stream to be taken over", () => cluster.contents("n2", "S") !== null);
      cluster.until("all of it", () => cluster.server("n2").cluster!.offers.count === 0);
      expect(cluster.contents("n2", "S"), `${waitMs} ms`).toEqual(before);
      expect(consumer(cluster, "c"), `${waitMs} ms`).toMatchObject({ num_ack_pending: 3, num_pending: 33 });
      expect(cluster.server("n2")["disk"].names("/js/A/quarantine")).toEqual([]);
    }
  });

  it("puts a stream aside whose name or subjects another one has, and deletes nothing", () => {
    const [first, second, third] = [alone("S", "s"), alone("S", "other"), alone("T", "s")];
    const cluster = new QuietCluster();
    for (const [i, stack] of [first, second, third].entries()) {
      stack.stop();
      moveTo(cluster, `n${i + 1}`, stack);
    }
    cluster.start();
    cluster.until("all to be taken over or refused", () =>
      cluster.servers.every((server) => server.cluster!.offers.count === 0),
    );
    const kept = cluster.servers.filter(({ name }) => ["S", "T"].some((one) => cluster.contents(name, one)));
    for (const server of cluster.servers) {
      const aside = server["disk"].names("/js/A/quarantine");
      expect(aside, server.name).toHaveLength(kept.includes(server) ? 0 : 1);
      for (const one of aside)
        expect(server["disk"].names(`/js/A/quarantine/${one}/msgs`).length).toBeGreaterThan(0);
      expect(server["disk"].names("/js/A/offered")).toEqual([]);
    }
    const refused = cluster.log.filter((line) => line.includes("the cluster refuses a stream"));
    expect(refused).toHaveLength(3 - kept.length);
    expect(kept.length).toBeLessThan(3);
  });
});
