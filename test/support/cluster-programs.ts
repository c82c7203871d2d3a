/**
 * Finds the server programs that a mixed cluster is made of: shoal from this project, an old nats-server (2.9, one
 * unpooled route) and the newest nats-server on this machine (pooled routes, a route of its own for the system account).
 *
 * NATS_SERVER_29 and NATS_SERVER name the two; nats-server-binary.ts says what is taken without them. SHOAL_BIN puts another
 * program in shoal's place: a built package, or the real nats-server to check these tests themselves.
 * On a person's machine a missing nats-server skips tests, loudly; where CI=true it fails them.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findNatsServer, findOldNatsServer, noticeOnComparisons } from "./nats-server-binary.ts";

export type ServerKind = "shoal" | "nats-2.9" | "nats-new";

const shoalPath = join(import.meta.dirname, "../../bin/shoal");

/** The command that starts a server of this kind; undefined where the machine has none. */
export function findProgram(kind: ServerKind): string | undefined {
  switch (kind) {
    case "shoal":
      return process.env["SHOAL_BIN"] ?? shoalPath;
    case "nats-2.9":
      return findOldNatsServer()?.path;
    case "nats-new":
      return findNatsServer()?.path;
  }
}

/** The kinds that this machine cannot start. Says so on stderr, or throws where CI=true. */
export function missingKinds(kinds: readonly ServerKind[]): ServerKind[] {
  const missing = kinds.filter((kind) => findProgram(kind) === undefined);
  if (missing.length === 0) return missing;
  const complaint =
    `no nats-server for: ${missing.join(", ")}. Set NATS_SERVER (newest) and NATS_SERVER_29 (2.9.x) to the ` +
    `programs, or put them on PATH (${noticeOnComparisons() ?? "the newest is there"}). Mixed clusters with them`;
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
