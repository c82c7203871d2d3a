/** promtool and prometheus, where they are installed (Debian's package prometheus). */
import { spawnSync } from "node:child_process";

const isThere = spawnSync("promtool", ["--version"]).status === 0;

/** Missing where CI runs is a failure, elsewhere a skip that says so. */
export const lacksPrometheus = !isThere && process.env["CI"] !== "true";
if (lacksPrometheus) process.stderr.write("SKIPPED: no promtool, install the package prometheus\n");

/** What promtool says of these arguments; "" if it finds nothing. Throws what it says where it fails. */
export function promtool(args: readonly string[], input = ""): string {
  const { status, stdout, stderr } = spawnSync("promtool", args, { input, encoding: "utf8" });
  const said = `${stdout}${stderr}`;
  if (status !== 0) throw new Error(`promtool ${args.join(" ")}:\n${said}`);
  return said;
}
