/** One tree, three ways to write it: what a printer of each format writes, the parser reads back. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";

import { atOnce } from "../../../src/base/pieces.ts";
import { newBudget } from "../../../src/config/formats/nats-conf/limits.ts";
import { ConfError, type ConfNode } from "../../../src/config/formats/nats-conf/node.ts";
import { parseConf, type ParseContext } from "../../../src/config/formats/nats-conf/parser.ts";
import { parseYaml } from "../../../src/config/formats/yaml.ts";
import { fuzz } from "../../../fuzz/conf.ts";
import { configOf, load } from "./sources.ts";

type Plain = string | number | boolean | Plain[] | { [key: string]: Plain };

const context = (): ParseContext => ({
  budget: newBudget(),
  environment: () => undefined,
  include: (path, at) => {
    throw new ConfError(at, `no file ${path}`);
  },
});

const fromConf = (text: string): Plain => plain(atOnce(parseConf({ name: "t", text }, context())));
const fromYaml = (text: string): Plain => plain(atOnce(parseYaml({ name: "t", text }, context())));

function plain(node: ConfNode): Plain {
  switch (node.kind) {
    case "map":
      return Object.fromEntries(
        [...node.entries.values()].map(({ key, node: value }) => [key, plain(value)]),
      );
    case "array":
      return node.items.map(plain);
    case "int":
      return Number(node.value);
    default:
      return node.value;
  }
}

function failureOf(call: () => unknown): unknown {
  try {
    call();
    return null;
  } catch (error) {
    return error;
  }
}

/** The NATS format as a person writes it: `seed` picks among the forms. */
function print(value: Plain, seed: number, depth = 0): string {
  const indent = "\n" + "  ".repeat(depth);
  const pick = <T>(...forms: T[]): T => forms[(seed + depth) % forms.length] as T;
  if (typeof value === "string")
    return pick(JSON.stringify(value), value.includes("'") ? JSON.stringify(value) : `'${value}'`);
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) {
    const items = value.map((item) => print(item, seed, depth + 1));
    return pick(
      `[${items.join(", ")} ]`,
      `[${indent}${items.join(indent)}${indent}]`,
      `[${items.join(" ,")},]`.replace("[,]", "[]"),
    );
  }
  const entries = Object.entries(value).map(
    ([key, item]) => `${JSON.stringify(key)}${pick(": ", " = ", " ")}${print(item, seed, depth + 1)}`,
  );
  const inner = entries.join(pick(", ", `;${indent}`, `${indent}# comment${indent}`));
  return depth === 0 ? inner : `{ ${inner}${indent}}`;
}

const key = fc.stringMatching(/^[^"\\\p{C}]{1,8}$/u).filter((text) => text !== "__proto__");
const scalar = fc.oneof(
  fc.string({ unit: "binary" }).map((text) => text.toWellFormed().replaceAll("\r", "")),
  fc.maxSafeInteger(),
  fc.boolean(),
  fc.integer({ min: -1e9, max: 1e9 }).map((n) => n + 0.5),
);
const { tree } = fc.letrec<{ tree: Plain; value: Plain }>((tie) => ({
  value: fc.oneof({ depthSize: "small" }, scalar, fc.array(tie("value"), { maxLength: 4 }), tie("tree")),
  tree: fc.dictionary(key, tie("value"), { maxKeys: 5, noNullPrototype: true }),
}));

describe("the NATS format", () => {
  it("reads back what was printed in it, in every form", () => {
    fc.assert(
      fc.property(tree, fc.nat(11), (value, seed) => {
        expect(fromConf(print(value, seed))).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  it("reads back what was printed as JSON", () => {
    fc.assert(
      fc.property(tree, fc.boolean(), (value, isPretty) => {
        expect(fromConf(JSON.stringify(value, null, isPretty ? 2 : 0))).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  it("never answers with anything but a tree or its own error", () => {
    const piece = fc.constantFrom(
      ..."{ } [ ] ( ) = : ; , # // \n \r ' \" \\ \\x \\u $ a $a include 1 1k 1.5 -5 2026-01-01T00:00:00Z on \t é 😀".split(
        " ",
      ),
      " ",
    );
    const soup = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join("")),
    );
    fc.assert(
      fc.property(soup, (text) => {
        for (const read of [fromConf, fromYaml]) {
          expect(failureOf(() => read(text))).toSatisfy(
            (error) => error === null || error instanceof ConfError,
          );
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("withstands bytes that are no text", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(failureOf(() => fuzz(bytes))).toBe(null);
      }),
      { numRuns: 300 },
    );
  });
});

describe("YAML", () => {
  it("is read in pieces where it is long, down to its values", () => {
    const text = `a:\n${Array.from({ length: 1000 }, (_, i) => `  - {name: n${i}, rest: [1, 2]}\n`).join("")}`;
    const reading = parseYaml({ name: "t", text }, context());
    let pieces = 0;
    let tree = reading.next();
    for (; tree.done !== true; tree = reading.next()) pieces++;
    const { a } = plain(tree.value) as { a: Plain[] };
    expect([a.length, a[999]]).toEqual([1000, { name: "n999", rest: [1, 2] }]);
    // 500 words or values each: there are over 14,000 words and 5,000 values.
    expect(pieces).toBeGreaterThan(28 + 9);
  });

  it("reads back what was printed in it", () => {
    fc.assert(
      fc.property(tree, (value) => {
        expect(
          fromYaml(stringify(value, { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "QUOTE_DOUBLE" })),
        ).toEqual(value);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    [
      "unquoted words mean what they mean in the NATS format",
      "a: 1KB\nb: yes\nc: 1.5\nd: x y",
      { a: 1024, b: true, c: 1.5, d: "x y" },
    ],
    ["quoted ones are strings", "a: '1KB'\nb: \"yes\"", { a: "1KB", b: "yes" }],
    ["keys without a value are not there", "a:\nb: ~\nc: null\nd: ''", { d: "" }],
    ["an empty file is empty", "", {}],
    [
      "variables and anchors stand for values",
      "a: &x 5\nb: $a\nc: {d: *x, a: 6, e: $a}",
      { a: 5, b: 5, c: { d: 5, a: 6, e: 6 } },
    ],
    ["bcrypt hashes are no variables", "a: $2a$11$x", { a: "$2a$11$x" }],
  ])("%s", (_, text, value) => expect(fromYaml(text)).toEqual(value));

  it.each([
    "a: !!str 1",
    "a: 1\n---\nb: 1",
    "- 1",
    "a: *b",
    "a: &a [*a]",
    "{a: 1}: 2",
    "a: [",
    "a: $b",
    "? [a]\n: 1",
  ])("refuses %j", (text) => expect(() => fromYaml(text)).toThrow(ConfError));
});

describe("a configuration", () => {
  const conf = `
    listen: 127.0.0.1:4333
    max_payload: 2MB, ping_interval: "30s"
    debug: on
    server_tags: [a, b]
    authorization { users = [ {user: a, password: "$2a$11$x"}, {user: b, pass: b} ] }
    cluster {
      name: c
      listen: "0.0.0.0:6222"
      routes = [ "nats://a:6222", "nats://u:p@b:6222" ]
      permissions { import: a.b, export: { deny: [x.>, y.*] } }
    }`;
  const yaml = `
listen: 127.0.0.1:4333
max_payload: 2MB
ping_interval: 30s
debug: on
server_tags: [a, b]
authorization:
  users:
    - { user: a, password: $2a$11$x }
    - { user: b, pass: b }
cluster:
  name: c
  listen: 0.0.0.0:6222
  routes:
    - nats://a:6222
    - nats://u:p@b:6222
  permissions: { import: a.b, export: { deny: [x.>, y.*] } }
`;
  const json = JSON.stringify(fromYaml(yaml));

  it("is the same, and has the same digest, in all formats", () => {
    const wanted = load({ files: { "a.conf": conf } });
    if (wanted.kind !== "run") throw new Error(JSON.stringify(wanted));
    const { config, digest } = wanted;
    for (const [name, text] of [
      ["a.yaml", yaml],
      ["a.yml", yaml],
      ["a.json", json],
    ] as const) {
      expect(load({ files: { [name]: text } })).toMatchObject({ config, digest, configFile: name });
    }
  });

  it("may include YAML", () => {
    const files = { "a.conf": "include sub/b.yaml\ndebug: on", "sub/b.yaml": "port: 1\n" };
    expect(configOf({ files })).toMatchObject({ client: { port: 1 }, log: { debug: true } });
  });
});
