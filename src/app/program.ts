/**
 * The name by which the program was called. Called as nats-server, by a link of that name, it looks like nats-server to what
 * starts it: lines of the log also without a terminal, the name of the ports file, the texts of refused configurations, the
 * version, and the name of the process. `bin/shoal` passes the name on in SHOAL_CALLED_AS; without it the name is shoal.
 */
import { writeFileSync } from "node:fs";
import type { LoadResult } from "../config/load.ts";
import type { LogOptions } from "../log/log.ts";
import { NATS_LEVEL, VERSION } from "./process/version.ts";

export interface Program {
  readonly name: string;
  readonly isNatsServer: boolean;
}

const NATS_SERVER = "nats-server";

export function programOf(env: Readonly<Record<string, string | undefined>>): Program {
  const name = env["SHOAL_CALLED_AS"] || "shoal";
  return { name, isNatsServer: name === NATS_SERVER };
}

export function versionText({ name, isNatsServer }: Program): string {
  return isNatsServer ? `${name}: v${NATS_LEVEL}` : `shoal: v${VERSION} (nats-server v${NATS_LEVEL} level)`;
}

/** One line for each thing that is wrong. */
export function refusalLines(
  { name, isNatsServer }: Program,
  refused: LoadResult & { kind: "error" },
): string[] {
  return refused.messages.map((message, i) => {
    const isParseError = isNatsServer && refused.isParseError && i === 0;
    const line = refused.position?.line ?? 0;
    return `${name}: ${isParseError ? `Parse error on line ${line}: '${message}'` : message}`;
  });
}

export function logOptionsAs({ isNatsServer }: Program, options: LogOptions): LogOptions {
  return isNatsServer && options.format === "auto" ? { ...options, format: "classic" } : options;
}

/** Lets tools that look for processes by name or by command line find it as nats-server. */
export function nameProcess({ isNatsServer }: Program, argv: readonly string[]): void {
  if (!isNatsServer) return;
  process.title = [NATS_SERVER, ...argv].join(" ");
  try {
    // Setting the title has made the whole command line the name of the process.
    writeFileSync("/proc/self/comm", NATS_SERVER);
  } catch {
    // Only Linux has it; elsewhere the title is the name.
  }
}
