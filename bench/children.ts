/**
 * Every process that the benchmark starts is registered here, and none survives it: what still runs at exit, also after a
 * failure or a signal, is killed by its pid.
 */
import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";

/** Child -> folder that goes with it, if it has one. */
const children = new Map<ChildProcess, string | undefined>();

process.once("exit", () => {
  for (const [child, folder] of children) {
    child.kill("SIGKILL");
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));

export function register(child: ChildProcess, folder?: string): void {
  children.set(child, folder);
  const forget = (): void => {
    children.delete(child);
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  };
  child.once("exit", forget);
  child.once("error", forget); // did not start
}
