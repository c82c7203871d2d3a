/**
 * shoal as a process, started by a command line, perhaps on another host (a network namespace). Its log is read as the JSON
 * lines that it writes where no terminal is. Whoever starts one ends it; what is left is killed when the test runner ends.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { findProgram } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";

interface LogLine {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
  readonly event?: string;
  readonly id?: string;
  readonly peer?: string;
  readonly rid?: number;
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

const LINES_MAX = 20_000;

export class ServerProcess implements AsyncDisposable {
  readonly lines: LogLine[] = [];
  /** Lines that are not JSON: complaints about the command line. */
  readonly words: string[] = [];
  /** Members that it has a confirmed route to, by id. */
  readonly peers = new Set<string>();
  readonly child: ChildProcess;
  /** The process is gone, and all that it wrote has been read: after its "exit" output may still come. */
  private isClosed = false;

  /** `before` is a command that runs the rest of its arguments, such as `ip netns exec NAME`. */
  constructor(args: readonly string[], before: readonly string[] = []) {
    const [command = "", ...rest] = [...before, findProgram("shoal")!, ...args];
    this.child = spawn(command, rest, { stdio: ["ignore", "pipe", "pipe"] });
    running.add(this.child);
    this.child.once("exit", () => running.delete(this.child));
    this.child.once("close", () => (this.isClosed = true));
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      createInterface(stream).on("line", (line) => this.remember(line));
    }
  }

  /** server_id; "" until it has said so. */
  get id(): string {
    return this.lines.find(({ event }) => event === "server_id")?.id ?? "";
  }

  get messages(): string[] {
    return this.lines.map(({ msg }) => msg);
  }

  async says(part: string): Promise<void> {
    await waitFor(
      `the log to say ${part}`,
      () => {
        const hasSaid = this.messages.some((msg) => msg.includes(part));
        if (this.isClosed && !hasSaid) throw new Error(`ended with ${this.child.exitCode}\n${this.tail()}`);
        return hasSaid;
      },
      () => this.tail(),
    );
  }

  /** The exit code, once it has ended by itself and its output has been read to the end. */
  async ended(): Promise<number> {
    await waitFor("the process to end", () => this.isClosed);
    return this.child.exitCode ?? -1;
  }

  tail(): string {
    return ["---", ...this.words, ...this.lines.slice(-40).map((line) => JSON.stringify(line))].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { child } = this;
    child.kill("SIGKILL");
    await waitFor("the process to be gone", () => child.exitCode !== null || child.signalCode !== null);
  }

  private remember(text: string): void {
    if (!text.startsWith("{")) return void this.words.push(text);
    const line = JSON.parse(text) as LogLine;
    if (this.lines.length < LINES_MAX) this.lines.push(line);
    if (line.event === "peer_joined") this.peers.add(line.id!);
    if (line.event === "peer_left") this.peers.delete(line.id!);
  }
}
