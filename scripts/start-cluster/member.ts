/**
 * One member of the cluster: a server process that is started again after it was killed. Its log comes as JSON lines on
 * standard error; whatever else it writes is passed on as text.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { StoryEvent } from "./story.ts";

const RESTART_DELAY_MS = 2000;
/** An exit sooner than this after the start counts as a failed start. */
const SETTLED_MS = 5000;
const FAILED_STARTS_MAX = 5;
/** How long a member may take to stop before it is killed. */
const STOP_PATIENCE_MS = 3000;

export interface MemberOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly onEvent: (event: StoryEvent) => void;
}

export class Member {
  private readonly options: MemberOptions;
  private child: ChildProcess | undefined;
  private restart: NodeJS.Timeout | undefined;
  private stopping = false;
  private startedAtMs = 0;
  private failedStarts = 0;

  constructor(options: MemberOptions) {
    this.options = options;
  }

  start(): void {
    const { name, command, args, onEvent } = this.options;
    this.startedAtMs = Date.now();
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.child = child;
    child.once("error", (error) => this.ended(child, `could not be started: ${error.message}`));
    child.once("exit", (code, signal) =>
      this.ended(child, signal === null ? `ended with code ${code}` : `was ended by ${signal}`),
    );
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => onEvent(parseLine(name, line)));
    }
    if (child.pid !== undefined) onEvent({ kind: "started", name, pid: child.pid });
  }

  /** Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.restart);
    const child = this.child;
    if (child === undefined) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGQUIT");
    const killer = setTimeout(() => child.kill("SIGKILL"), STOP_PATIENCE_MS);
    await gone;
    clearTimeout(killer);
  }

  private ended(child: ChildProcess, how: string): void {
    if (this.child !== child) return;
    this.child = undefined;
    if (this.stopping) return;
    const { name, onEvent } = this.options;
    onEvent({ kind: "exited", name, how });
    this.failedStarts = Date.now() - this.startedAtMs < SETTLED_MS ? this.failedStarts + 1 : 0;
    if (this.failedStarts >= FAILED_STARTS_MAX) {
      onEvent({ kind: "gaveUp", name, exits: this.failedStarts });
      return;
    }
    onEvent({ kind: "restarting", name, delayMs: RESTART_DELAY_MS });
    this.restart = setTimeout(() => this.start(), RESTART_DELAY_MS);
  }
}

function parseLine(name: string, line: string): StoryEvent {
  if (line.startsWith("{")) {
    try {
      return { kind: "logged", name, fields: JSON.parse(line) as Record<string, unknown> };
    } catch {
      // not a log line after all: shown as it came
      return { kind: "printed", name, text: line };
    }
  }
  return { kind: "printed", name, text: line };
}
