/** What clients say to consumers, and the numbers of the API: bounded, and read as nats-server reads them. */
import { describe, expect, it } from "vitest";
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
