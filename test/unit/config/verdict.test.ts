/** nats-server as the judge: what its -t accepts and which values it reads, by its digest of them. */
import { describe, expect, it } from "vitest";

import { requireNatsServer } from "../../support/both-servers.ts";
import { isAtLeast } from "../../support/nats-server-binary.ts";
import { askNatsServer, load, natsServer, type Verdict } from "./sources.ts";

const NKEY = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
const ACCOUNT = "ABNKRZ5BBWVFFU2B6WLBV42TFRR5KORO6ECUUAV3CBCWLS6GZGUUUUCA";
const OTHER = "UDJZB37MFECHUK2O6ON5SYVM7PKK4GQKRGPTCZODDOXD76REPGH73MCX";

/** Accepted by both, with the same digest. */
const GOOD = [
  "port: 4222",
  "port = 4222",
  "port 4222",
  "port\n4222",
  "PORT: 4222",
  '"port": 4222',
  "'port' = 4222",
  "\tport:\t4222\r\ndebug: true\r\n",
  "port: 4222;debug: true",
  "port: 4222, debug: true",
  "# comment\n// another\nport: 4222 # and one\ndebug: on // and one",
  "{ port: 4222 }",
  '{ "port": 4222, "cluster": {"name": "x", "port": -1} }',
  "port: 1\nport: 2",
  "port: 1 }",
  "port: 1\n}",
  "port: -1",
  "listen: 4222",
  'listen: ":4222"',
  "listen: 127.0.0.1:4222",
  "listen: 127.0.0.1:-1",
  "listen: localhost:4222",
  'listen: "[::1]:4222"',
  "max_payload: 1K",
  "max_payload: 1kb",
  "max_payload: 1Ki",
  "max_payload: 1KiB",
  "max_payload: 1m",
  "max_payload: 1MB",
  "max_payload: 64MB\nmax_pending: 100MiB",
  "max_pending: 1g",
  "max_pending: 2T",
  "max_subs: -1",
  "max_payload: -1",
  "max_payload: -1\nmax_pending: 1MB",
  "allow_non_tls: true\ntls {}",
  "authorization { PASS: x, users: [{user: a, password: $PASS}] }",
  "authorization { password: x, users: [{user: a, password: $password}] }",
  "max_conn: 0",
  "debug: yes\ntrace: off\nlogtime: No",
  "trace_verbose: TRUE",
  'ping_interval: "1m30s"',
  "ping_interval: 10s",
  'write_deadline: "1.5s"',
  "lame_duck_duration: 30s\nlame_duck_grace_period: '5s'",
  "server_tags: a",
  "server_tags: [a, b]",
  "server_tags: [\n  a # one\n  b\n]",
  "server_tags: [a,\n b,]",
  "server_metadata { zone: a, rack: 'b c' }",
  'server_name: "a<b>&c"',
  "server_name: foo'",
  "server_name: a#b",
  "server_name: a//b",
  "server_name: a\\\\b",
  'client_advertise: "a\\x2db:1"',
  "http_base_path: (\nabc\n  def)\n)\n",
  'log_file: "multi\nline"',
  "x: 2026-01-31T00:00:00Z\nport: $x\nport: 1",
  "x: 1.50\nport: $x\nport: 1",
  "x: -0.000000125\nport: $x\nport: 1",
  "x: 123456789012345678901234.5\nport: $x\nport: 1",
  "x: [1 , [2 ], {a: b}]\nport: $x\nport: 1",
  "x: 9007199254740993\nport: $x\nport: 1",
  "é: 1\nport: $é",
  "x = 5\ncluster { x = 6\n port = $x }\nport = $x",
  "x: 5\nport: $x",
  "authorization { user: a, password: $2a$11$abcdefghijklmnopqrstuv }",
  "authorization { username: a, pass: b, timeout: 0.5 }",
  'authorization { token: t, timeout: "2s" }',
  "authorization { users: [] }",
  "authorization { users = [ {user: a, password: b}, {username: c, pass: d} ] }",
  "authorization: {\n  users: [\n    { user: a, password: b }\n    { user: c, password: d }\n  ]\n}",
  "authorization { users: [{nkey: NKEY}, {nkey: NKEY, permissions: {}}] }"
    .replace("NKEY", OTHER)
    .replace("NKEY", NKEY),
  `authorization { users: [{nkey: ${NKEY}, allowed_connection_types: [STANDARD, websocket]}] }`,
  `authorization { users: [{user: a, nkey: ""}] }\nno_auth_user: a`,
  `authorization { users: [{nkey: ${NKEY}}] }\nno_auth_user: ${NKEY}`,
  "authorization { users: [{user: a, connection_types: MQTT, proxy_required: false}] }",
  "authorization { users: [{user: a, clients: [LEAFNODE, LEAFNODE_WS, MQTT_WS, IN_PROCESS]}] }",
  'authorization { users: [{user: a, permissions: {publish: "a.>", subscribe: ["a.*", ">"]}}] }',
  'authorization { users: [{user: a, permission: {pub: {allow: "a", deny: [b]}, sub: {deny: "c"}}}] }',
  "authorization { users: [{user: a, authorization: {import: a, export: b}}] }",
  'authorization { users: [{user: a, permissions: {subscribe: ["a q", "a.> *.x", "b  >"]}}] }',
  "authorization { users: [{user: a, permissions: {publish: {}, subscribe: []}}] }",
  "authorization { users: [{user: a, permissions: {allow_responses: true}}] }",
  'authorization { users: [{user: a, permissions: {allow_responses: {max: 5, expires: "1m"}}}] }',
  'authorization { users: [{user: a, permissions: {publish_allow_responses: {max_msgs: -1, ttl: "-1s"}}}] }',
  "authorization { users: [{user: a, permissions: {allow_responses: {max_responses: 0, expiration: '0s'}}}] }",
  "authorization { default_permissions: {publish: a}, users: [{user: a}] }",
  "authorization { permissions: {publish: a}, user: a, password: b }",
  "authorization { token: $2a$11$abcdefghijklmnopqrstuv }",
  `proxies { trusted: [{key: ${NKEY}}, {public_key: ${OTHER}}] }`,
  "proxies {}",
  "no_header_support: true\nno_fast_producer_stall: true",
  "disable_sublist_cache: true",
  "write_timeout: close",
  "write_timeout: default",
  "cluster { write_timeout: close }",
  "no_sublist_cache: false",
  "cluster { authorization { user: a, password: b, proxy_required: true } }",
  `accounts { A { nkey: ${ACCOUNT} } }`,
  "accounts { A { default_permissions: {publish: a}, users: [{user: a, password: b}] } }",
  "accounts { A { jetstream: disabled } }",
  "accounts { A { jetstream: false } }",
  "accounts { A { jetstream: enabled } }",
  "accounts { A { jetstream: true } }",
  "accounts { A { jetstream: { max_mem: 1GB, max_file: -1, streams: 5, consumers: 7, max_bytes_required: true } } }",
  "accounts { A { jetstream: { mem_max_stream_bytes: 1MB, disk_max_stream_bytes: 2MB, max_ack_pending: 3 } } }",
  "accounts { A { jetstream: { cluster_traffic: owner } } }",
  "accounts { A { msg_trace: a.b } }",
  "accounts { A { trace_dest: a } }",
  "accounts { A { msg_trace: { dest: a, sampling: '10%' } } }",
  "accounts { A { msg_trace: { dest: a, sampling: 100 } } }",
  "accounts { A { msg_trace: {} } }",
  "accounts { A { limits { max_conn: 1, max_subs: 2, max_pay: 3, max_leafs: 4 } } }",
  "accounts { A { limits { max_connections: -1, max_subscriptions: 0, max_payload: 1K, max_leafnodes: 1 } } }",
  "accounts { A { exports: [{service: a, response: chunked, threshold: '5s', allow_trace: true}] } }",
  "accounts { A { exports: [{service: a.*, account_token_position: 2, latency: {sampling: headers, subject: l}}] } }",
  "accounts { A { exports: [{stream: a, accounts: [B]}] }, B { imports: [{stream: {account: A, subject: a}, prefix: p, allow_trace: true}] } }",
  "accounts { A { exports: [{service: a}] }, B { imports: [{service: {account: A, subject: a}, to: b, share: true}] } }",
  "proxies { trusted: [] }",
  "authorization { users: [{user: a, proxy_required: true}], proxy_required: true }",
  "cluster { name: x, listen: 0.0.0.0:6222 }",
  "cluster { port: 1; name: x; }",
  "cluster {port: 1, name: 'x',}",
  "cluster: {port:\n1}",
  "cluster { routes: [nats://a:6222, 'nats-route://u:p@b:6222'] }",
  'cluster { routes = [\n  "nats://a:6222"\n  "nats://b:6222"\n] }',
  "cluster { advertise: a.b:6222, no_advertise: true, connect_retries: 3, connect_backoff: true }",
  "cluster { authorization { user: a, password: b, timeout: 1 } }",
  "cluster { permissions { import: a.b\n export: {allow: ['>'], deny: x.*} } }",
  "cluster { compression: {mode: s2_auto, rtt_thresholds: ['10ms', '50ms']}, pool_size: -1 }",
  "cluster { compression: on, accounts: [A, B], ping_interval: 5s, ping_max: 3, write_deadline: 2s }",
  "syslog: false",
  "syslog: true",
  'remote_syslog: "udp://127.0.0.1:514"',
  "jetstream: disabled",
  "jetstream: false",
  'jetstream { enabled: false, store_dir: "/x", max_mem: 1G }',
  'store_dir: "/x"',
  'storedir: "/x"',
  "http: localhost:8222",
  "monitor_port: -1",
  "pidfile: /a/b.pid\nlogfile: /a/b.log\nlog_size_limit: 1MB\nports_file_dir: /a",
];

/** Refused by both. */
const BAD = [
  "",
  "# only a comment\n",
  "foo: 1",
  "x: 1",
  'port: "4222"',
  "port",
  "port:\n1",
  "port: 1 debug: true",
  "listen: 1.2.3.4:abc",
  "listen: 1.2.3.4",
  "listen: [::1]:4222",
  "max_payload: 3GB",
  "max_payload: 1.5",
  "max_control_line: 5000000000",
  "max_pending: 99999999999999999999",
  'debug: "true"',
  "debug: 1",
  "ping_interval: 5",
  "ping_interval: 5m",
  "ping_interval: abc",
  'write_deadline: "10"',
  "lame_duck_duration: 10",
  "lame_duck_grace_period: '-1s'",
  "server_tags: [a b]",
  "server_tags: [a,,b]",
  "server_tags: [a;b]",
  "server_tags: [a",
  "server_tags: 1",
  'server_name: "a b"',
  'server_name: "unterminated',
  'server_name: "\\q"',
  'server_name: "\\x4"',
  "server_name: (abc)",
  "port: $nowhere",
  "include nowhere.conf",
  "include: nowhere.conf",
  "a.b: 1",
  "cluster: 1",
  "cluster {",
  "cluster { port: 1 foo: bar }",
  "cluster { port: 1, foo: bar }",
  "cluster { name: 'a b' }",
  "cluster { routes: nats://a:1 }",
  "cluster { routes: [nats://a:1, nats://a:1] }",
  "cluster { routes: ['nats://a b:1'] }",
  "cluster { connect_retries: 1.0 }",
  "cluster { ping_interval: 5m }",
  "cluster { ping_interval: '5m' }",
  "cluster { authorization { token: x } }",
  "cluster { authorization { users: [] } }",
  "cluster { permissions { import: 'a..b' } }",
  "cluster { permissions { import: 'a.>.b' } }",
  "cluster { permissions { foo: a } }",
  "cluster { compression: [a ] }",
  "authorization { user: a, token: b }",
  "authorization { user: a, users: [] }",
  "authorization { token: a, users: [] }",
  "authorization { users: [{user: a}, {user: a}] }",
  "authorization { users: [{password: a}] }",
  "authorization { users: [a] }",
  "authorization { users: a }",
  "authorization { user: 12 }",
  "authorization { timeout: true }",
  "authorization { timeout: 61 }",
  "authorization { timeout: '10m5s30ms' }",
  "cluster { authorization { user: a, password: b, timeout: 61 } }",
  "authorization { PASS: x, user: b, users: [{user: a, password: $PASS}] }",
  "tls { verify: sometimes }",
  "tls { verify: optional, verify_and_map: true }",
  "tls { cert_file: a.pem }",
  "tls { key_file: a.pem }",
  "authorization { foo: bar }",
  `authorization { users: [{nkey: ${NKEY}}, {nkey: ${NKEY}}] }`,
  `authorization { users: [{nkey: ${NKEY}, user: a}] }`,
  `authorization { users: [{nkey: ${NKEY}, password: a}] }`,
  `authorization { users: [{nkey: ${NKEY.replace("4", "5")}}] }`,
  `authorization { users: [{nkey: ${NKEY.toLowerCase()}}] }`,
  "authorization { users: [{nkey: x}] }",
  "authorization { users: [{user: a, nkey: 1}] }",
  "authorization { users: [{user: a, connection_types: [foo]}] }",
  "authorization { users: [{user: a, connection_types: [1]}] }",
  "authorization { users: [{user: a, connection_types: true}] }",
  "authorization { users: [{user: a, proxy_required: 1}] }",
  "authorization { users: [{user: a, permissions: a}] }",
  "authorization { users: [{user: a, permissions: [a]}] }",
  "authorization { users: [{user: a, permissions: {foo: a}}] }",
  "authorization { users: [{user: a, permissions: {publish: 1}}] }",
  "authorization { users: [{user: a, permissions: {publish: [1]}}] }",
  'authorization { users: [{user: a, permissions: {publish: "a..b"}}] }',
  'authorization { users: [{user: a, permissions: {publish: "a.>.b"}}] }',
  'authorization { users: [{user: a, permissions: {publish: "a q"}}] }',
  'authorization { users: [{user: a, permissions: {publish: {deny: "a q"}}}] }',
  'authorization { users: [{user: a, permissions: {subscribe: "a q r"}}] }',
  'authorization { users: [{user: a, permissions: {subscribe: "a q..r"}}] }',
  'authorization { users: [{user: a, permissions: {subscribe: " a"}}] }',
  'authorization { users: [{user: a, permissions: {subscribe: ""}}] }',
  "authorization { users: [{user: a, permissions: {subscribe: {foo: a}}}] }",
  "authorization { users: [{user: a, permissions: {allow_responses: 1}}] }",
  "authorization { users: [{user: a, permissions: {allow_responses: yep}}] }",
  "authorization { users: [{user: a, permissions: {allow_responses: {foo: 1}}}] }",
  'authorization { users: [{user: a, permissions: {allow_responses: {max: "1"}}}] }',
  "authorization { users: [{user: a, permissions: {allow_responses: {expires: 1}}}] }",
  "authorization { users: [{user: a, permissions: {allow_responses: {expires: abc}}}] }",
  "authorization { default_permissions: a }",
  "authorization { proxy_required: 1 }",
  "no_header_support: 1",
  "no_fast_producer_stall: yep",
  "disable_sublist_cache: 1",
  "write_timeout: foo",
  "write_timeout: 5s",
  "cluster { authorization { proxy_required: 1 } }",
  "cluster { authorization { auth_callout { issuer: a } } }",
  "cluster { permissions { allow_responses: true } }",
  `accounts { A { nkey: ${NKEY} } }`,
  "accounts { A { nkey: 1 } }",
  "accounts { A { default_permissions: a } }",
  "accounts { A { foo: a } }",
  "accounts { A { jetstream: 3 } }",
  "accounts { A { jetstream: default } }",
  "accounts { A { jetstream: { max_mem: x } } }",
  "accounts { A { jetstream: { max_mem: 1.5 } } }",
  "accounts { A { jetstream: { cluster_traffic: foo } } }",
  "accounts { A { jetstream: { foo: 1 } } }",
  "accounts { A { msg_trace: 5 } }",
  "accounts { A { msg_trace: 'a.*' } }",
  "accounts { A { msg_trace: { dest: a, foo: 1 } } }",
  "accounts { A { msg_trace: { dest: a, sampling: 0 } } }",
  "accounts { A { msg_trace: { dest: a, sampling: 101 } } }",
  "accounts { A { msg_trace: { dest: a, sampling: 5.5 } } }",
  "accounts { A { msg_trace: { dest: a, sampling: true } } }",
  "accounts { A { msg_trace: { sampling: 10 } } }",
  "accounts { A { limits { foo: 1 } } }",
  "accounts { A { limits { max_conn: a } } }",
  "accounts { A { exports: [{stream: a, response: single}] } }",
  "accounts { A { exports: [{stream: a, allow_trace: true}] } }",
  "accounts { A { exports: [{stream: a, latency: l}] } }",
  "accounts { A { exports: [{service: a, foo: 1}] } }",
  "accounts { A { exports: [{service: a, advertise: true}] } }",
  "accounts { A { exports: [{service: a}] }, B { imports: [{service: {account: A, subject: a}, allow_trace: true}] } }",
  "proxies: true",
  "proxies { foo: 1 }",
  "proxies { trusted: {} }",
  "proxies { trusted: [a] }",
  "proxies { trusted: [{key: a}] }",
  "proxies { trusted: [{foo: a}] }",
  `proxies { trusted: [{key: ${NKEY.replace("4", "5")}}] }`,
];

/** Refused by both, by nats-server since the version named: earlier it found out when it started. */
const BAD_SINCE = [
  ["max_payload: 2MB\nmax_pending: 1MB", "2.15.3"],
  ["lame_duck_duration: 30s\nlame_duck_grace_period: 30s", "2.15.3"],
  ["cluster { compression: foo }", "2.15.3"],
  ["authorization { users: [{user: a}] }\nno_auth_user: b", "2.15.3"],
  ["max_pending: 10e", "2.15.3"],
  ["mqtt { port: 1 }", "2.15.3"],
] as const;

/** Refused here. nats-server takes it now and then, by the order in which Go goes through the keys of a block. */
const BY_CHANCE = ["accounts { A { exports: [{stream: a, threshold: '5s'}] } }"];

/** Where this server decides otherwise, each with its reason. */
const STRICTER = [
  ["port: 70000", "nats-server finds out when it listens"],
  ["port: -5", "likewise"],
  ["max_payload: 65MB\nmax_pending: 1GB", "64MB is the most that is served"],
  ["cluster { routes: [nats://a] }", "nats-server finds out when it dials"],
  ["authorization { password: a }", "nats-server would let everybody in"],
  ["cluster { authorization { password: a } }", "likewise"],
  ["{ port: 1\n", "a file that was cut off"],
  ["tls {}", "nats-server would let nobody in"],
  ["cluster { tls {} }", "nats-server would let no server in"],
  ["jetstream { tpm { keys_file: a } }", "not supported yet"],
  ["write_timeout: retry", "not supported yet"],
] as const;

const KINDER = [
  ["lame_duck_duration: 10s", "a drain may be short"],
  ["write_deadline: 1.5s", "a duration with a fraction needs no quotes"],
  ['server_name: "\\u0041"', "JSON may escape"],
  ["server_tags: [a\n, b]", "the comma may stand on the next line"],
  ["cluster{port: 1}", "no space is needed before a block"],
] as const;

const accepts = (text: string): boolean =>
  load({ args: ["-t"], files: { "test.conf": text } }).kind === "check-ok";

const digestOf = (text: string): string | null => {
  const result = load({ args: ["-t"], files: { "test.conf": text } });
  return result.kind === "check-ok" ? (/sha256:[0-9a-f]{64}/.exec(result.text)?.[0] ?? null) : null;
};

describe("the check of a configuration", () => {
  it.each(GOOD)("accepts %j", (text) =>
    expect(load({ args: ["-t"], files: { "test.conf": text } })).toMatchObject({ kind: "check-ok" }),
  );

  it.each(BAD)("refuses %j", (text) => expect(accepts(text)).toBe(false));

  it.each(BY_CHANCE)("refuses %j", (text) => expect(accepts(text)).toBe(false));

  it.each(BAD_SINCE)("refuses %j", (text) => expect(accepts(text)).toBe(false));

  it.each(STRICTER)("refuses %j: %s", (text) => expect(accepts(text)).toBe(false));

  it.each(KINDER)("accepts %j: %s", (text) => expect(accepts(text)).toBe(true));
});

requireNatsServer();

describe.skipIf(natsServer === undefined)("nats-server -t", () => {
  const ask = (text: string): Verdict => askNatsServer(natsServer!.path, text);

  it.each(GOOD)("reads the same values from %j", (text) => {
    const verdict = ask(text);
    expect(verdict.output).toContain("is valid");
    expect(digestOf(text)).toBe(verdict.digest);
  });

  it.each(BAD)("refuses %j, too", (text) => expect(ask(text).accepts).toBe(false));

  it.each(BAD_SINCE)("refuses %j since %s", (text, since) =>
    expect(ask(text).accepts).toBe(!isAtLeast(natsServer!.version, since)),
  );

  it.each(STRICTER)("accepts %j, where we are stricter: %s", (text) => expect(ask(text).accepts).toBe(true));

  it.each(KINDER)("refuses %j, where we are kinder: %s", (text) => expect(ask(text).accepts).toBe(false));
});
