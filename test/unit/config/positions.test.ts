/** Errors say where and what was expected, all of them at once, and never what the secret is. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { errorsOf } from "./sources.ts";

const inConf = (text: string): readonly string[] => errorsOf({ files: { "a.conf": text } });
const inYaml = (text: string): readonly string[] => errorsOf({ files: { "a.yaml": text } });

describe("an error in a configuration file", () => {
  it.each([
    ["max_payloads: 1", 'a.conf:1:1: unknown field "max_payloads", expected "max_payload"'],
    ["debug: on\n  prot: 1", 'a.conf:2:3: unknown field "prot", expected "port"'],
    ["pool_size: 3", 'a.conf:1:1: unknown field "pool_size" here, expected "cluster.pool_size"'],
    ["cluster {\n\tnmae: x\n}", 'a.conf:2:2: unknown field "nmae", expected "name"'],
    [
      "host: é, port: 70000",
      "a.conf:1:16: port: expected a port from 1 to 65535, or -1 for a free one, got 70000",
    ],
    ['port: "4222"', "a.conf:1:7: port: expected a port from 1 to 65535, or -1 for a free one, got a string"],
    [
      "max_payload: 65MB",
      "a.conf:1:14: max_payload: expected a size from 1 to 64MB, such as 64KB or 1MB, got 68157440",
    ],
    [
      "ping_interval: abc",
      'a.conf:1:16: ping_interval: expected a duration such as "2s", with a unit, or "1m30s", got another word',
    ],
    ["cluster: [a]", 'a.conf:1:10: expected a block { … } for "cluster", got a list'],
    [
      "jetstream { tpm { pcr: 22 } }",
      'a.conf:1:13: "jetstream.tpm": Encryption by a TPM is not supported by shoal yet',
    ],
    ["cluster { tls { } }", "a.conf:1:15: cluster.tls: missing cert_file in TLS configuration"],
    [
      "cluster { routes: [nats://a:1\nb] }",
      "a.conf:2:1: cluster.routes: expected a route as in nats://host:6222, nats://user:password@host:6222 or dns+srv://_cluster._tcp.name",
    ],
    [
      "authorization { users: [\n {user: a, proxy_required: 1}\n] }",
      "a.conf:2:28: authorization.users: expected true or false, got a number",
    ],
    [
      "authorization { users: [\n {user: a}\n {user: a}\n] }",
      'a.conf:3:2: authorization.users: user "a" is already in the list',
    ],
    ["cluster {\n port: 1", "a.conf:1:9: expected a '}' to close this block, but the text ends without it"],
    ["port: 1 2", "a.conf:1:9: expected a new line, ',', ';' or '}' after the value, but got '2'"],
    ["port:\n1", "a.conf:1:6: expected a value, but got a new line"],
    ["= 1", "a.conf:1:1: expected a key, but got '='"],
    ["port: $X", "a.conf:1:7: variable $X is not defined, neither before this line nor in the environment"],
    ["max_pending: 1KB", "a.conf:1:14: max_payload (1048576) cannot be higher than max_pending (1024)"],
  ])("in %j is %j", (text, message) => expect(inConf(text)).toEqual([message]));

  it("does not hide the next one", () => {
    expect(
      inConf("foo: 1\nport: x\ncluster { bar: 1, name: 'a b' }").map((text) => text.split(" ")[0]),
    ).toEqual(["a.conf:1:1:", "a.conf:2:7:", "a.conf:3:11:", "a.conf:3:25:"]);
  });

  it("in YAML has its position as well", () => {
    expect(inYaml("debug: true\ncluster:\n  - a")).toEqual([
      'a.yaml:3:3: expected a block { … } for "cluster", got a list',
    ]);
    expect(inYaml('debug: true\nlog_file: "a')[0]).toMatch(
      /^a\.yaml:2:\d+: expected one valid YAML document/,
    );
    expect(inYaml("prot: 1")).toEqual(['a.yaml:1:1: unknown field "prot", expected "port"']);
    expect(inYaml("port: 1\nport: 2")).toEqual(["a.yaml:2:1: this key is already in the same block"]);
  });

  it("in an included file names that file", () => {
    const files = { "d/a.conf": "include sub/b.conf", "d/sub/b.conf": "\n prot: 1" };
    expect(errorsOf({ files })).toEqual(['d/sub/b.conf:2:2: unknown field "prot", expected "port"']);
  });

  it("names a file that is not there", () => {
    expect(errorsOf({ args: ["-c", "b.conf"] })).toEqual(["open b.conf: no such file or directory"]);
    expect(inConf("port: 1\ninclude c.conf")).toEqual(["a.conf:2:1: open c.conf: no such file or directory"]);
  });
});

describe("bounds", () => {
  it("hold for errors: the first fifty are told", () => {
    const keys = Array.from({ length: 1000 }, (_, i) => `k${i}: 1`);
    expect(inConf(keys.join("\n"))).toHaveLength(50);
  });

  it.each([
    ["an include cycle", { "a.conf": "include b.conf", "b.conf": "include ./a.conf" }, /includes itself/],
    [
      "a long chain of includes",
      Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`${i}.conf`, `include ${i + 1}.conf`])),
      /nest too deep/,
    ],
    ["deep nesting", { "a.conf": "x: ".concat("[".repeat(100)) }, /nested too deep/],
    ["deep nesting in YAML", { "a.yaml": `x: ${"[".repeat(20_000)}` }, /nested too deep|valid YAML/],
    ["a text of 9 MB", { "a.conf": "#".repeat(9 * 1024 * 1024) }, /8388608 bytes at most/],
    [
      "variables that stand for more and more values",
      {
        "a.conf": `a0: [1 ]\n${Array.from({ length: 30 }, (_, i) => `a${i + 1}: [$a${i} , $a${i} ]`).join("\n")}`,
      },
      /too many values/,
    ],
    [
      "aliases that stand for more and more values",
      {
        "a.yaml": `a0: &a0 [1]\n${Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`).join("\n")}`,
      },
      /too many values/,
    ],
  ])("hold for %s", (_, files, message) => expect(errorsOf({ files })[0]).toMatch(message));
});

describe("a secret", () => {
  const SECRET = "S3cr3tS3cr3t";

  it.each([
    `authorization { password: ${SECRET}, token: ${SECRET} }`,
    `authorization { password: [${SECRET}] }`,
    `authorization { users: [{user: a, password: {x: ${SECRET}}}] }`,
    `cluster { routes: ["nats://u:${SECRET}@host"] }`,
    `cluster { routes: ["nats://u:${SECRET}@host:1", "nats://u:${SECRET}@host:1"], nope: 1 }`,
    `cluster { listen: "nats://u:${SECRET}@host:1" }`,
    `cluster { authorization { timeout: ${SECRET} } }`,
    `authorization { password: "${SECRET} }`,
    `authorization { password: ${SECRET} ${SECRET} }`,
    `no_auth_user: ${SECRET}`,
    `x: $${"PASSWORD"}`,
  ])("is not in the errors of %s", (text) => {
    const errors = errorsOf({ files: { "a.conf": text }, env: { PASSWORD: `${SECRET} ${SECRET}` } });
    expect(errors).not.toEqual([]);
    expect(errors.join()).not.toContain(SECRET);
  });

  it.each([
    [["--pass", SECRET, "--auth", SECRET]],
    [[`--passs=${SECRET}`]],
    [[`---pass=${SECRET}`]],
    [["--cluster", `nats://u:${SECRET}@host`]],
    [["--cluster", `nats://${SECRET}@host:1`]],
    [["--cluster", "nats://host:1", "--routes", `nats://u:${SECRET}@host`]],
    [["-p", SECRET]],
  ])("is not in the errors of the flags %j", (args) => {
    const errors = errorsOf({ args });
    expect(errors).not.toEqual([]);
    expect(errors.join()).not.toContain(SECRET);
  });

  it.each([
    "AUTHORIZATION__USERS",
    "CLUSTER__ROUTES",
    "PORT",
    "MAX_PAYLOAD",
    "PING_INTERVAL",
    "DEBUG",
    "SERVER_METADATA",
  ])("is not in the errors of the environment variable SHOAL__%s", (name) => {
    const errors = errorsOf({ env: { [`SHOAL__${name}`]: `{a: ${SECRET} ${SECRET}` } });
    expect(errors).not.toEqual([]);
    expect(errors.join()).not.toContain(SECRET);
  });

  it("is not in the errors of broken YAML either", () => {
    const pieces = fc.array(
      fc.constantFrom("a", ": ", "\n", "  ", "- ", "[", "}", '"', "'", "&", "*", "!", "|", SECRET),
    );
    fc.assert(
      fc.property(pieces, (words) => {
        const errors = inYaml(
          `authorization:\n  password: ${SECRET}${words.join("").replaceAll(SECRET, `"${SECRET}"`)}`,
        );
        // A key is named where it is unknown: only values are secrets.
        expect(
          errors.filter((text) => !text.includes("unknown field") && !text.includes("anchor")).join(),
        ).not.toContain(SECRET);
      }),
    );
  });
});
