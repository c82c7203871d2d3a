/** What accounts export and import, with nats-server as the judge: whether it accepts, and in which words it refuses. */
import { describe, expect, it } from "vitest";

import { askNatsServer, load, natsServer } from "./sources.ts";

const GOOD = [
  'accounts { A { exports: [{service: "x.*", account_token_position: 2}] }, B { imports: [{service: {account: A, subject: x.B}}] } }',
  "accounts { A { exports: [{service: x, accounts: []}] }, B { imports: [{service: {account: A, subject: x}}] } }",
  "accounts { A { exports: [{service: x}], imports: [{service: {account: C, subject: z}, to: y}] }, B { exports: [{service: y}], imports: [{service: {account: A, subject: x}, to: y}] }, C { exports: [{service: z}], imports: [{service: {account: B, subject: y}, to: z}] } }",
  "accounts { A { limits { max_conn: 5, max_leafs: 2 } } }",
];

/** With the end of the message. */
const BAD: readonly (readonly [conf: string, words: string])[] = [
  [
    "accounts { A { exports: [{stream: x, accounts: [C]}] }, B {} }",
    '"C" account not defined for stream export',
  ],
  [
    "accounts { A { exports: [{service: x, accounts: [C]}] }, B {} }",
    '"C" account not defined for service export',
  ],
  [
    "accounts { A { }, B { imports: [{service: {account: A, subject: x}}] } }",
    'Error adding service import "x": service import not authorized',
  ],
  [
    "accounts { A { exports: [{service: x, accounts: [A]}] }, B { imports: [{service: {account: A, subject: x}}] } }",
    'Error adding service import "x": service import not authorized',
  ],
  [
    "accounts { A { }, B { imports: [{stream: {account: A, subject: x}}] } }",
    'Error adding stream import "x": stream import not authorized',
  ],
  [
    "accounts { A { }, B { imports: [{stream: {account: D, subject: x}}] } }",
    '"D" account not defined for stream import',
  ],
  [
    "accounts { A { }, B { imports: [{service: {account: D, subject: x}}] } }",
    '"D" account not defined for service import',
  ],
  [
    "accounts { A { exports: [{service: x}], imports: [{service: {account: B, subject: x}}] }, B { exports: [{service: x}], imports: [{service: {account: A, subject: x}}] } }",
    'Error adding service import "x": import forms a cycle',
  ],
  [
    "accounts { A { exports: [{stream: x}], imports: [{stream: {account: B, subject: x}}] }, B { exports: [{stream: x}], imports: [{stream: {account: A, subject: x}}] } }",
    'Error adding stream import "x": import forms a cycle',
  ],
  [
    "accounts { A { exports: [{stream: x}] }, B { imports: [{stream: {account: A, subject: x}}, {stream: {account: A, subject: x}, to: y}] } }",
    'Error adding stream import "x": stream import already exists',
  ],
  [
    'accounts { A { exports: [{service: "x.>"}] }, B { imports: [{service: {account: A, subject: x.a}, to: q}, {service: {account: A, subject: x.b}, to: q}] } }',
    'Duplicate service import subject "q", previously used in import for account "A", subject "x.a"',
  ],
  [
    'accounts { A { exports: [{stream: "x.*.*"}] }, B { imports: [{stream: {account: A, subject: "x.*.*"}, to: "y.$1"}] } }',
    'Error adding stream import "x.*.*": failed to create mapping transform for stream import subject from "x.*.*" to "y.$1": invalid mapping destination: not using all of the token wildcard(s) in y.$1',
  ],
  [
    'accounts { A { exports: [{service: "x.*.*"}] }, B { imports: [{service: {account: A, subject: "x.*.*"}, to: "y.*"}] } }',
    'Error adding service import "x.*.*": failed to create mapping transform for service import subject from "y.*" to "x.*.*": invalid mapping destination: not using all of the token wildcard(s) in y.$1',
  ],
  [
    'accounts { A { exports: [{stream: "x"}] }, B { imports: [{stream: {account: A, subject: "x"}, prefix: "y.*"}] } }',
    'Error adding stream import "x": stream import prefix can not contain wildcard tokens',
  ],
  ["accounts { A { exports: [{service: x, response_type: many}] } }", 'Unknown response type: "many"'],
  [
    "accounts { A { exports: [{stream: x, response_type: stream}] } }",
    "Detected response directive on non-service",
  ],
  [
    'accounts { A { exports: [{service: x, latency: {subject: "a.*"}}] } }',
    'Error adding service latency sampling for "x" on subject "a.*": invalid publish subject',
  ],
  [
    'accounts { A { exports: [{service: x, latency: {subject: "x"}}] } }',
    'Error adding service latency sampling for "x" on subject "x": invalid publish subject',
  ],
  [
    'accounts { A { exports: [{service: x, latency: {sampling: 0, subject: "l"}}] } }',
    "bad sampling percentage, should be 1-100",
  ],
  [
    "accounts { A { exports: [{service: x, latency: {sampling: 50}}] } }",
    "Latency subject required, but missing",
  ],
  [
    'accounts { A { exports: [{service: x, response_type: stream, latency: {subject: "l"}}] } }',
    'Error adding service latency sampling for "x" on subject "l": bad service response type',
  ],
  [
    'accounts { A { exports: [{service: "x.y", account_token_position: 2}] } }',
    'Error adding service export "x.y": sublist: invalid subject',
  ],
  [
    'accounts { A { exports: [{service: "x.*", account_token_position: 2}] }, B { imports: [{service: {account: A, subject: x.C}}] } }',
    'Error adding service import "x.C": service import not authorized',
  ],
  [
    "accounts { A { users: [{user: a, password: b}] }, B { users: [{user: a, password: b}] } }",
    'Duplicate user "a" detected',
  ],
  ['accounts { "$G" { } }', '"$G" is a Reserved Account'],
  ["accounts [A, A]", "Duplicate Account Entry: A"],
];

const messageFor = (conf: string): string => {
  const result = load({ args: ["-t"], files: { "test.conf": conf } });
  return result.kind === "error" ? result.messages[0]! : result.kind;
};

describe("accounts that fit together", () => {
  it.each(GOOD)("are accepted: %s", (conf) => expect(messageFor(conf)).toBe("check-ok"));

  it.each(BAD)("and those that do not are refused: %s", (conf, words) => {
    expect(messageFor(conf).endsWith(`: ${words}`), messageFor(conf)).toBe(true);
  });
});

describe.skipIf(natsServer === undefined)("nats-server -t", () => {
  it.each(GOOD)("accepts %s", (conf) => expect(askNatsServer(natsServer!.path, conf).accepts).toBe(true));

  it.each(BAD)("refuses in the same words %s", (conf, words) => {
    expect(askNatsServer(natsServer!.path, conf).output).toContain(`: ${words}\n`);
  });
});
