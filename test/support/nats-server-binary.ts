/**
 * Finds the real nats-servers on this machine, and knows which of their versions the comparisons hold for. What a nats-server
 * answers changes between its patch versions; a comparison with one that nobody has looked at would fail by no fault of shoal.
 * Such a server is passed over, and what is not compared is said at the end of the run (`nats-server-notice.ts`).
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, delimiter, join } from "node:path";

/**
 * The comparisons were carried out with these versions and those between. `.ci/run` installs the newest. To follow a newer
 * nats-server: run the suites with NATS_SERVER naming it, mend what differs, then raise `newest`.
 */
export const COMPARED_VERSIONS = { oldest: "2.15.2", newest: "2.15.3" } as const;

/** Route pooling came with it. Servers before speak the older half of the route protocol, and have a part in mixed clusters. */
const POOLED_ROUTES_SINCE = "2.10.0";

/** Since then a backup of a stream is an archive of its own; older ones make and read a tar. */
const ARCHIVES_SINCE = "2.15.0";
/** Times to live, which the tests save, came with it. */
const TARS_SINCE = "2.11.0";

export interface NatsServerBinary {
  readonly path: string;
  /** Such as "2.14.0". */
  readonly version: string;
}

/** NATS_SERVER, whatever its version; otherwise the newest on PATH and in Go's bin folders that the comparisons hold for. */
export function findNatsServer(): NatsServerBinary | undefined {
  return namedBy("NATS_SERVER") ?? installed().find(({ version }) => isCompared(version));
}

/** NATS_SERVER_29, otherwise the newest that knows no pooled routes. */
export function findOldNatsServer(): NatsServerBinary | undefined {
  return (
    namedBy("NATS_SERVER_29") ?? installed().find(({ version }) => !isAtLeast(version, POOLED_ROUTES_SINCE))
  );
}

/** NATS_SERVER_214, otherwise one whose backups are of the older form: in the folder that `.ci/run` installs it in, or anywhere else. */
export function findTarNatsServer(): NatsServerBinary | undefined {
  const isOne = ({ version }: NatsServerBinary): boolean =>
    isAtLeast(version, TARS_SINCE) && !isAtLeast(version, ARCHIVES_SINCE);
  const own = goPaths().map((path) => binaryAt(join(path, "nats-server-2.14", "nats-server")));
  const all = [...own.filter((binary) => binary !== undefined), ...installed()];
  return namedBy("NATS_SERVER_214") ?? all.find(isOne);
}

/** Series that leaf nodes are tried with, besides the newest. */
export type OldSeries = "2.14" | "2.10";

/** NATS_SERVER_214 or NATS_SERVER_210, otherwise one of the series in the folder that `.ci/run` installs it in, or anywhere else. */
export function findNatsServerOf(series: OldSeries): NatsServerBinary | undefined {
  const own = goPaths().map((path) => binaryAt(join(path, `nats-server-${series}`, "nats-server")));
  const all = [...own.filter((binary) => binary !== undefined), ...installed()];
  return (
    namedBy(`NATS_SERVER_${series.replace(".", "")}`) ??
    all.find(({ version }) => version.startsWith(`${series}.`))
  );
}

/**
 * What somebody who reads the results has to know of the nats-server that was compared with; null where it is the newest of
 * the versions that the comparisons hold for.
 */
export function noticeOnComparisons(): string | null {
  const { oldest, newest } = COMPARED_VERSIONS;
  const found = findNatsServer();
  const howTo = `go install github.com/nats-io/nats-server/v2@v${newest}`;
  const others = installed().map(({ version, path }) => `${version} (${path})`);
  if (found === undefined) {
    const seen = others.length === 0 ? "there is none" : `there is ${others.join(", ")}`;
    return `NOT COMPARED with a real nats-server: the comparisons hold for ${oldest} to ${newest}, ${seen}. To compare: ${howTo}`;
  }
  const what = `compared with nats-server ${found.version} (${found.path})`;
  if (!isCompared(found.version))
    return `${what}, but the comparisons hold for ${oldest} to ${newest}: what fails may be no fault`;
  if (found.version !== newest)
    return `${what}; the newest that the comparisons hold for is ${newest}: ${howTo}`;
  const newer = installed().filter(({ version }) => !isAtLeast(newest, version));
  if (newer.length === 0) return null;
  return `${what}; ${newer.map(({ path, version }) => `${version} (${path})`).join(", ")} is newer and was passed over`;
}

/** Whether `a` is `b` or newer; a suffix such as "-dev" is not looked at. */
export function isAtLeast(a: string, b: string): boolean {
  return compareVersions(a, b) >= 0;
}

function isCompared(version: string): boolean {
  return isAtLeast(version, COMPARED_VERSIONS.oldest) && isAtLeast(COMPARED_VERSIONS.newest, version);
}

/** Negative when `a` is older than `b`. */
function compareVersions(a: string, b: string): number {
  const numbers = (version: string): number[] =>
    version.split(/[.-]/).map((part) => Number.parseInt(part, 10) || 0);
  const left = numbers(a);
  const right = numbers(b);
  for (let at = 0; at < 3; at += 1) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function namedBy(variable: string): NatsServerBinary | undefined {
  const path = process.env[variable];
  if (path === undefined || path === "") return undefined;
  const binary = binaryAt(path);
  if (binary === undefined)
    throw new Error(`${variable}=${path} is no nats-server: give the path of its binary`);
  return binary;
}

let found: readonly NatsServerBinary[] | undefined;

/** Newest first. */
function installed(): readonly NatsServerBinary[] {
  if (found !== undefined) return found;
  const paths = searchFolders()
    .map((folder) => join(folder, "nats-server"))
    .filter(isProgram);
  // Folders of PATH may be links to each other.
  found = [...new Map(paths.map((path) => [realpathSync(path), path])).values()]
    .map(binaryAt)
    .filter((each) => each !== undefined)
    .toSorted((a, b) => compareVersions(b.version, a.version));
  return found;
}

function searchFolders(): string[] {
  const onPath = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...new Set([...onPath, ...goPaths().map((path) => join(path, "bin"))])];
}

function goPaths(): string[] {
  const go = spawnSync("go", ["env", "GOPATH"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  // Without Go its default folder may still hold a binary.
  const paths = [go.status === 0 ? go.stdout.trim() : "", process.env["GOPATH"] ?? "", join(homedir(), "go")];
  return [...new Set(paths.flatMap((each) => each.split(delimiter)).filter((path) => path !== ""))];
}

/** A link to shoal is called nats-server where shoal stands in for it; shoal is not compared with itself. */
function binaryAt(path: string): NatsServerBinary | undefined {
  if (!isProgram(path) || basename(realpathSync(path)) === "shoal") return undefined;
  const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
  const version = /nats-server: v(\d+\.\d+\.\d+\S*)/.exec(stdout ?? "")?.[1];
  return version === undefined ? undefined : { path, version };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
