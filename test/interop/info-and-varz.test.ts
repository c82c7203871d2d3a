/**
 * Every field of INFO, before and after CONNECT, for each kind of user, and every field of /varz: compared with those that nats-server
 * shows with the same configuration. What is of one process alone is compared by being there, not by value.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { findProgram, missingKinds } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";

type Fields = Record<string, unknown>;

const users = "authorization { users: [{user: a, password: a}] }";
const accounts = `accounts { A { users: [{user: a, password: a}] }, SYS { users: [{user: s, password: s}] } }
system_account: SYS`;
const asA = { user: "a", pass: "a", protocol: 1 };
const asSystem = { user: "s", pass: "s", protocol: 1 };
const unnamed = { protocol: 1 };

const CASES: readonly (readonly [what: string, config: string, connects: readonly object[]])[] = [
  [
    "nobody is asked",
    "",
    [{}, unnamed, { verbose: true }, { headers: true, no_responders: true, protocol: 1 }],
  ],
  ["one user", "authorization { user: a, password: a }", [asA]],
  ["a token", "authorization { token: t }", [{ auth_token: "t", protocol: 1 }]],
  ["users", users, [asA]],
  ["accounts", accounts, [asA, asSystem, { ...asA, protocol: 0 }]],
  [
    "users of the system account alone",
    "accounts { $SYS { users: [{user: s, password: s}] } }",
    [unnamed, asSystem],
  ],
  [
    "users of a system account with another name",
    "accounts { SYS { users: [{user: s, password: s}] } }\nsystem_account: SYS",
    [unnamed, asSystem],
  ],
  ["a no_auth_user", "accounts { A { users: [{user: a, password: a}] } }\nno_auth_user: a", [unnamed, asA]],
  ["a cluster of one", 'cluster { name: C, listen: "127.0.0.1:-1" }', [unnamed]],
  [
    "a cluster of one that advertises",
    'client_advertise: "example.org:999"\ncluster { name: C, listen: "127.0.0.1:-1" }',
    [unnamed],
  ],
  [
    "limits of an account",
    "accounts { A { users: [{user: a, password: a}], limits { max_payload: 500 } } }",
    [asA],
  ],
  ["no headers", "no_header_support: true", [unnamed]],
  ["nobody is let in", "max_connections: 0", []],
  ["a name and tags", "server_name: NN\nserver_tags: [a, b]", [unnamed]],
];

/** Different in each process, or a difference that docs/compatibility.md names. */
const OWN_VALUES = new Set(
  `server_id server_name version go nonce xkey client_id port now start uptime mem cpu cores gomaxprocs http_port cluster.cluster_port
  config_load_time metadata.shoal_version feature_flags.js_raft_delete_range subscriptions connections total_connections
  http_req_stats./varz`.split(/\s+/),
);
const ABSENT = new Set(["git_commit", "api_lvl", "metadata.shoal_version"]);

const folder = mkdtempSync(join(tmpdir(), "info-"));
const started: ChildProcess[] = [];
afterAll(() => {
  for (const child of started) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

interface Shown {
  readonly infos: readonly (readonly Fields[])[];
  readonly varz: Fields;
}

async function shownBy(program: string, config: string, connects: readonly object[]): Promise<Shown> {
  const own = mkdtempSync(join(folder, "run-"));
  writeFileSync(join(own, "server.conf"), `listen: "127.0.0.1:-1"\nhttp: "127.0.0.1:-1"\n${config}\n`);
  const child = spawn(program, ["-c", join(own, "server.conf"), "--ports_file_dir", own], {
    stdio: "ignore",
  });
  started.push(child);
  const ports = await waitFor("the ports file", () => {
    const name = readdirSync(own).find((file) => file.endsWith(".ports"));
    const text = name === undefined ? "" : readFileSync(join(own, name), "utf8");
    return text === "" ? undefined : (JSON.parse(text) as { nats: string[]; monitoring: string[] });
  });
  const port = Number(new URL(ports.nats[0]!).port);
  const infos: Fields[][] = [];
  for (const hello of connects) infos.push(await infosFor(port, hello));
  const varz = flat((await (await fetch(`${ports.monitoring[0]}/varz`)).json()) as Fields);
  child.kill("SIGKILL");
  await once(child, "close");
  return { infos, varz };
}

/** All that come until the server has answered two PINGs. */
async function infosFor(port: number, hello: object): Promise<Fields[]> {
  const socket = connect(port, "127.0.0.1").setEncoding("latin1");
  let text = "";
  socket.on("data", (part: string) => (text += part));
  const pongs = (): number => text.split("PONG\r\n").length - 1;
  for (const count of [1, 2]) {
    socket.write(count === 1 ? `CONNECT ${JSON.stringify(hello)}\r\nPING\r\n` : "PING\r\n");
    await waitFor(
      "PONG",
      () => pongs() === count,
      () => text,
    );
  }
  socket.destroy();
  return [...text.matchAll(/INFO (\{.*\}) *\r\n/g)].map(([, json]) => flat(JSON.parse(json!) as Fields));
}

function flat(fields: Fields, prefix = ""): Fields {
  const found: Fields = {};
  for (const [key, value] of Object.entries(fields)) {
    const name = `${prefix}${key}`;
    if (typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0)
      Object.assign(found, flat(value as Fields, `${name}.`));
    else if (!ABSENT.has(name)) found[name] = OWN_VALUES.has(name) ? "its own" : value;
  }
  return found;
}

describe.skipIf(missingKinds(["nats-new"]).length > 0)("INFO and /varz", () => {
  it.each(CASES)("say what nats-server says where there is: %s", async (_what, config, connects) => {
    const [ours, theirs] = await Promise.all([
      shownBy(findProgram("shoal")!, config, connects),
      shownBy(findProgram("nats-new")!, config, connects),
    ]);
    expect(ours.infos).toEqual(theirs.infos);
    expect(ours.infos.map((list) => list.map((info) => Object.keys(info)))).toEqual(
      theirs.infos.map((list) => list.map((info) => Object.keys(info))),
    );
    expect(ours.varz).toEqual(theirs.varz);
  });
});
