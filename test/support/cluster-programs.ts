// Finds the server programs that a mixed cluster is made of: shoal from this project, an old nats-server (2.9, one
// unpooled route) and the newest nats-server on this machine (pooled routes, a route of its own for the system account).
//
// NATS_SERVER_29 and NATS_SERVER name the two; without them PATH and the Go bin folders are searched. SHOAL_BIN puts
// another program in shoal's place: a built package, or the real nats-server to check these tests themselves.
// On a person's machine a missing nats-server skips tests, loudly; where CI=true it fails them.
import { spawnSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";

export type ServerKind = "shoal" | "nats-2.9" | "nats-new";

type Version = readonly [major: number, minor: number, patch: number];

const shoalPath = join(import.meta.dirname, "../../bin/shoal");

/** The command that starts a server of this kind; undefined where the machine has none. */
export function findProgram(kind: ServerKind): string | undefined {
  switch (kind) {
    case "shoal":
      return process.env["SHOAL_BIN"] ?? shoalPath;
    case "nats-2.9":
      return process.env["NATS_SERVER_29"] ?? findNatsServers().find(({ version }) => isOld(version))?.path;
    case "nats-new":
      return process.env["NATS_SERVER"] ?? findNatsServers().find(({ version }) => !isOld(version))?.path;
  }
}

/** The kinds that this machine cannot start. Says so on stderr, or throws where CI=true. */
export function missingKinds(kinds: readonly ServerKind[]): ServerKind[] {
  const missing = kinds.filter((kind) => findProgram(kind) === undefined);
  if (missing.length === 0) return missing;
  const complaint =
    `no nats-server for: ${missing.join(", ")}. Set NATS_SERVER (newest) and NATS_SERVER_29 (2.9.x) to the ` +
    `programs, or put them on PATH. Mixed clusters with them`;
  if (process.env["CI"] === "true") throw new Error(`${complaint} must be tested in CI`);
  process.stderr.write(`\n***** SKIPPING TESTS: ${complaint} are NOT tested *****\n`);
  return missing;
}

/** Whether shoal takes these lines of configuration, as its -t finds; a feature may still be missing. */
export function shoalTakes(configLines: readonly string[]): boolean {
  const folder = mkdtempSync(join(tmpdir(), "mixed-cluster-"));
  try {
    const configPath = join(folder, "server.conf");
    writeFileSync(configPath, configLines.join("\n"));
    return spawnSync(findProgram("shoal") ?? shoalPath, ["-t", "-c", configPath]).status === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

let natsServers: { path: string; version: Version }[] | undefined;

/** Every nats-server found, newest first. */
function findNatsServers(): { path: string; version: Version }[] {
  natsServers ??= searchFolders()
    .map((folder) => join(folder, "nats-server"))
    .filter(isExecutable)
    .flatMap((path) => {
      const version = readVersion(path);
      return version === undefined ? [] : [{ path, version }];
    })
    .sort((a, b) => compareVersions(b.version, a.version));
  return natsServers;
}

function searchFolders(): string[] {
  const goFolders = (process.env["GOPATH"] ?? join(homedir(), "go"))
    .split(delimiter)
    .map((path) => join(path, "bin"));
  const onPath = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...new Set([...onPath, ...goFolders])];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function readVersion(path: string): Version | undefined {
  const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
  const match = /v(\d+)\.(\d+)\.(\d+)/.exec(stdout ?? "");
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
}

/** Route pooling came with 2.10: before it a server speaks the older half of the route protocol. */
function isOld([major, minor]: Version): boolean {
  return major < 2 || (major === 2 && minor < 10);
}

function compareVersions(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
