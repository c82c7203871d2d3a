/** Defaults, file, environment and flags: who wins, and what the process is told to do. */
import { describe, expect, it } from "vitest";

import { diffConfig } from "../../../src/config/diff.ts";
import { defaultConfig } from "../../../src/config/finish.ts";
import { readFileFromDisk } from "../../../src/config/formats/file.ts";
import { loadConfig, loadConfigInAnyFormat, type LoadResult } from "../../../src/config/load.ts";
import { configOf, errorsOf, load, warningsOf } from "./sources.ts";

describe("defaults", () => {
  it("are those that nats-server shows in varz, but for routes that are pinged more often", () => {
    expect(configOf({ args: ["--cluster", "nats://127.0.0.1:-1"] })).toMatchObject({
      server: { maxClosedClients: 10_000, lameDuckDurationMs: 25_000, lameDuckGracePeriodMs: 5000 },
      client: {
        host: "0.0.0.0",
        port: 4222,
        maxConnections: 65_536,
        maxSubscriptions: null,
        maxPayloadBytes: 1_048_576,
        maxPendingBytes: 67_108_864,
        maxControlLineBytes: 4096,
        pingIntervalMs: 120_000,
        pingMax: 2,
        writeDeadlineMs: 10_000,
      },
      authorization: { timeoutMs: 2000, users: [] },
      cluster: {
        host: "127.0.0.1",
        port: 0,
        authTimeoutMs: 2000,
        poolSize: 3,
        pingIntervalMs: 5000,
        pingMax: 2,
      },
    });
  });

  it("are what a program gets that sets nothing", () => {
    expect(defaultConfig()).toEqual(configOf({}));
  });

  it("follow what they are derived from", () => {
    const config = configOf({
      files: { "a.conf": "host: h\nping_interval: 5s\nping_max: 7\nlame_duck_duration: 6s" },
    });
    expect(config.monitor.host).toBe("h");
    expect(config.cluster).toMatchObject({ pingIntervalMs: 5000, pingMax: 7 });
    expect(config.server.lameDuckGracePeriodMs).toBe(2000);
    expect(defaultConfig({ client: { pingIntervalMs: 1000 } }).cluster.pingIntervalMs).toBe(1000);
  });

  it("stand where 0 is written, as in nats-server", () => {
    const files = {
      "a.conf": 'port: 0\nmax_payload: 0\nping_interval: "0s"\nping_max: 0\nmax_control_line: 0',
    };
    expect(configOf({ files })).toEqual(configOf({}));
  });

  it("may not be overridden into a contradiction", () => {
    expect(() => defaultConfig({ client: { maxPendingBytes: 1 } })).toThrow(/max_payload/);
  });
});

describe("the later layer wins", () => {
  const files = { "a.conf": "port: 1\nmax_payload: 1KB\ncluster { name: file, port: 2 }" };
  const env = { SHOAL__PORT: "3", SHOAL__CLUSTER__NAME: "env", SHOAL__PING_MAX: "9" };
  const args = ["-p", "5"];

  it("of default, file, environment and flag", () => {
    expect(configOf({ files }).client.port).toBe(1);
    expect(configOf({ files, env }).client.port).toBe(3);
    expect(configOf({ files, env, args }).client.port).toBe(5);
    expect(configOf({ files, env, args })).toMatchObject({
      client: { maxPayloadBytes: 1024, pingMax: 9 },
      cluster: { name: "env", port: 2 },
    });
  });

  it("option by option, also where one sets two of them", () => {
    const listen = { "a.conf": "listen: 1.2.3.4:10" };
    expect(configOf({ files: listen, env: { SHOAL__PORT: "11" } }).client).toMatchObject({
      host: "1.2.3.4",
      port: 11,
    });
    expect(configOf({ files: listen, args: ["-a", "h"] }).client).toMatchObject({ host: "h", port: 10 });
    expect(configOf({ env: { SHOAL__PORT: "11", SHOAL__LISTEN: "h:12" } }).client).toMatchObject({
      host: "h",
      port: 11,
    });
  });

  it("and an empty variable is none", () => {
    expect(configOf({ files, env: { SHOAL__PORT: "" } }).client.port).toBe(1);
  });

  it("whatever the configuration file is called by", () => {
    const read = (path: string): Uint8Array => Buffer.from(path === "a.conf" ? "port: 1" : "port: 2");
    const port = (args: string[], env: Record<string, string>): unknown => {
      const result = loadConfig(args, env, read);
      return result.kind === "run" ? [result.config.client.port, result.configFile] : result;
    };
    expect(port([], { SHOAL__CONFIG: "a.conf" })).toEqual([1, "a.conf"]);
    expect(port(["-c", "b.conf"], { SHOAL__CONFIG: "a.conf" })).toEqual([2, "b.conf"]);
  });
});

describe("the environment", () => {
  it("takes every kind of value", () => {
    const config = configOf({
      env: {
        SHOAL__MAX_PAYLOAD: "2MB",
        SHOAL__WRITE_DEADLINE: "1.5s",
        SHOAL__PING_INTERVAL: "5m",
        SHOAL__DEBUG: "yes",
        SHOAL__SERVER_TAGS: "az:a, b",
        SHOAL__SERVER_METADATA: '{"a": "b"}',
        SHOAL__CLUSTER__LISTEN: "0.0.0.0:6222",
        SHOAL__CLUSTER__ROUTES: "nats://a:1,nats://u:p%40@[::1]:2",
        SHOAL__CLUSTER__PERMISSIONS: "{export: {deny: [x.>]}}",
        SHOAL__AUTHORIZATION__USERS: "[{user: a, password: $2a$11$hash}]",
        SHOAL__AUTHORIZATION__TIMEOUT: "0.5",
        SHOAL__HTTP: "8222",
      },
    });
    expect(config).toMatchObject({
      server: { tags: ["az:a", "b"], metadata: { a: "b" } },
      client: { maxPayloadBytes: 2_097_152, writeDeadlineMs: 1500, pingIntervalMs: 300_000 },
      log: { debug: true },
      monitor: { port: 8222 },
      authorization: { users: [{ user: "a", password: "$2a$11$hash" }], timeoutMs: 500 },
      cluster: {
        port: 6222,
        routes: [
          { host: "a", port: 1, user: null, password: null },
          { host: "::1", port: 2, user: "u", password: "p@" },
        ],
        permissions: { import: null, export: { allow: null, deny: ["x.>"] } },
      },
    });
  });

  it("takes a password as it stands", () => {
    const password = "$HOME [1] \"x' 12";
    const env = { SHOAL__AUTHORIZATION__USER: "u", SHOAL__AUTHORIZATION__PASSWORD: password };
    expect(configOf({ env }).authorization).toMatchObject({ user: "u", password });
  });

  it("refuses a name that is nearly one of ours", () => {
    expect(errorsOf({ env: { SHOAL__CLUSTER__NMAE: "x" } })).toEqual([
      "unknown environment variable SHOAL__CLUSTER__NMAE, expected SHOAL__CLUSTER__NAME",
    ]);
  });

  it("of a Service with an odd name does not matter", () => {
    expect(
      configOf({ env: { SHOAL__X_PORT: "tcp://10.0.0.1:4222", SHOAL_PORT: "tcp://10.0.0.1:4222" } }),
    ).toEqual(configOf({}));
  });
});

describe("variables of the file", () => {
  const port = (text: string, env: Record<string, string> = {}): number =>
    configOf({ files: { "a.conf": text }, env }).client.port;

  it.each([
    ["x: 5\nport: $x", {}, 5],
    ["x: 5\ncluster { x: 6, port: $x }\nport: $x", {}, 5],
    ["port: $X", { X: "7" }, 7],
    ["port: $X", { X: "$Y", Y: "8" }, 8],
    ["include b.conf\nport: $x", {}, 9],
  ])("resolve %j with %j to %i", (text, env, expected) => {
    expect(configOf({ files: { "a.conf": text, "b.conf": "x: 9" }, env }).client.port).toBe(expected);
  });

  it("see the innermost block first", () => {
    const files = { "a.conf": "x: 5\nport: $x\ncluster {\n x: 6\n port: $x\n}" };
    expect(configOf({ files }).cluster.port).toBe(6);
  });

  it.each([
    ["port: $X", { X: "$X" }],
    ["port: $X", { X: "$Y", Y: "$X" }],
    ["port: $X", { X: "1 2" }],
    ["include b.conf", {}],
  ])("cannot resolve %j with %j", (text, env) => {
    expect(errorsOf({ files: { "a.conf": text, "b.conf": "port: $x" }, env })).toHaveLength(1);
  });

  it("keep bcrypt hashes", () => {
    expect(port("authorization { user: a, password: $2a$11$x }\nport: 1")).toBe(1);
  });
});

describe("what the process is told", () => {
  it("is to run, with warnings for what is odd or has no effect", () => {
    const files = {
      "a.conf":
        "ping_interval: 5\nmax_payload: 9MB\nconnect_error_reports: 1\ncluster { routes: [nats://a:1] }",
    };
    expect(configOf({ files }).client.pingIntervalMs).toBe(5000);
    expect(warningsOf({ files }).map((text) => text.split(": ")[0])).toEqual([
      "a.conf:1:16",
      "a.conf:2:14",
      "a.conf:4:19",
      "a.conf:3:24",
    ]);
  });

  it("is that the file is good, with its digest", () => {
    expect(load({ args: ["-t"], files: { "a.conf": "port: 4222" } })).toMatchObject({
      kind: "check-ok",
      text: "configuration file a.conf is valid (sha256:797533ebd0dfba7d34a0f9337ecf147e442871f48ddfd07ed751575a5737267e)",
    });
  });

  it("is that -t needs a file", () => {
    expect(errorsOf({ args: ["-t"] })[0]).toMatch(/must specify \[-c, --config\]/);
  });

  it("is to read the file from the disk", () => {
    expect(loadConfig(["-c", import.meta.filename, "-t"], {})).toMatchObject({ kind: "error" });
    expect(readFileFromDisk(import.meta.filename).length).toBeGreaterThan(1000);
    expect(loadConfig(["-c", import.meta.dirname], {})).toMatchObject({
      kind: "error",
      messages: [expect.stringMatching(/is a directory/)],
    });
  });
});

describe("the difference of two configurations", () => {
  it("names the options and whether a reload can change them", () => {
    const before = configOf({ files: { "a.conf": "listen: h:1\nmax_payload: 1KB" } });
    const after = configOf({
      files: { "a.conf": "listen: h:2\ndebug: on\ncluster { port: 1, routes: [nats://a:1] }" },
    });
    expect(diffConfig(before, after).map(({ key, reload }) => `${key} ${reload}`)).toEqual([
      "port restart",
      "max_payload live",
      "debug live",
      "cluster.port restart",
      "cluster.routes live",
    ]);
    expect(diffConfig(before, before)).toEqual([]);
  });
});

it("a running server goes on while it loads its configuration again: pieces come in rounds of their own", async () => {
  const text = 'accounts { A { users: [{user: a, password: "p\tq"}] } }\n';
  const argv = ["-c", "server.conf"];
  const readFile = (): Buffer => Buffer.from(text);
  let isDone = false;
  const loading = loadConfigInAnyFormat(argv, {}, readFile).finally(() => (isDone = true));
  let rounds = 0;
  for (; !isDone; rounds++) await new Promise<void>((resolve) => setImmediate(resolve));
  expect(rounds).toBeGreaterThanOrEqual(3);
  const result = (await loading) as LoadResult & { kind: "run" };
  const { config, digest, warnings } = result;
  expect(loadConfig(argv, {}, readFile)).toMatchObject({ config, digest, warnings });
  expect(config.accounts.list[0]!.users[0]!.password).toBe("p\tq");
});
