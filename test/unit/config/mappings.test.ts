/** The mappings block: what nats-server takes, and what both refuse in the same words. */
import { describe, expect, it } from "vitest";

import { askNatsServer, configOf, errorsOf, load, natsServer } from "./sources.ts";

const GOOD = [
  "mappings {}",
  "mappings { a: b }",
  "maps = { a = b }",
  'mappings { "a.*": "b.$1", c: [] }',
  "MAPPINGS { a.*: {Destination: b.$1, WEIGHT: 10} }",
  "mappings { a: [ {dest: b, weight: 50%}, {dest: c, weight: '50'} ] }",
  "mappings { a: [ {dest: b, weight: 100, cluster: x}, {dest: c, weight: 100, cluster: y} ] }",
  "mappings { a: {dest: b, weight: 0} }",
  "mappings { a.>: 'b.{{partition(5)}}.>' }",
  "mappings { a.*: '{{ SplitFromLeft ( 1 , 2 ) }}' }",
  "accounts { A { mappings { a: b } } }",
  "accounts { A { maps { a: b } }, B { mappings { a: c } } }",
];

/** With the words that both say. */
const BAD = [
  ["mappings { a..b: c }", 'Subject "a..b" is not a valid subject'],
  ['mappings { "a b": c }', 'Subject "a b" is not a valid subject'],
  ["mappings { a.>.b: c }", 'Subject "a.>.b" is not a valid subject'],
  [
    "mappings { a: b..c }",
    'Error adding mapping for "a" to "b..c" : invalid mapping destination: invalid transform',
  ],
  ["mappings { a.*: b.* }", 'Error adding mapping for "a.*" to "b.*" : invalid subject'],
  ["mappings { a.>: b }", 'Error adding mapping for "a.>" to "b" : invalid subject'],
  [
    "mappings { a.*: b.$2 }",
    'Error adding mapping for "a.*" to "b.$2" : invalid mapping destination: wildcard index out of range in $2: [2]',
  ],
  [
    "mappings { a.*: 'b.{{nothing(1)}}' }",
    'Error adding mapping for "a.*" to "b.{{nothing(1)}}" : invalid mapping destination: unknown function in {{nothing(1)}}',
  ],
  [
    "mappings { a: {dest: 'b.{{wildcard(1)}}', weight: 100} }",
    'Error adding mapping for "a" : invalid mapping destination: wildcard index out of range in {{wildcard(1)}}',
  ],
  [
    "mappings { a: [ {dest: b, weight: 60}, {dest: c, weight: 60} ] }",
    'Error adding mapping for "a" : total weight needs to be <= 100',
  ],
  [
    "mappings { a: [ {dest: b, weight: 1}, {dest: b, weight: 1} ] }",
    'Error adding mapping for "a" : duplicate entry for "b"',
  ],
  [
    "mappings { a: [ {dest: b, weight: 1, cluster: x}, {dest: b, weight: 1} ] }",
    'Error adding mapping for "a" : duplicate entry for "b"',
  ],
  ["mappings { a: {dest: b} }", 'Missing weight for mapping destination "b"'],
  ["mappings { a: {dest: b, weight: 101} }", "Invalid weight 101 for mapping destination"],
  ["mappings { a: {dest: b, weight: -1} }", "Invalid weight -1 for mapping destination"],
  ["mappings { a: {dest: b, weight: '101%'} }", "Invalid weight 101 for mapping destination"],
  ["mappings { a: {dest: b, weight: much} }", 'Invalid weight "much" for mapping destination'],
  ["mappings { a: {dest: b, weight: '5%%'} }", 'Invalid weight "5%" for mapping destination'],
  ["mappings { a: {dest: b, weight: 1, share: 2} }", 'Unknown field "share" for mapping destination'],
  ["mappings { a: 1 }", "Expected an entry for the mapping destination"],
  ["mappings { a: [b] }", "Expected an entry for the mapping destination"],
  [
    "accounts { A { mappings { a: b..c } } }",
    'Error adding mapping for "a" to "b..c" : invalid mapping destination: invalid transform',
  ],
] as const;

/** Refused by both, in words of their own. */
const OTHERWISE_BAD = [
  "mappings: a",
  "mappings: [a]",
  "mappings { a: {dest: 1, weight: 100} }",
  "mappings { a: {dest: b, weight: 1.5} }",
  "mappings { a: {dest: b, weight: 1, cluster: 5} }",
];

const check = (text: string): ReturnType<typeof load> => load({ args: ["-t"], files: { "test.conf": text } });
const complaints = (text: string): string => errorsOf({ files: { "test.conf": text } }).join("\n");

describe("the mappings block", () => {
  it.each(GOOD)("takes %j", (text) => expect(check(text)).toMatchObject({ kind: "check-ok" }));

  it.each(BAD)("refuses %j", (text, words) => expect(complaints(text)).toContain(words));

  it.each(OTHERWISE_BAD)("refuses %j", (text) => expect(complaints(text)).toMatch(/expected|Expected/));

  it("refuses an empty destination, at which nats-server crashes", () => {
    expect(complaints("mappings { a: '' }")).toContain("invalid transform");
    expect(complaints("mappings { a: {weight: 1} }")).toContain("invalid transform");
  });

  it("says where", () => {
    expect(complaints("port: 1\nmappings {\n  a: b..c\n}")).toMatch(/^test.conf:3:6: /);
  });

  it("is read from the environment and from YAML", () => {
    const mapping = { source: "a.*", destinations: [{ subject: "b.$1", weight: 100, cluster: null }] };
    expect(configOf({ env: { SHOAL__MAPPINGS: '{"a.*": "b.$1"}' } }).accounts.mappings).toEqual([mapping]);
    expect(configOf({ files: { "a.yaml": "maps:\n  a.*: b.$1\n" } }).accounts.mappings).toEqual([mapping]);
  });
});

describe.skipIf(natsServer === undefined)("the mappings block of nats-server", () => {
  const ask = (text: string): ReturnType<typeof askNatsServer> => askNatsServer(natsServer!.path, text);

  it.each(GOOD)("takes %j", (text) => {
    const verdict = ask(text);
    expect(verdict.output).toContain("is valid");
    expect(check(text)).toMatchObject({ text: expect.stringContaining(verdict.digest ?? "none") as unknown });
  });

  it.each(BAD)("refuses %j", (text, words) => expect(ask(text).output).toContain(words));

  it.each(OTHERWISE_BAD)("refuses %j", (text) => expect(ask(text).accepts).toBe(false));
});
