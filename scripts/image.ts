/**
 * Builds the image with the labels that say what it was built from: the version of package.json and the commit. Files in it get the
 * time of the commit, so that the same commit gives the same image.
 *
 *     node scripts/image.ts [docker build's own arguments, such as --platform or --tag]
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const isChanged = git("status", "--porcelain") !== "";
const revision = `${git("rev-parse", "HEAD")}${isChanged ? "-changed" : ""}`;
const buildArgs = [
  `VERSION=${version}`,
  `REVISION=${revision}`,
  `SOURCE_DATE_EPOCH=${git("log", "-1", "--format=%ct")}`,
].flatMap((arg) => ["--build-arg", arg]);

const tags = ["--tag", `shoal:${version}`, "--tag", "shoal:latest"];
const { status } = spawnSync("docker", ["build", ...tags, ...buildArgs, ...process.argv.slice(2), root], {
  stdio: "inherit",
});
process.exitCode = status ?? 1;

function git(...args: string[]): string {
  const { stdout, status: code } = spawnSync("git", args, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (code !== 0) throw new Error(`git ${args.join(" ")} failed: see its message above`);
  return stdout.trim();
}
