/** Sequences and durations near and beyond 2^53: what is taken is exact everywhere, and what would be rounded is refused. */
import { describe, expect, it } from "vitest";
import { SEQUENCE_START_MAX } from "../../../src/jetstream/stream/config.ts";
import { JetStreamStack } from "../../support/jetstream-stack.ts";

const FIRST = SEQUENCE_START_MAX;

function refusal(answer: Record<string, unknown>): unknown {
  return (answer["error"] as { description: string } | undefined)?.description;
}

describe("a stream that begins at the largest first sequence", () => {
  it("says each sequence exactly, wherever it stands, and after a restart", () => {
    const stack = new JetStreamStack();
    const config = { name: "S", subjects: ["s"], storage: "file", first_seq: FIRST, allow_direct: true };
    expect(stack.request("STREAM.CREATE.S", config)).toMatchObject({ config: { first_seq: FIRST } });
    for (let i = 0; i < 3; i++) expect(stack.ask("s", `m${i}`)?.text).toContain(`"seq":${FIRST + i}`);
    stack.restart();
    expect(stack.request("STREAM.INFO.S")).toMatchObject({
      state: { first_seq: FIRST, last_seq: FIRST + 2, messages: 3 },
    });
    const direct = stack.ask("$JS.API.DIRECT.GET.S", { seq: FIRST + 1 });
    expect([direct?.text, direct?.headers]).toEqual([
      "m1",
      expect.stringContaining(`Nats-Sequence: ${FIRST + 1}\r\n`),
    ]);
    expect(stack.request("STREAM.MSG.GET.S", { seq: FIRST + 2 })).toMatchObject({
      message: { seq: FIRST + 2 },
    });
    stack.request("CONSUMER.DURABLE.CREATE.S.C", {
      stream_name: "S",
      config: {
        durable_name: "C",
        ack_policy: "explicit",
        deliver_policy: "by_start_sequence",
        opt_start_seq: FIRST + 1,
      },
    });
    const heard = stack.listen("inbox");
    stack.publish("$JS.API.CONSUMER.MSG.NEXT.S.C", JSON.stringify({ batch: 2 }), {}, "inbox");
    expect(heard.map(({ reply }) => reply.split(".")[5])).toEqual([`${FIRST + 1}`, `${FIRST + 2}`]);
    for (const { reply } of heard) stack.publish(reply, "+ACK");
    stack.restart();
    expect(stack.request("CONSUMER.INFO.S.C")).toMatchObject({ ack_floor: { stream_seq: FIRST + 2 } });
    expect(stack.request("STREAM.PURGE.S", { seq: FIRST + 2 })).toMatchObject({ purged: 2 });
    expect(stack.ask("s", "", { "Nats-Expected-Last-Sequence": `${FIRST + 2}` })?.text).toContain(
      `"seq":${FIRST + 3}`,
    );
  });
});

describe("a number that would be rounded", () => {
  const REFUSED = /^invalid JSON: number \d+ is not supported by this server, which would round it$/;
  const BEYOND =
    /^(invalid JSON: number \d+|first sequence \d+|sequence \d+) is not supported by this server/;

  it.each(["9007199254740993", "18446744073709551615"])("is refused as a first sequence: %s", (first) => {
    const stack = new JetStreamStack();
    const answer = stack.request("STREAM.CREATE.S", `{"name":"S","subjects":["s"],"first_seq":${first}}`);
    expect(refusal(answer)).toMatch(REFUSED);
    expect(stack.assets.streams.size).toBe(0);
  });

  it.each(["9007199254740992", "4611686018427387904"])(
    "is refused as a first sequence, though a double holds it, since the next ones would be: %s",
    (first) => {
      const stack = new JetStreamStack();
      const answer = stack.request("STREAM.CREATE.S", `{"name":"S","subjects":["s"],"first_seq":${first}}`);
      expect(refusal(answer)).toMatch(BEYOND);
    },
  );

  it("is refused in a purge, in the start of a consumer, and as a duration", () => {
    const stack = new JetStreamStack();
    stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s"] });
    stack.ask("s", "m");
    expect(refusal(stack.request("STREAM.PURGE.S", '{"seq":9007199254740993}'))).toMatch(REFUSED);
    expect(refusal(stack.request("STREAM.PURGE.S", '{"seq":9007199254740992}'))).toMatch(BEYOND);
    const consumer =
      '{"stream_name":"S","config":{"durable_name":"C","deliver_policy":"by_start_sequence","opt_start_seq":9007199254740993}}';
    expect(refusal(stack.request("CONSUMER.DURABLE.CREATE.S.C", consumer))).toMatch(REFUSED);
    const update = '{"name":"S","subjects":["s"],"max_age":9007199254740993}';
    expect(refusal(stack.request("STREAM.UPDATE.S", update))).toMatch(REFUSED);
    expect(stack.request("STREAM.INFO.S")).toMatchObject({ state: { first_seq: 1, messages: 1 } });
  });

  it("is another one than a long number that a double holds: years in nanoseconds", () => {
    const stack = new JetStreamStack();
    const maxAge = 3 * 365 * 86_400 * 1e9;
    const config = { name: "S", subjects: ["s"], max_age: maxAge, description: "9007199254740993" };
    expect(stack.request("STREAM.CREATE.S", config)).toMatchObject({ config: { max_age: maxAge } });
  });

  it("is another one than the largest of 64 bits, by which many clients mean no limit", () => {
    const stack = new JetStreamStack();
    const most = "9223372036854775807";
    const config = `{"name":"S","subjects":["s"],"max_bytes":${most},"max_msgs":${most},"max_age":${most}}`;
    const shown = new RegExp(`"max_msgs":${most},"max_bytes":${most},"max_age":${most},`);
    expect(stack.ask("$JS.API.STREAM.CREATE.S", config)?.text).toMatch(shown);
    expect(stack.ask("s", "m")?.text).toContain('"seq":1');
    stack.restart();
    expect(stack.ask("$JS.API.STREAM.INFO.S")?.text).toMatch(shown);
    expect(stack.request("STREAM.INFO.S")).toMatchObject({ state: { messages: 1 } });
    const beyond = '{"name":"T","subjects":["t"],"max_bytes":9223372036854775808}';
    expect(refusal(stack.request("STREAM.CREATE.T", beyond))).toMatch(REFUSED);
  });

  it.each(["100000000000000016", "4611686018427387904", "9007199254740994", "9223372036854774784"])(
    "is another one than one that a double holds and JavaScript prints with fewer digits: %s",
    (number) => {
      const stack = new JetStreamStack();
      const config = `{"name":"S","subjects":["s"],"max_bytes":${number},"max_age":${number}}`;
      const shown = `"max_bytes":${number},"max_age":${number},`;
      expect(stack.ask("$JS.API.STREAM.CREATE.S", config)?.text).toContain(shown);
      stack.restart();
      expect(stack.ask("$JS.API.STREAM.INFO.S")?.text).toContain(shown);
      const consumer = `{"stream_name":"S","config":{"durable_name":"C","ack_policy":"explicit","ack_wait":${number}}}`;
      expect(stack.ask("$JS.API.CONSUMER.DURABLE.CREATE.S.C", consumer)?.text).toContain(
        `"ack_wait":${number},`,
      );
    },
  );

  it("is no message that anybody asks for", () => {
    const stack = new JetStreamStack();
    stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s"], allow_direct: true });
    stack.ask("s", "m");
    expect(stack.ask("$JS.API.DIRECT.GET.S", '{"seq":9007199254740993}')?.headers).toContain("404");
    expect(stack.ask("s", "", { "Nats-Expected-Last-Sequence": "18446744073709551617" })?.text).toContain(
      "10071",
    );
  });
});
