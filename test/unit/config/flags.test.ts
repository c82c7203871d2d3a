/** The command line: every flag in every spelling, and what is refused. */
import { describe, expect, it } from "vitest";

import type { Config, ConfigOverrides } from "../../../src/config/config.ts";
import { configOf, errorsOf, load } from "./sources.ts";

const FLAGS: readonly [names: readonly string[], value: string, set: ConfigOverrides][] = [
  [
    ["a", "addr", "net"],
    "1.2.3.4",
    { client: { host: "1.2.3.4" }, monitor: { host: "1.2.3.4" }, metrics: { host: "1.2.3.4" } },
  ],
  [["p", "port"], "4333", { client: { port: 4333 } }],
  [["p", "port"], "-1", { client: { port: 0 } }],
  [["n", "name", "server_name"], "x", { server: { name: "x" } }],
  [["P", "pid"], "/a", { server: { pidFile: "/a" } }],
  [["m", "http_port"], "8222", { monitor: { port: 8222 } }],
  [["client_advertise"], "a:1", { client: { advertise: { host: "a", port: 1 } } }],
  [["ports_file_dir"], "/a", { server: { portsFileDir: "/a" } }],
  [["l", "log"], "/a", { log: { file: "/a" } }],
  [["r", "remote_syslog"], "udp://a:1", { log: { remoteSyslog: "udp://a:1" } }],
  [["log_format"], "json", { log: { format: "json" } }],
  [["log_size_limit"], "1000", { log: { fileSizeMaxBytes: 1000 } }],
  [["max_traced_msg_len"], "10", { log: { maxTracedMsgBytes: 10 } }],
  [["user"], "u", { authorization: { user: "u" } }],
  [["auth"], "t", { authorization: { token: "t" } }],
  [["cluster_name"], "c", { cluster: { name: "c" } }],
  [["cluster", "cluster_listen"], "nats://h:1", { cluster: { host: "h", port: 1 } }],
  [["cluster"], "nats://h:-1", { cluster: { host: "h", port: 0 } }],
  [["cluster"], "h:1", { cluster: { host: "h", port: 1 } }],
  [["cluster"], "nats://u:p%2F@[::]:1", { cluster: { host: "::", port: 1, user: "u", password: "p/" } }],
  [["cluster_advertise"], "a", { cluster: { advertise: { host: "a", port: null } } }],
  [["connect_retries"], "3", { cluster: { connectRetries: 3 } }],
];

const SWITCHES: readonly [names: readonly string[], set: ConfigOverrides][] = [
  [["D", "debug"], { log: { debug: true } }],
  [["V", "trace"], { log: { trace: true } }],
  [["s", "syslog"], { log: { syslog: true } }],
  [["VV"], { log: { trace: true, traceVerbose: true } }],
  [["DV"], { log: { debug: true, trace: true } }],
  [["DVV"], { log: { debug: true, trace: true, traceVerbose: true } }],
  [["T", "logtime"], { log: { time: true } }],
  [["logtime_utc"], { log: { timeUtc: true } }],
  [["no_advertise"], { cluster: { noAdvertise: true } }],
];

/** The defaults with some fields set. */
function withFields(set: ConfigOverrides): Config {
  const config = structuredClone(configOf({})) as unknown as Record<string, unknown>;
  for (const [section, fields] of Object.entries(set))
    config[section] = { ...(config[section] as object), ...fields };
  return config as unknown as Config;
}

describe("a flag", () => {
  const spellings = FLAGS.flatMap(([names, value, set]) =>
    names.flatMap((name) =>
      [[`-${name}`, value], [`--${name}`, value], [`-${name}=${value}`], [`--${name}=${value}`]].map(
        (args) => ({ args, set }),
      ),
    ),
  );
  it.each(spellings)("$args sets its option", ({ args, set }) =>
    expect(configOf({ args })).toEqual(withFields(set)),
  );

  const switches = SWITCHES.flatMap(([names, set]) =>
    names.flatMap((name) =>
      [`-${name}`, `--${name}`, `-${name}=true`, `--${name}=1`].map((arg) => ({ arg, set, name })),
    ),
  );
  it.each(switches)("$arg turns on", ({ arg, set }) =>
    expect(configOf({ args: [arg] })).toEqual(withFields(set)),
  );

  it.each(switches)("--$name=false turns off what the file turned on", ({ name, set }) => {
    const file = "debug: true\ntrace_verbose: true\nlogtime_utc: true\ncluster { no_advertise: true }";
    const config = configOf({ args: [`--${name}=false`], files: { "a.conf": file } });
    for (const [section, fields] of Object.entries(set)) {
      for (const field of Object.keys(fields ?? {})) {
        // --VV=false is about the system account only: the trace of the file goes on.
        if (name === "VV" && field === "trace") continue;
        expect(config).toHaveProperty(`${section}.${field}`, false);
      }
    }
  });

  it("given twice counts as the last says", () => {
    expect(configOf({ args: ["-p", "1", "--port=2"] }).client.port).toBe(2);
  });

  it("--user and --pass belong together", () => {
    const args = ["--user", "u", "--pass", "$p"];
    expect(configOf({ args })).toEqual(withFields({ authorization: { user: "u", password: "$p" } }));
  });

  it("--routes takes a list with credentials, and an empty one clears that of the file", () => {
    const args = ["--cluster", "nats://h:1", "--routes", "nats://u:p@a:1, nats-route://b:2"];
    expect(configOf({ args }).cluster.routes).toEqual([
      { host: "a", port: 1, user: "u", password: "p" },
      { host: "b", port: 2, user: null, password: null },
    ]);
    const files = { "a.conf": "cluster { port: 1, routes: [nats://a:1] }" };
    expect(configOf({ files, args: ["--routes="] }).cluster.routes).toEqual([]);
    expect(configOf({ files, args: ["--routes", "nats://c:1"] }).cluster.routes).toHaveLength(1);
  });

  it("--cluster replaces the credentials of the file, and an empty one turns clustering off", () => {
    const files = { "a.conf": "cluster { port: 1, authorization { user: u, password: p } }" };
    expect(configOf({ files, args: ["--cluster", "nats://h:2"] }).cluster).toMatchObject({
      port: 2,
      user: null,
      password: null,
    });
    expect(configOf({ files, args: ["--cluster", ""] }).cluster.port).toBe(null);
  });
});

describe("the flag for JetStream's folder", () => {
  it.each([["-sd", "/x"], ["--store_dir", "/x"], ["-sd=/x"]])(
    "is taken, and turns nothing on by itself: %s",
    (...args) => {
      const { jetStream } = configOf({ args: [...args, "-p", "1"] });
      expect([jetStream.storeDir, jetStream.isEnabled]).toEqual(["/x", false]);
    },
  );
});

describe("the command line is refused", () => {
  it.each([
    [["-p"], "flag needs an argument: -p"],
    [["-p", "abc"], "flag -p: expected a port from 1 to 65535, or -1 for a free one, got a string"],
    [["-p", "65536"], "flag -p: expected a port from 1 to 65535, or -1 for a free one, got 65536"],
    [["-D=maybe"], "flag -D: expected true or false, got a string"],
    [["-D", "false"], 'unrecognized command: "false"'],
    [["start"], 'unrecognized command: "start"'],
    [["-p", "1", "--", "x"], 'unrecognized command: "x"'],
    [["-"], 'unrecognized command: "-"'],
    [["---p", "1"], "bad flag syntax: ---p"],
    [["--=1"], "bad flag syntax: --=…"],
    [["--plort", "1"], "flag provided but not defined: --plort, expected --port"],
    [["--clustername", "x"], "flag provided but not defined: --clustername, expected --cluster_name"],
    [["--frobnicate"], "flag provided but not defined: --frobnicate, see --help"],
    [
      ["--jetstream", "--cluster", "nats://127.0.0.1:6222", "--routes", "nats://a:1,nats://b:1"],
      "flag --jetstream: jetstream cluster requires `cluster.name` to be set",
    ],
    [
      ["--jetstream", "--cluster", "nats://127.0.0.1:6222", "--cluster_name", "C"],
      "flag --jetstream: JetStream in a cluster has to know how many servers begin it: set jetstream.cluster_size, or list all of them in cluster.routes",
    ],
    [["-ms", "1"], "flag -ms: https needs a tls block"],
    [["--tls"], "flag --tlscert: TLS needs a server certificate"],
    [
      ["--routes", "nats://a:1"],
      "flag --routes: solicited routes require cluster capabilities, e.g. --cluster",
    ],
    [["--cluster", "nats://h"], "flag --cluster: expected host:port or a port, as in 0.0.0.0:4222"],
    [
      ["--cluster", "nats://u@h:1"],
      "flag --cluster: expected a password after the user, as in nats://user:password@host:port",
    ],
    [["-n", "a b"], "flag -n: a name cannot contain spaces"],
    [["--user", "a", "--auth", "b"], "flag --auth: a token excludes a user with password: keep one of them"],
    [["-sl", "foo"], /^flag --signal: expected one of ldm, stop, quit, term, reopen, reload/],
    [["-sl", "ldm=1=2"], /^flag --signal: expected one of/],
    [["-sl", "ldm=nowhere.pid"], "flag --signal: cannot read the pid file nowhere.pid"],
  ])("for %j: %s", (args, message) => {
    const [error, ...more] = errorsOf({ args });
    expect(error).toMatch(message);
    expect(more).toEqual([]);
  });

  it("but not for a feature that is turned off", () => {
    expect(configOf({ args: ["--tls=false", "-js=false", "-s=false"] })).toEqual(configOf({}));
  });
});

describe("instead of running", () => {
  it.each([["-v"], ["--version"], ["version"], ["VERSION"]])("%s asks for the version", (arg) => {
    expect(load({ args: [arg] })).toEqual({ kind: "version" });
  });

  it.each([["-h"], ["--help"], ["help"]])("%s asks for help", (arg) => {
    expect(load({ args: ["-p", "1", arg] })).toMatchObject({ kind: "help" });
  });

  it("help names every flag and keeps the columns", () => {
    const result = load({ args: ["--help"] });
    const text = result.kind === "help" ? result.text : "";
    for (const [names] of [...FLAGS, ...SWITCHES])
      for (const name of names) expect(text).toMatch(new RegExp(`-${name}\\b`));
    for (const line of text.split("\n").filter((each) => /^ {4}/.test(each))) {
      expect(line).toMatch(/^.{35}(?: {2}\S|\S*$)|^ {4,}-\S.*>$/);
    }
  });

  it("a signal is sent, to a process or the one in a pid file", () => {
    expect(load({ args: ["-sl", "ldm"] })).toEqual({ kind: "signal", command: "ldm", pid: null });
    expect(load({ args: ["--signal=reload=12"] })).toEqual({ kind: "signal", command: "reload", pid: 12 });
    const files = { "a.conf": "", "x.pid": "34\n" };
    expect(load({ args: ["--signal", "stop=x.pid"], files })).toEqual({
      kind: "signal",
      command: "stop",
      pid: 34,
    });
  });
});
