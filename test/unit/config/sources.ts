/** Configuration files in memory, and the real nats-server where it is installed. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { parseYaml } from "../../../src/config/formats/yaml.ts";
import type { Config } from "../../../src/config/config.ts";
import { loadConfig, type LoadResult } from "../../../src/config/load.ts";
import { findNatsServer } from "../../support/nats-server-binary.ts";

export interface Sources {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Files by name. The first is the configuration file. */
  readonly files?: Readonly<Record<string, string>>;
}

export function load({ args = [], env = {}, files = {} }: Sources): LoadResult {
  const [main] = Object.keys(files);
  const readFile = (path: string): Uint8Array => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error("not there"), { code: "ENOENT" });
    return Buffer.from(text);
  };
  return loadConfig([...(main === undefined ? [] : ["-c", main]), ...args], env, readFile, parseYaml);
}

export function configOf(sources: Sources): Config {
  const result = load(sources);
  if (result.kind !== "run") throw new Error(`expected a configuration, got ${JSON.stringify(result)}`);
  return result.config;
}

export function warningsOf(sources: Sources): readonly string[] {
  const result = load(sources);
  if (result.kind !== "run") throw new Error(`expected a configuration, got ${JSON.stringify(result)}`);
  return result.warnings;
}

export function errorsOf(sources: Sources): readonly string[] {
  const result = load(sources);
  return result.kind === "error" ? result.messages : [];
}

export interface Verdict {
  readonly accepts: boolean;
  /** "sha256:…" where it accepts. */
  readonly digest: string | null;
  readonly output: string;
}

export const natsServer = findNatsServer();

export function askNatsServer(path: string, text: string): Verdict {
  const folder = mkdtempSync(join(tmpdir(), "shoal-config-"));
  try {
    writeFileSync(join(folder, "test.conf"), text);
    const { status, stderr, stdout } = spawnSync(path, ["-t", "-c", "test.conf"], {
      cwd: folder,
      encoding: "utf8",
      env: {},
    });
    const output = stderr + stdout;
    return { accepts: status === 0, digest: /sha256:[0-9a-f]{64}/.exec(output)?.[0] ?? null, output };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
