/**
 * How long bin/shoal takes from its start until it accepts a connection, and until commands such as --version have been answered:
 * the best of several starts, since everything else on the machine only adds to it.
 *
 *     node scripts/start-time.ts [--at-most 300] [--command bin/shoal]      in milliseconds; exit code 1 above
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { choosePorts } from "./start-cluster/ports.ts";

const HOST = "127.0.0.1";
const STARTS = 7;
const GIVE_UP_MS = 10_000;

const { values: flags } = parseArgs({
  options: {
    "at-most": { type: "string", default: "Infinity" },
    command: { type: "string", default: join(import.meta.dirname, "../bin/shoal") },
  },
});

const times: number[] = [];
for (let i = 0; i < STARTS; i++) times.push(await startOnce(flags.command));
times.sort((a, b) => a - b);
const [best = 0] = times;
console.log(
  `accepts connections after ${best.toFixed(0)} ms (${times.map((ms) => ms.toFixed(0)).join(", ")})`,
);
for (const args of [["--version"], ["--help"]]) {
  const each = Array.from({ length: STARTS }, () => answerOnce(flags.command, args)).toSorted(
    (a, b) => a - b,
  );
  console.log(`answers ${args.join(" ")} after ${each[0]!.toFixed(0)} ms`);
}
if (best > Number(flags["at-most"])) {
  console.error(`that is over ${flags["at-most"]} ms`);
  process.exit(1);
}

function answerOnce(command: string, args: readonly string[]): number {
  const startedMs = performance.now();
  const { status } = spawnSync(command, args, { stdio: "ignore" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ends with ${status}`);
  return performance.now() - startedMs;
}

async function startOnce(command: string): Promise<number> {
  const [chosen] = await choosePorts(HOST, [0]);
  const port = chosen!.port;
  const startedMs = performance.now();
  const child = spawn(command, ["-a", HOST, "-p", String(port)], { stdio: "ignore" });
  try {
    while (!(await accepts(port))) {
      const late = performance.now() - startedMs > GIVE_UP_MS;
      if (late || child.exitCode !== null)
        throw new Error(`${command} does not accept connections on port ${port}`);
      await delay(1);
    }
    return performance.now() - startedMs;
  } finally {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "close");
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, HOST);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false; // not listening yet
  } finally {
    socket.destroy();
  }
}
