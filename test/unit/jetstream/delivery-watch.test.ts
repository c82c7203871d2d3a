/** Consumers that deliver nothing though they should are found, logged and set going again: on the virtual clock. */
import { describe, expect, it } from "vitest";
import { JetStreamStack } from "../../support/jetstream-stack.ts";
import { QuietCluster } from "../../support/quiet-cluster.ts";

const PULL = JSON.stringify({ batch: 10, expires: 60e9 });

/** A stream with a message, and a consumer. */
function stackWith(config: object = {}): JetStreamStack {
  const stack = new JetStreamStack();
  stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s"] });
  const whole = { durable_name: "c", ack_policy: "explicit", ack_wait: 3600e9, ...config };
  stack.request("CONSUMER.DURABLE.CREATE.S.c", { stream_name: "S", config: whole });
  return stack;
}

const breachesOf = (stack: JetStreamStack): number => stack["jetStream"].accounts.get("A")!.watch.breaches;

/** The consumer is not told of what comes, as where somebody forgot to wake it. */
function deafen(stack: JetStreamStack): void {
  const consumer = stack.assets.streams.get("S")!.consumers.get("c")!;
  const pumping = consumer["pumping"];
  const wake = pumping.wake.bind(pumping);
  pumping.wake = () => {
    pumping.wake = wake; // once: as one call that is missing
  };
}

describe("a consumer with messages and requests that wait", () => {
  it("which was not woken delivers within seconds, and that is logged and counted", () => {
    const stack = stackWith();
    const heard = stack.listen("inbox");
    stack.publish("$JS.API.CONSUMER.MSG.NEXT.S.c", PULL, {}, "inbox");
    deafen(stack);
    stack.publish("s", "one");
    expect(heard).toEqual([]);
    for (let seconds = 0; seconds < 5; seconds++) stack.advance(1000);
    expect(heard.map(({ text }) => text)).toEqual(["one"]);
    expect(breachesOf(stack)).toBe(1);
    expect(stack.errors).toEqual([expect.stringContaining("delivers nothing though it has messages")]);
    for (let seconds = 0; seconds < 10; seconds++) stack.advance(1000);
    expect(breachesOf(stack)).toBe(1);
  });

  it("is left alone where it delivers, is paused, or waits for acknowledgements", () => {
    const pauseUntil = "2027-01-01T00:00:00Z";
    for (const config of [{}, { pause_until: pauseUntil }, { max_ack_pending: 1 }]) {
      const stack = stackWith(config);
      stack.listen("inbox");
      stack.publish("$JS.API.CONSUMER.MSG.NEXT.S.c", PULL, {}, "inbox");
      for (const text of ["one", "two", "three"]) stack.publish("s", text);
      for (let seconds = 0; seconds < 10; seconds++) stack.advance(1000);
      expect(breachesOf(stack)).toBe(0);
    }
  });

  it("is led by another server where waking it does not help", () => {
    const cluster = new QuietCluster().start();
    cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s"], num_replicas: 3 });
    const config = { durable_name: "c", ack_policy: "explicit", ack_wait: 3600e9 };
    cluster.ask("CONSUMER.CREATE.S.c", { stream_name: "S", config });
    const leads = (name: string): boolean =>
      cluster.server(name).cluster!.assets.standing("A", "S", "c") === "leads";
    const leader = cluster.until("a leader", () => cluster.servers.find(({ name }) => leads(name)));
    const consumer = leader.jetStream!.accounts.get("A")!.assets.streams.get("S")!.consumers.get("c")!;
    consumer["pumping"].wake = () => {};
    cluster.send("A", "$JS.API.CONSUMER.MSG.NEXT.S.c", PULL);
    cluster.publish("s", "one");
    const next = cluster.until("another leader", () =>
      cluster.servers.find((one) => one !== leader && leads(one.name)),
    );
    expect(next.name).not.toBe(leader.name);
    expect(cluster.log.join("\n")).toContain('"mended":"another server leads it"');
    const heard = cluster.send("A", "$JS.API.CONSUMER.MSG.NEXT.S.c", PULL);
    cluster.until("the message", () => heard.some(({ text }) => text === "one"));
  });
});
