/**
 * Finds the newest real nats-server on this machine and starts server processes (nats-server, or shoal, which takes
 * the same configuration) on a free port of 127.0.0.1. Whoever starts one stops it.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, connect, type AddressInfo } from "node:net";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { waitFor } from "./cluster-wait.ts";

const host = "127.0.0.1";
const startMsMax = 10_000;
const probeEveryMs = 10;
/** How much of a server's log is kept for showing it when the server fails. */
const logCharsMax = 100_000;

export interface NatsServerBinary {
  path: string;
  /** Such as "2.14.0". */
  version: string;
}

export interface ServerProcess {
  host: string;
  port: number;
  pid: number;
  /** What it has written so far to stdout and stderr. */
  log(): string;
  signal: (signal: NodeJS.Signals) => void;
  /** Writes another config to the file and has it reloaded; resolves once the log says how that went. */
  reload(config: string): Promise<"reloaded" | "refused">;
  /** Kills it and resolves once it has ended. */
  stop(): Promise<void>;
}

/** NATS_SERVER if set, otherwise the newest of those on PATH and in Go's bin folders. */
export function findNatsServer(): NatsServerBinary | undefined {
  const chosen = process.env["NATS_SERVER"];
  if (chosen) {
    const binary = binaryAt(chosen);
    if (binary === undefined)
      throw new Error(`NATS_SERVER=${chosen} is no nats-server: give the path of its binary`);
    return binary;
  }
  const folders = [
    ...(process.env["PATH"] ?? "").split(delimiter),
    goBinFolder(),
    join(homedir(), "go", "bin"),
  ];
  const found = [...new Set(folders)]
    .map((folder) => binaryAt(join(folder, "nats-server")))
    .filter((each) => each !== undefined);
  return found.toSorted((a, b) => compareVersions(b.version, a.version))[0];
}

/** Negative when `a` is older than `b`; a suffix such as "-dev" is not looked at. */
export function compareVersions(a: string, b: string): number {
  const numbers = (version: string): number[] =>
    version.split(/[.-]/).map((part) => Number.parseInt(part, 10) || 0);
  const left = numbers(a);
  const right = numbers(b);
  for (let at = 0; at < 3; at += 1) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Writes the config to a file with a listen address added, starts the command with `-c`, waits for its INFO. */
export async function startServer(command: string, config: string): Promise<ServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
  const port = await freePort();
  const file = join(folder, "server.conf");
  const write = (text: string): void => writeFileSync(file, `listen: "${host}:${port}"\n${text}\n`);
  write(config);
  const child = spawn(command, ["-c", file], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => (log = (log + chunk.toString()).slice(-logCharsMax)));
  }
  const stop = async (): Promise<void> => {
    if (isRunning(child)) child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  // With `handshake_first` nobody is greeted in the open.
  if (!(await isReady(child, port, () => log.includes("Server is ready")))) {
    await stop();
    throw new Error(`${command} did not start with this config:\n${config}\nIts log:\n${log}`);
  }
  const reload = async (next: string): Promise<"reloaded" | "refused"> => {
    const before = reloadsIn(log).length;
    write(next);
    child.kill("SIGHUP");
    const outcome = await waitFor(
      "the reload",
      () => reloadsIn(log)[before],
      () => log,
    );
    return outcome.startsWith("Reloaded") ? "reloaded" : "refused";
  };
  const signal = (name: NodeJS.Signals): void => void child.kill(name);
  return { host, port, pid: child.pid!, log: () => log, signal, reload, stop };
}

/** In the words that shoal and nats-server share. */
function reloadsIn(log: string): string[] {
  return log.match(/(?:Reloaded|Failed to reload) server configuration/g) ?? [];
}

function binaryAt(path: string): NatsServerBinary | undefined {
  if (!existsSync(path)) return undefined;
  const version = /v(\d+\.\d+\.\d+\S*)/.exec(execFileSync(path, ["--version"], { encoding: "utf8" }))?.[1];
  return version === undefined ? undefined : { path, version };
}

function goBinFolder(): string {
  try {
    return join(
      execFileSync("go", ["env", "GOPATH"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim(),
      "bin",
    );
  } catch {
    return join(homedir(), "go", "bin"); // no Go here: its default folder may still hold a binary
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, host, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

const isRunning = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null;

async function isReady(child: ChildProcess, port: number, hasSaidSo: () => boolean): Promise<boolean> {
  const deadline = Date.now() + startMsMax;
  while (isRunning(child) && Date.now() < deadline) {
    if ((await greets(port)) || hasSaidSo()) return true;
    await new Promise((resolve) => setTimeout(resolve, probeEveryMs));
  }
  return false;
}

/** True once a connection got its first bytes; resolves after that connection has ended on both sides. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    let greeted = false;
    const socket = connect({ host, port });
    socket.once("data", () => {
      greeted = true;
      socket.end();
    });
    socket.on("error", () => {});
    socket.once("close", () => resolve(greeted));
  });
}
