/** What clients say to consumers, and the numbers of the API: bounded, and read as nats-server reads them. */
import { describe, expect, it } from "vitest";
import { JetStreamStack } from "../../support/jetstream-stack.ts";
import { int, jsonOf, uint } from "../../../src/jetstream/codec.ts";
import { isTime } from "../../../src/jetstream/time.ts";
import { readAck, readRequest } from "../../../src/jetstream/consumer/requests.ts";

describe("a pull request", () => {
  it.each([
    ["", 1],
    ["5", 5],
    ["0", 1],
    ["words", 1],
    ['{"batch":7}', 7],
    ["{}", 1],
  ])("%j asks for %i", (payload, batch) => {
    expect(readRequest(payload)?.batch).toBe(batch);
  });

  it.each(["{", '{"batch":"5"}', '{"expires":1.5}', "{".repeat(1000), '{"batch":null}'])(
    "%.20j cannot be read",
    (payload) => {
      expect(readRequest(payload)).toBeNull();
    },
  );
});

describe("an acknowledgement", () => {
  it.each([
    ["", { kind: "ack" }],
    ["+ACK", { kind: "ack" }],
    ["+WPI", { kind: "progress" }],
    ["-NAK", { kind: "nak", delayMs: 0 }],
    ["-NAK 5s", { kind: "nak", delayMs: 5000 }],
    ['-NAK {"delay":2000000}', { kind: "nak", delayMs: 2 }],
    ['-NAK {"delay":1e400}', { kind: "nak", delayMs: 0 }],
    ["-NAK {", { kind: "nak", delayMs: 0 }],
    ["-NAK -5s", { kind: "nak", delayMs: 0 }],
    ["+TERM", { kind: "term", reason: "" }],
    ["+TERM bad input", { kind: "term", reason: "bad input" }],
    ["+NXT 5", { kind: "next", request: " 5" }],
    ["words", { kind: "unknown" }],
  ])("%j is read", (payload, ack) => {
    expect(readAck(payload)).toEqual(ack);
  });
});

describe("numbers of the API", () => {
  it("are those that fit into 64 bits", () => {
    expect(int.read(-(2 ** 53), "x")).toBe(-(2 ** 53));
    for (const value of [1e300, -1e300, 1.5, "1", Infinity])
      expect(() => int.read(value, "x")).toThrow("int64");
    for (const value of [-1, 1e300]) expect(() => uint.read(value, "x")).toThrow("uint64");
  });
});

describe("fields of requests", () => {
  const filled = (more: object = {}): JetStreamStack => {
    const stack = new JetStreamStack({
      facts: { level: 5, version: "", server: "test", domain: "", isStrict: true },
      ...more,
    });
    stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s.>"] });
    for (let i = 0; i < 3; i++) stack.publish(`s.${i}`, "x");
    return stack;
  };
  const messages = (stack: JetStreamStack): unknown =>
    (stack.request("STREAM.INFO.S")["state"] as { messages: number }).messages;

  it.each([
    ["misspelt", { fliter: "s.1" }, 'unknown field "fliter"'],
    ["of another type", { filter: 1 }, "of type string"],
    ["negative", { keep: -1 }, "of type uint64"],
  ])("that are %s purge nothing", (_, body, reason) => {
    const stack = filled();
    const { error } = stack.request("STREAM.PURGE.S", body) as { error: { description: string } };
    expect(error.description).toContain(reason);
    expect(messages(stack)).toBe(3);
  });

  it("that are unknown are passed over where the server is not strict, as by nats-server", () => {
    const stack = filled({ facts: { level: 5, version: "", server: "test", domain: "", isStrict: false } });
    expect(stack.request("STREAM.PURGE.S", { other: 1, filter: "s.1" })).toMatchObject({ purged: 1 });
  });

  it("that are null are as if they were not there, and pages begin at 0 at the earliest", () => {
    const stack = filled();
    expect(stack.request("STREAM.PURGE.S", { filter: "s.1", seq: null })).toMatchObject({ purged: 1 });
    expect(stack.request("STREAM.NAMES", { offset: -5 })).toMatchObject({ offset: 0, streams: ["S"] });
  });

  it("have no names of what every object has", () => {
    expect(filled().request("STREAM.NAMES", '{"toString":1}')).toHaveProperty("error");
    expect(filled().request("STREAM.NAMES", '{"__proto__":1}')).toHaveProperty("error");
  });
});

it("JSON that is nested too deeply is refused before anything walks over it", () => {
  expect(() => jsonOf(`${"[".repeat(5000)}${"]".repeat(5000)}`)).toThrow("nested too deeply");
});

it.each([
  ['"\\u0100\\u0022"', '\xc4\x80"'],
  ['"\xc4\x80"', "\xc4\x80"],
  ['"\\\\u0100"', "\\u0100"],
  ['"\\ud83d\\ude00"', "\xf0\x9f\x98\x80"],
  ['"\\n\\u000a"', "\n\n"],
])("the text %s is read as bytes", (json, bytes) => {
  expect(jsonOf(json)).toBe(bytes);
});

it.each([
  ["2027-01-15T08:00:00Z", true],
  ["2027-01-15T08:00:00.123456789+01:00", true],
  ["2027-01-15", false],
  ["Jan 15 2027", false],
  ["2027-13-15T08:00:00Z", false],
  ["", false],
])("%j is a time: %j", (text, is) => {
  expect(isTime(text)).toBe(is);
});
