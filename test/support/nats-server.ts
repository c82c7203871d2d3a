/**
 * Starts server processes (nats-server, or shoal, which takes the same configuration) on a free port of 127.0.0.1. Whoever
 * starts one stops it.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "./cluster-wait.ts";
import { freePort } from "./free-port.ts";
import { PATIENCE_MS } from "./patience.ts";

const host = "127.0.0.1";
const PROBE_EVERY_MS = 10;
/** How much of a server's log is kept for showing it when the server fails. */
const LOG_CHARS_MAX = 100_000;

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

/** Writes the config to a file with a listen address added, starts the command with `-c`, waits until it is ready. */
export async function startServer(
  command: string,
  config: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
  const port = await freePort();
  const file = join(folder, "server.conf");
  const write = (text: string): void => writeFileSync(file, `listen: "${host}:${port}"\n${text}\n`);
  write(config);
  const child = spawn(command, ["-c", file], { stdio: ["ignore", "pipe", "pipe"], env });
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => (log = (log + chunk.toString()).slice(-LOG_CHARS_MAX)));
  }
  const stop = async (): Promise<void> => {
    if (isRunning(child)) child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  if (!(await isReady(child, () => log.includes("Server is ready")))) {
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

const isRunning = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null;

/** As its own log says: at its port another server might answer, which was there first. */
async function isReady(child: ChildProcess, hasSaidSo: () => boolean): Promise<boolean> {
  const deadline = Date.now() + PATIENCE_MS;
  while (isRunning(child) && Date.now() < deadline) {
    if (hasSaidSo()) return true;
    await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY_MS));
  }
  return false;
}
