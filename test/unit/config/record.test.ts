/** Blocks with fixed keys, and lists of them. */
import { describe, expect, it } from "vitest";
import { newBudget } from "../../../src/config/formats/nats-conf/limits.ts";
import type { ConfNode } from "../../../src/config/formats/nats-conf/node.ts";
import { parseConfValue } from "../../../src/config/formats/nats-conf/parser.ts";
import { field, listOf, record } from "../../../src/config/values/record.ts";
import { booleanOf, stringOf } from "../../../src/config/values/value-type.ts";

const NOTES = { warn: () => undefined };

function nodeOf(text: string): ConfNode {
  const context = { budget: newBudget(), environment: () => undefined, include: () => expect.fail() };
  return parseConfValue({ name: "", text }, context);
}

const name = field("name called", (node) => stringOf(node), "nobody");
const greeting = record(
  { name, isLoud: field("loud", booleanOf, false) },
  { expected: "a greeting, as in {name: Ada}", unsupported: ["tune"] },
);
const read = (text: string): unknown => listOf(greeting, "a list of greetings")(nodeOf(text), NOTES);

describe("a record", () => {
  it("fills in what is not written, and takes the last of several names of a field", () => {
    expect(read('[{LOUD: true}, {name: "Ada", called: "Bob"}]')).toEqual([
      { name: "nobody", isLoud: true },
      { name: "Bob", isLoud: false },
    ]);
  });

  it.each([
    ["{}", /expected a list of greetings/],
    ["[true]", /expected a greeting, as in {name: Ada}/],
    ["[{nmae: a}]", /unknown field "nmae", expected "name"/],
    ["[{tune: a}]", /"tune" is not supported by shoal yet/],
    ["[{loud: 1}]", /expected true or false/],
  ])("refuses %s", (text, reason) => {
    expect(() => read(text)).toThrow(reason);
  });

  it("does not let two fields share a key", () => {
    expect(() => record({ name, other: name }, { expected: "" })).toThrow(/a key belongs to one field/);
  });
});
