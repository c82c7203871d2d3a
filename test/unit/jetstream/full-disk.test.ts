/** A disk that is full: publishers are told so, all else goes on, and the stream takes messages again by itself when there is room. */
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { FaultyDisk } from "../../support/faulty-disk.ts";
import { JetStreamStack } from "../../support/jetstream-stack.ts";

type Json = Record<string, unknown>;

function stackOn(disk: FaultyDisk): JetStreamStack {
  const stack = new JetStreamStack({ disk });
  stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], storage: "file" });
  for (let i = 1; i <= 5; i++) stack.ask(`s.${i}`, `message ${i}`);
  stack.request("CONSUMER.CREATE.S.c", {
    stream_name: "S",
    config: { name: "c", durable_name: "c", ack_policy: "explicit", ack_wait: 60_000_000_000 },
  });
  return stack;
}

const stateOf = (stack: JetStreamStack): Json => stack.request("STREAM.INFO.S")["state"] as Json;

describe("a stream whose disk is full", () => {
  it("refuses messages with the reason, and takes them again by itself when there is room", () => {
    const disk = new FaultyDisk(seededRandom(1));
    const stack = stackOn(disk);
    disk.freeBytes = 0;
    for (const i of [6, 7])
      expect(stack.ask(`s.${i}`, "refused")?.text).toContain(
        '"err_code":10047,"description":"insufficient storage resources available"',
      );
    expect(stack.stream("S").problem).toContain("no space left");
    stack.advance(5000);
    expect(stack.ask("s.7", "refused")?.text).toContain('"err_code":10047');
    disk.freeBytes = Infinity;
    stack.advance(5000);
    expect(stack.stream("S").problem).toBe("");
    expect(stack.ask("s.8", "taken")?.text).toContain('"seq":');
    const { last_seq: last } = stateOf(stack);
    stack.crash(() => disk.crash());
    expect(stateOf(stack)["last_seq"]).toBe(last);
    const { message } = stack.request("STREAM.MSG.GET.S", { last_by_subj: "s.8" }) as { message: Json };
    expect(Buffer.from(String(message["data"]), "base64").toString()).toBe("taken");
  });

  it("is read, acknowledged, deleted and purged meanwhile, which holds once there is room", () => {
    const disk = new FaultyDisk(seededRandom(1));
    const stack = stackOn(disk);
    const pulled = stack.listen("pulled");
    stack.publish("$JS.API.CONSUMER.MSG.NEXT.S.c", JSON.stringify({ batch: 3 }), {}, "pulled");
    disk.freeBytes = 0;
    expect(stack.ask("s.6", "refused")?.text).toContain('"err_code":10047');
    expect(stack.request("STREAM.MSG.GET.S", { seq: 2 })).toMatchObject({ message: { seq: 2 } });
    stack.publish(pulled[2]!.reply, "+ACK");
    expect(stack.request("STREAM.MSG.DELETE.S", { seq: 4, no_erase: true })).toMatchObject({ success: true });
    expect(stack.request("STREAM.PURGE.S", { seq: 2 })).toMatchObject({ purged: 1 });
    disk.freeBytes = Infinity;
    stack.advance(10_000);
    expect(stack.ask("s.8", "taken")?.text).toContain('"seq":');
    expect(stack.ask(pulled[1]!.reply, "+ACK")?.text).toBe(""); // durable, with what came before it
    stack.crash(() => disk.crash());
    const { consumers } = stack.assets.streams.get("S")!;
    expect(consumers.get("c")!.state.pending.size).toBe(0);
    for (const sequence of [1, 4])
      expect(stack.request("STREAM.MSG.GET.S", { seq: sequence })).toHaveProperty("error");
    for (const sequence of [2, 3, 5])
      expect(stack.request("STREAM.MSG.GET.S", { seq: sequence })).toMatchObject({
        message: { seq: sequence },
      });
  });
});
