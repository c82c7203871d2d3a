/** What streams with replicas do by themselves, and with several messages at once: the copies stay the same, whatever clocks say and whoever leads. */
import { describe, expect, it } from "vitest";
import { QuietCluster } from "./quiet-cluster.ts";

const R3 = { num_replicas: 3 };

/** Servers of which one is 7 s ahead, and another 5 s behind. */
function skewed(): QuietCluster {
  return new QuietCluster([0, 7000, -5000]).start();
}

describe("what expires in a stream with replicas", () => {
  it("goes when the leader's clock says so, on all copies", () => {
    const cluster = skewed();
    cluster.ask("STREAM.CREATE.S", {
      name: "S",
      subjects: ["s.>"],
      max_age: 10e9,
      duplicate_window: 1e9,
      ...R3,
    });
    cluster.lead("S", cluster.servers[0]!);
    for (const subject of ["s.1", "s.2", "s.3"]) cluster.publish(subject, "m");
    const all = ["1 s.1 m", "2 s.2 m", "3 s.3 m"];
    cluster.advance(9000);
    expect(cluster.contents("S")).toEqual(all);
    cluster.advance(2000);
    expect(cluster.contents("S")).toEqual([]);

    for (const subject of ["s.4", "s.5"]) cluster.publish(subject, "m");
    cluster.advance(4000);
    expect(cluster.contents("S")).toEqual(["4 s.4 m", "5 s.5 m"]);
    cluster.lead("S", cluster.servers[1]!); // it is 7 s ahead
    cluster.advance(10);
    expect(cluster.contents("S")).toEqual([]);
  });

  it("has times of its own, or none, and leaves markers", () => {
    const cluster = skewed();
    const config = {
      allow_msg_ttl: true,
      subject_delete_marker_ttl: 20e9,
      max_age: 15e9,
      duplicate_window: 1e9,
    };
    cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], ...config, ...R3 });
    cluster.lead("S", cluster.servers[2]!);
    cluster.publish("s.a", "first", { "Nats-TTL": "30" });
    cluster.publish("s.a", "second", { "Nats-TTL": "21" });
    cluster.publish("s.stays", "kept", { "Nats-TTL": "never" });
    cluster.publish("s.b", "old");
    cluster.advance(14_000);
    expect(cluster.contents("S")).toEqual(["1 s.a first", "2 s.a second", "3 s.stays kept", "4 s.b old"]);
    cluster.advance(2000);
    const marked = ["3 s.stays kept", "5 s.a Nats-Marker-Reason: MaxAge", "6 s.b Nats-Marker-Reason: MaxAge"];
    expect(cluster.contents("S")).toEqual(marked);
    cluster.lead("S", cluster.servers[0]!);
    expect(cluster.contents("S")).toEqual(marked);
    cluster.advance(20_000);
    expect(cluster.contents("S")).toEqual(["3 s.stays kept"]);
  });

  it("is not marked where another message of the subject is under way", () => {
    const cluster = skewed();
    const config = { allow_msg_ttl: true, subject_delete_marker_ttl: 1e9 };
    cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], ...config, ...R3 });
    for (let round = 0; round < 5; round++) {
      cluster.publish("s.a", `old ${round}`, { "Nats-TTL": "2" });
      cluster.advance(1990);
      for (let i = 0; i < 20; i++) {
        cluster.send("s.a", `new ${round}`, { "Nats-TTL": "never" });
        cluster.advance(1);
      }
      cluster.advance(10);
      const left = cluster.contents("S").filter((one) => one.includes(`new ${round}`));
      expect(left).toHaveLength(20);
      cluster.ask("STREAM.PURGE.S");
    }
  });

  it("goes after the next leader has begun, where the last one has ended before that was agreed on", () => {
    const cluster = new QuietCluster().start();
    cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s"], allow_msg_ttl: true, ...R3 });
    cluster.publish("s", "m", { "Nats-TTL": "3" });
    const leader = cluster.leaderOf("S");
    cluster.advance(2990);
    cluster.kill(leader);
    expect(cluster.contents("S")).toEqual(["1 s m"]);
    cluster.advance(10_000);
    expect(cluster.contents("S")).toEqual([]);
  });
});

describe("schedules of a stream with replicas", () => {
  it("are carried out once each time, and go on under the next leader", () => {
    const cluster = skewed();
    cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], allow_msg_schedules: true, ...R3 });
    cluster.lead("S", cluster.servers[0]!);
    cluster.publish("s.plan", "tick", { "Nats-Schedule": "@every 2s", "Nats-Schedule-Target": "s.out" });
    cluster.advance(9000);
    const before = cluster.contents("S");
    expect(before).toEqual(["1 s.plan tick", ...[2, 3, 4, 5].map((sequence) => `${sequence} s.out tick`)]);
    cluster.kill(cluster.servers[0]!);
    cluster.leaderOf("S");
    cluster.advance(10_000);
    const after = cluster.contents("S");
    expect(after.slice(0, before.length)).toEqual(before);
    // the clock of the next leader is ahead, or behind
    expect(after.length - before.length).toBeGreaterThanOrEqual(1);
    expect(after.length - before.length).toBeLessThanOrEqual(12);
  });
});

describe("retention by interest with replicas", () => {
  const consumer = (name: string, more: object = {}): object => ({
    stream_name: "S",
    config: { durable_name: name, ack_policy: "explicit", ...more },
  });

  it("removes a message from all copies once all consumers that want it have acknowledged it", () => {
    const cluster = new QuietCluster().start();
    cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], retention: "interest", ...R3 });
    expect(cluster.publish("s.1", "nobody wants it")).toMatchObject({ seq: 1 });
    expect(cluster.contents("S")).toEqual([]);
    cluster.ask("CONSUMER.CREATE.S.a", consumer("a", { filter_subject: "s.1" }));
    cluster.ask("CONSUMER.CREATE.S.b", consumer("b"));
    for (const [i, subject] of ["s.1", "s.2", "s.1"].entries()) cluster.publish(subject, `m${i}`);
    const [first, second, third] = ["2 s.1 m0", "3 s.2 m1", "4 s.1 m2"];
    expect(cluster.contents("S")).toEqual([first, second, third]);
    expect(cluster.consume("S", "a")).toBe("m0");
    cluster.advance(100);
    expect(cluster.contents("S")).toEqual([first, second, third]);
    expect(cluster.consume("S", "b")).toBe("m0");
    cluster.advance(100);
    expect(cluster.contents("S")).toEqual([second, third]);
    expect(cluster.consume("S", "b")).toBe("m1");
    cluster.advance(100);
    expect(cluster.contents("S")).toEqual([third]);
    cluster.ask("CONSUMER.DELETE.S.b");
    cluster.advance(100);
    expect(cluster.contents("S")).toEqual([third]);
    cluster.ask("CONSUMER.DELETE.S.a");
    cluster.advance(100);
    expect(cluster.contents("S")).toEqual([]);
  });

  it("goes on under the next leader, with what was acknowledged meanwhile", () => {
    const cluster = new QuietCluster().start();
    cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s"], retention: "interest", ...R3 });
    for (const name of ["a", "b"]) cluster.ask(`CONSUMER.CREATE.S.${name}`, consumer(name));
    for (let i = 1; i <= 6; i++) cluster.publish("s", `m${i}`);
    for (let i = 1; i <= 3; i++) cluster.consume("S", "a");
    for (let i = 1; i <= 2; i++) cluster.consume("S", "b");
    cluster.kill(cluster.leaderOf("S"));
    cluster.leaderOf("S");
    cluster.leaderOf("S", "b");
    expect(cluster.consume("S", "b")).toBe("m3");
    cluster.advance(3000);
    expect(cluster.contents("S")).toEqual(["4 s m4", "5 s m5", "6 s m6"]);
  });

  it("keeps a message that was delivered as often as it may be", () => {
    const cluster = new QuietCluster().start();
    cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s"], retention: "interest", ...R3 });
    cluster.ask("CONSUMER.CREATE.S.a", consumer("a", { max_deliver: 1, ack_wait: 1e9 }));
    cluster.publish("s", "m");
    const pull = { account: "A", headers: "", payload: '{"batch":1,"expires":1000000000}' };
    expect(cluster.request({ ...pull, subject: "$JS.API.CONSUMER.MSG.NEXT.S.a" }).payload).toBe("m");
    cluster.advance(5000);
    cluster.publish("s", "n");
    expect(cluster.consume("S", "a")).toBe("n");
    cluster.advance(100);
    expect(cluster.contents("S")).toEqual(["1 s m"]);
  });
});

describe("batches of a stream with replicas", () => {
  const part = (sequence: number, more: object = {}): Record<string, string> => ({
    "Nats-Batch-Id": "b",
    "Nats-Batch-Sequence": `${sequence}`,
    ...more,
  });

  it("are stored as a whole", () => {
    const cluster = new QuietCluster().start();
    cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], allow_atomic: true, ...R3 });
    cluster.publish("s.0", "before");
    for (const sequence of [1, 2]) cluster.send(`s.${sequence}`, `m${sequence}`, part(sequence));
    expect(cluster.contents("S")).toEqual(["1 s.0 before"]);
    expect(cluster.publish("s.3", "m3", part(3, { "Nats-Batch-Commit": "1" }))).toMatchObject({
      seq: 4,
      batch: "b",
      count: 3,
    });
    expect(cluster.contents("S")).toEqual(["1 s.0 before", "2 s.1 m1", "3 s.2 m2", "4 s.3 m3"]);
  });

  it("are there or not, whenever the leader ends", () => {
    const outcomes = [0, 2, 3, 4, 5, 6, 8].map((messages) => countAfterKill(messages));
    for (const count of outcomes) expect([1, 10]).toContain(count);
    expect(new Set(outcomes).size, outcomes.join(" ")).toBe(2);
  });

  /** Messages that there are when a leader that has got nine ends after others have heard so much from it, and one is published then. */
  function countAfterKill(messages: number): number {
    const cluster = new QuietCluster().start();
    cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], allow_atomic: true, ...R3 });
    const leader = cluster.leaderOf("S");
    // so large that the log has it in several entries
    const payload = "x".repeat(60_000);
    cluster.cutAfter(leader, messages);
    for (let i = 1; i <= 9; i++) {
      const headers = part(i, i === 9 ? { "Nats-Batch-Commit": "1" } : {});
      cluster.send(`s.${i}`, payload, headers, leader);
    }
    cluster.advance(20);
    cluster.kill(leader);
    cluster.leaderOf("S");
    expect(cluster.publish("s.next", "next")).toMatchObject({ stream: "S" });
    return cluster.contents("S").length;
  }
});

describe("mirrors and sources with replicas", () => {
  it("have everything once when leaders of both sides end, or hand over", () => {
    const cluster = new QuietCluster().start();
    cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s"], ...R3 });
    cluster.ask("STREAM.CREATE.M", { name: "M", mirror: { name: "S" }, ...R3 });
    cluster.ask("STREAM.CREATE.G", { name: "G", sources: [{ name: "S" }], ...R3 });
    let count = 0;
    const publish = (more: number): void => {
      for (const end = count + more; count < end;) cluster.publish("s", `m${++count}`);
    };
    const follow = (): void => {
      const isThere = (stream: string): boolean =>
        cluster.storeOf(stream, cluster.leaderOf(stream)).messages === count;
      cluster.until("copies in M and G", () => isThere("M") && isThere("G"));
      const expected = Array.from({ length: count }, (_, i) => `${i + 1} m${i + 1}`);
      // what is delivered to another stream comes under the subject of its consumer here
      const found = (stream: string): readonly string[] =>
        cluster.contents(stream).map((one) => one.replace(/ \S+/, ""));
      for (const stream of ["S", "M", "G"]) expect(found(stream)).toEqual(expected);
    };
    publish(10);
    follow();
    for (const stream of ["S", "M", "G"]) {
      publish(5);
      const leader = cluster.leaderOf(stream);
      cluster.lead(
        stream,
        cluster.servers.find((one) => one !== leader)!,
      );
      publish(5);
      follow();
    }
    for (const stream of ["S", "M", "G"]) {
      publish(5);
      const leader = cluster.leaderOf(stream);
      cluster.kill(leader);
      cluster.leaderOf(stream);
      publish(5);
      leader.start();
      follow();
    }
  });
});
