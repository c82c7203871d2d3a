/** What a consumer gives up is kept elsewhere first: by the clock, and after restarts at any moment. */
import { beforeEach, describe, expect, it } from "vitest";
import { JetStreamStack, type Heard } from "../../support/jetstream-stack.ts";

const ACK_WAIT_MS = 1000;
const RETRY_MS = 5000;

describe("dead letters", () => {
  let stack: JetStreamStack;
  beforeEach(() => {
    stack = new JetStreamStack();
  });

  function make(deadLetter: string, stream: object = {}, consumer: object = {}): Record<string, unknown> {
    stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], ...stream });
    return stack.request("CONSUMER.CREATE.S.c", {
      stream_name: "S",
      config: {
        ...{ name: "c", durable_name: "c", ack_policy: "explicit", max_deliver: 2 },
        ack_wait: ACK_WAIT_MS * 1e6,
        metadata: { "shoal.dead_letter": deadLetter },
        ...consumer,
      },
    });
  }

  function pull(batch = 1): Heard[] {
    const heard = stack.listen(`pulled.${stack.clock.nowMs()}`);
    stack.publish("$JS.API.CONSUMER.MSG.NEXT.S.c", JSON.stringify({ batch, no_wait: true }), {}, heardAt());
    return heard.filter(({ reply }) => reply !== "");
  }
  const heardAt = (): string => `pulled.${stack.clock.nowMs()}`;

  const state = (stream: string): Record<string, unknown> =>
    stack.request(`STREAM.INFO.${stream}`)["state"] as Record<string, unknown>;
  const pending = (): unknown => stack.request("CONSUMER.INFO.S.c")["num_ack_pending"];
  const letter = (sequence: number): { subject: string; headers: string; text: string } => {
    const { message } = stack.request("STREAM.MSG.GET.DEAD", { seq: sequence }) as {
      message: { subject: string; hdrs: string; data?: string };
    };
    const decode = (text = ""): string => Buffer.from(text, "base64").toString("latin1");
    return { subject: message.subject, headers: decode(message.hdrs), text: decode(message.data) };
  };
  const makeDead = (more: object = {}): unknown =>
    stack.request("STREAM.CREATE.DEAD", { name: "DEAD", subjects: ["dead.>"], ...more });

  it("go into the stream that is named when max_deliver is reached, though nobody pulls then", () => {
    makeDead();
    make("DEAD");
    stack.publish("s.1", "hello", { Kind: "test", "Nats-Msg-Id": "one" });
    for (let i = 0; i < 2; i++) {
      expect(pull()).toHaveLength(1);
      expect(state("DEAD")["messages"]).toBe(0);
      stack.advance(ACK_WAIT_MS);
    }
    expect(state("DEAD")["messages"]).toBe(1);
    const { subject, headers, text } = letter(1);
    expect([subject, text]).toEqual(["s.1", "hello"]);
    expect(headers).toContain("\r\nKind: test\r\n");
    expect(headers).not.toContain("Nats-Msg-Id: one");
    const told = ["Stream: S", "Consumer: c", "Sequence: 1", "Subject: s.1", "Deliveries: 2"];
    for (const line of [...told, "Reason: max_deliver"])
      expect(headers).toContain(`\r\nShoal-Dead-Letter-${line}\r\n`);
    expect([pending(), state("S")["messages"]]).toEqual([0, 1]);
    stack.advance(10 * RETRY_MS);
    expect(pull()).toEqual([]);
    expect(state("DEAD")["messages"]).toBe(1);
  });

  it("go to a subject when a client terminates a message, before the client is told that it counts", () => {
    make("dead.s");
    stack.publish("s.1", "hello");
    const [delivered] = pull();
    expect(stack.ask(delivered!.reply, "+TERM no such\r\nthing")).toBeNull();
    expect(pending()).toBe(1); // no stream keeps it yet
    makeDead();
    const confirmed = stack.listen("confirmed");
    stack.publish(delivered!.reply, "+TERM again", {}, "confirmed");
    expect([confirmed.length, pending()]).toEqual([0, 1]);
    stack.advance(RETRY_MS);
    expect([confirmed.length, pending()]).toEqual([1, 0]);
    expect(stack.assets.deadLetters).toMatchObject({ exhausted: 0, terminated: 1 });
    expect(letter(1).subject).toBe("dead.s");
    expect(letter(1).headers).toContain("Shoal-Dead-Letter-Reason: terminated\r\n");
    expect(letter(1).headers).toContain("Shoal-Dead-Letter-Description: no such thing\r\n");
  });

  it("stay with the consumer while the stream there refuses them", () => {
    makeDead({ max_msgs: 1, discard: "new" });
    make("DEAD", {}, { max_deliver: 1 });
    for (const each of ["one", "two"]) stack.publish("s", each);
    for (const each of ["one", "two"]) stack.publish("s.1", each);
    expect(pull(2)).toHaveLength(2);
    stack.advance(ACK_WAIT_MS);
    expect([state("DEAD")["messages"], pending()]).toEqual([1, 1]);
    stack.advance(3 * RETRY_MS);
    expect([state("DEAD")["messages"], pending()]).toEqual([1, 1]);
    const { refused } = stack.assets.deadLetters;
    expect(refused).toBeGreaterThan(1);
    stack.request("STREAM.PURGE.DEAD");
    stack.advance(RETRY_MS);
    expect([letter(2).text, pending()]).toEqual(["two", 0]);
    expect(stack.assets.deadLetters).toEqual({ exhausted: 2, terminated: 0, refused });
  });

  it("are what a work queue needs no longer", () => {
    makeDead();
    make("DEAD", { retention: "workqueue" }, { max_deliver: 1 });
    stack.publish("s.1", "hello");
    pull();
    stack.advance(ACK_WAIT_MS);
    expect([state("DEAD")["messages"], state("S")["messages"]]).toEqual([1, 0]);
  });

  it("are kept after a restart, where nobody had taken them before", () => {
    make("DEAD", {}, { max_deliver: 1 });
    stack.publish("s.1", "hello");
    pull();
    stack.advance(ACK_WAIT_MS);
    expect(pending()).toBe(1);
    stack.restart();
    expect(pending()).toBe(1);
    makeDead();
    stack.advance(RETRY_MS + ACK_WAIT_MS);
    expect([state("DEAD")["messages"], pending()]).toEqual([1, 0]);
  });

  it("are kept once, though the end comes before the consumer has noted that they are", () => {
    makeDead();
    make("DEAD", {}, { max_deliver: 1 });
    stack.publish("s.1", "hello");
    pull();
    const files = ["state", "log"].map((name) => `/js/A/streams/S/obs/c/${name}`);
    const before = files.map((path) => Buffer.from(stack.disk.read(path) ?? []));
    stack.advance(ACK_WAIT_MS);
    expect([state("DEAD")["messages"], pending()]).toEqual([1, 0]);
    stack.restart(() => {
      for (const [i, path] of files.entries()) stack.disk.replace(path, before[i]!);
    });
    stack.advance(ACK_WAIT_MS);
    stack.advance(RETRY_MS);
    expect([state("DEAD")["messages"], pending()]).toEqual([1, 0]);
  });

  it.each(["dead.*", "a b", "S", "s.1", "$JS.API.x"])("do not go to %s", (target) => {
    expect(make(target)).toMatchObject({ error: { err_code: 10012 } });
  });
});
