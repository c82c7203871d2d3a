/**
 * The `nats` command line tool: found by NATS_CLI, on PATH, or in Go's bin folders; run with a home of its own, so that
 * nobody's contexts and settings come in.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, constants, mkdtempSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { waitFor } from "./cluster-wait.ts";

/** Undefined where the machine has none; says so, and throws where CI=true. */
export function findNatsCli(): string | undefined {
  return findTool("nats", "NATS_CLI", "no nats command line tool");
}

/** A program that tests run, named by `variable`, on PATH or in Go's bin folders. Undefined as for the `nats` tool. */
export function findTool(name: string, variable: string, lacking: string): string | undefined {
  const goFolders = (process.env["GOPATH"] ?? join(homedir(), "go"))
    .split(delimiter)
    .map((path) => join(path, "bin"));
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...goFolders].filter(
    (folder) => folder !== "",
  );
  const found = process.env[variable] ?? folders.map((folder) => join(folder, name)).find(isExecutable);
  if (found !== undefined) return found;
  const complaint = `${lacking}: set ${variable} to it, or put it on PATH. shoal with it`;
  if (process.env["CI"] === "true") throw new Error(`${complaint} must be tested in CI`);
  process.stderr.write(`\n***** SKIPPING TESTS: ${complaint} is NOT tested *****\n`);
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

let home: string | undefined;

export class NatsCommand implements AsyncDisposable {
  output = "";
  private readonly words: readonly string[];
  private readonly child: ChildProcess;

  /** `servers`: null: those of the context. */
  constructor(program: string, servers: string | null, words: readonly string[]) {
    home ??= mkdtempSync(join(tmpdir(), "nats-cli-"));
    this.words = words;
    const named = servers === null ? {} : { NATS_URL: servers };
    const env = { PATH: process.env["PATH"], HOME: home, XDG_CONFIG_HOME: home, ...named };
    this.child = spawn(program, [...words], { env, stdio: ["ignore", "pipe", "pipe"] });
    running.add(this.child);
    this.child.once("exit", () => running.delete(this.child));
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on("data", (text: Buffer) => (this.output += text.toString()));
    }
  }

  /** Resolves with all that it printed, once it has ended by itself and well. */
  async done(): Promise<string> {
    const child = this.child;
    await waitFor(
      `the end of nats ${this.words.join(" ")}`,
      () => (child.exitCode !== null || child.signalCode !== null) && child.stdout!.readableEnded,
      () => this.output,
    );
    if (child.exitCode !== 0) throw new Error(`nats ${this.words.join(" ")} failed:\n${this.output}`);
    return this.output;
  }

  async prints(pattern: RegExp): Promise<void> {
    await waitFor(
      `${String(pattern)} from nats ${this.words.join(" ")}`,
      () => pattern.test(this.output),
      () => this.output,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await waitFor("nats to end", () => this.child.exitCode !== null || this.child.signalCode !== null);
  }
}
