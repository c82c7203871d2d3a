/** Says what was measured where: machine, kernel, Node and the state of this repository. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly shoal: string;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    node: nodeOfShoal(),
    shoal: stateOfRepository(),
  };
}

/** The Node that bin/shoal prefers. */
function nodeOfShoal(): string {
  const own = join(root, "node_modules/node/bin/node");
  return existsSync(own) ? execFileSync(own, ["--version"], { encoding: "utf8" }).trim() : process.version;
}

function stateOfRepository(): string {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  try {
    const git = (...args: string[]): string =>
      execFileSync("git", ["-C", root, ...args], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }).trim();
    const changed = git("status", "--porcelain", "--", "src", "package.json") !== "";
    return `${version}, commit ${git("rev-parse", "--short", "HEAD")}${changed ? " with changes" : ""}`;
  } catch {
    return version; // not a checkout, or no git
  }
}
