/**
 * Called by a link of the name nats-server, shoal does what programs that start a nats-server look at, as the launchers of the
 * clients' own test suites do: the log without a terminal, the ports file, the texts of failed starts, the version, signals. The
 * same is asked of nats-server itself where there is one.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findProgram, missingKinds } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";

const folder = mkdtempSync(join(tmpdir(), "called-"));
const link = join(folder, "bin/nats-server");
mkdirSync(join(folder, "bin"));
symlinkSync(findProgram("shoal")!, link);
const taken = createServer().listen(0, "127.0.0.1");
const started: ChildProcess[] = [];
let takenPort = 0;

beforeAll(async () => {
  if (!taken.listening) await once(taken, "listening");
  takenPort = (taken.address() as AddressInfo).port;
  writeFileSync(join(folder, "block.conf"), "port 4222 {\n");
  writeFileSync(join(folder, "unknown.conf"), "# nothing\nfoo: bar\n");
  writeFileSync(join(folder, "good.conf"), 'server_name: "one"\n');
});

afterAll(() => {
  for (const child of started) child.kill("SIGKILL");
  taken.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly text: string;
}

function run(program: string, args: readonly string[]): Ended {
  const words = args.map((word) => word.replaceAll("TAKEN", String(takenPort)));
  const { status, stdout, stderr } = spawnSync(program, words, { cwd: folder, encoding: "utf8" });
  return { code: status, text: stdout + stderr };
}

/** Arguments, and what the last line says without process id and time, in each program's spelling. */
const REFUSALS: readonly (readonly [what: string, args: string, line: RegExp])[] = [
  ["a text that is no configuration", "-c block.conf", /^nats-server: Parse error on line 1: '.+'$/m],
  [
    "a file that is not there",
    "-c absent.conf",
    /^nats-server: open absent\.conf: no such file or directory$/m,
  ],
  ["a key that nobody knows", "-c unknown.conf", /^nats-server: unknown\.conf:2:\d+: unknown field "foo"/m],
  ["a word that is no flag", "frob", /^nats-server: unrecognized command: "frob"$/m],
  ["-t without a file", "-t", /^nats-server: must specify \[-c, --config\] option/m],
  [
    "a port in use",
    "-a 127.0.0.1 -p TAKEN",
    /\[FTL\] Error listening on port: 127\.0\.0\.1:\d+, "listen tcp 127\.0\.0\.1:\d+: bind: address already in use"$/m,
  ],
  [
    "a port for routes in use",
    "-a 127.0.0.1 -p -1 --cluster nats://127.0.0.1:TAKEN",
    /\[FTL\] Error listening on router port: \d+ - listen tcp 127\.0\.0\.1:\d+: bind: address already in use$/m,
  ],
  [
    "a port for monitoring in use",
    "-a 127.0.0.1 -p -1 -m TAKEN",
    /\[FTL\] Can't start monitoring: can't listen to the monitor port: listen tcp 127\.0\.0\.1:\d+: bind: address already in use$/m,
  ],
  [
    "a pid file in a folder that is not there",
    "-a 127.0.0.1 -p -1 -P absent/pid",
    /\[FTL\] Could not write pidfile: open absent\/pid: no such file or directory$/m,
  ],
];

describe.each([
  { name: "shoal", program: link },
  ...(missingKinds(["nats-new"]).length > 0
    ? []
    : [{ name: "nats-server", program: findProgram("nats-new")! }]),
])("$name", ({ program }) => {
  it.each(REFUSALS)("names %s and exits with 1", (_what, args, line) => {
    const ended = run(program, args.split(" "));
    expect(ended.text).toMatch(line);
    expect(ended.code).toBe(1);
  });

  it("says its version, and that a file is good", () => {
    expect(run(program, ["-v"])).toMatchObject({
      code: 0,
      text: expect.stringMatching(/^nats-server: v2\.\d+\.\d+\n$/),
    });
    expect(run(program, ["-t", "-c", "good.conf"])).toMatchObject({
      code: 0,
      text: expect.stringMatching(
        /^nats-server: configuration file good\.conf is valid \(sha256:[0-9a-f]{64}\)\n$/,
      ),
    });
  });

  it("cannot open its log file, and says so in one line", () => {
    const { code, text } = run(program, ["-a", "127.0.0.1", "-p", "-1", "-l", "absent/log"]);
    expect([code, text.trimEnd().split("\n").length]).toEqual([1, 1]);
    expect(text).toContain("absent/log");
  });

  it("starts, tells where it listens, and stops at SIGINT", async () => {
    const args = [
      "-a",
      "127.0.0.1",
      "-p",
      "-1",
      "--store_dir",
      "store",
      "--ports_file_dir",
      folder,
      "-P",
      "pid",
    ];
    const child = spawn(program, args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    started.push(child);
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
    const portsFile = join(folder, `nats-server_${child.pid}.ports`);
    const ports = await waitFor("the ports file", () => {
      const text = existsSync(portsFile) ? readFileSync(portsFile, "utf8") : "";
      return text === "" ? undefined : (JSON.parse(text) as { nats: string[] });
    });
    const { port } = new URL(ports.nats[0]!);
    await waitFor("the log", () => log.includes("Server is ready"));
    const line = new RegExp(
      `^\\[${child.pid}\\] \\d{4}/\\d\\d/\\d\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{6} \\[INF\\] Listening for client connections on 127\\.0\\.0\\.1:${port}$`,
      "m",
    );
    expect(log).toMatch(line);
    expect(readFileSync(join(folder, "pid"), "utf8")).toBe(String(child.pid));
    expect(readFileSync(`/proc/${child.pid}/comm`, "utf8")).toBe("nats-server\n");
    expect(run(program, ["--signal", `quit=${join(folder, "pid")}`]).code).toBe(0);
    await once(child, "close");
    expect([child.exitCode, existsSync(portsFile)]).toEqual([0, false]);
    expect(log).toMatch(/\[INF\] Server Exiting\.\.$/m);
  });

  it("goes on without a ports file that it cannot write", async () => {
    const args = ["-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", join(folder, "absent")];
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
    started.push(child);
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
    await waitFor(
      "both lines",
      () => /\[ERR\] Error writing ports file \(/.test(log) && log.includes("is ready"),
    );
    child.kill("SIGINT");
    await once(child, "close");
    expect(child.exitCode).toBe(0);
  });
});
