/** Finds the one other server process of this machine, for `--signal` without a process id. Reads /proc: Linux only. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Program } from "../program.ts";

/** Of this installation: other programs have a main.ts as well. */
const ROOT = dirname(dirname(process.argv[1] ?? ""));
const PROGRAMS = [join(ROOT, "src/main.ts"), join(ROOT, "dist/main.js")];

/** Throws, saying what to do, where there is none or more than one. */
export function findOtherServer({ name, isNatsServer }: Program): number {
  const isServer = isNatsServer ? isCalledNatsServer : runsShoal;
  const found = processIds().filter((pid) => pid !== process.pid && isServer(pid));
  const [pid] = found;
  if (pid !== undefined && found.length === 1) return pid;
  const problem = found.length === 0 ? `no ${name} process is running` : `several run: ${found.join(", ")}`;
  throw new Error(`${problem}; name the process, as in --signal reload=PID`);
}

function processIds(): number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** Any process of that name, nats-server itself included. */
function isCalledNatsServer(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, "latin1").trim() === "nats-server";
  } catch {
    return false; // it has ended meanwhile
  }
}

/** A server, not another call of the command line such as this one. */
function runsShoal(pid: number): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
    const isCall = words.some((word) => /^--?(sl|signal)\b/.test(word));
    return !isCall && words.some((word) => PROGRAMS.includes(word));
  } catch {
    return false; // it has ended meanwhile, or is somebody else's
  }
}
