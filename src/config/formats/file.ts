/**
 * Reads a configuration file, and those it includes, into one tree. The ending of the name decides the format: .yaml and
 * .yml are YAML, all else (.conf, .json) is the NATS format. Bounds the bytes, the depth of includes and their cycles.
 */
import { dirname, isAbsolute, join, resolve } from "node:path";
import { closeSync, openSync, readSync } from "node:fs";
import type { Pieces } from "../../base/pieces.ts";
import { CONFIG_BYTES_MAX, INCLUDE_DEPTH_MAX, newBudget, type Budget } from "./nats-conf/limits.ts";
import { ConfError, type MapNode, type Origin, type SourceText } from "./nats-conf/node.ts";
import { parseConf, type ParseContext } from "./nats-conf/parser.ts";

/** That of yaml.ts, which costs 9 MB and is seldom needed. */
export type ParseYaml = (source: SourceText, context: ParseContext) => Pieces<MapNode>;

/** A YAML file is to be read, and there is no reader for it. */
export class YamlNeeded extends Error {}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Returns the bytes of a file, or throws an Error as node:fs does. */
export type ReadFile = (path: string) => Uint8Array;

/** Where a configuration comes from, beside the command line. */
export interface ConfigOrigins {
  readonly env: Environment;
  readonly readFile: ReadFile;
  /** null: not loaded. */
  readonly parseYaml: ParseYaml | null;
}

/** Throws YamlNeeded where a file is YAML and its reader has not been loaded. */
export function readConfigFile(path: string, origins: ConfigOrigins): Pieces<MapNode> {
  return readTree(path, null, { ...origins, budget: newBudget(), open: [] });
}

/** Reads at most one byte more than is allowed, so that a wrong path cannot fill the memory. */
export function readFileFromDisk(path: string): Uint8Array {
  const file = openSync(path, "r");
  try {
    const pieces: Uint8Array[] = [];
    for (let left = CONFIG_BYTES_MAX + 1; left > 0;) {
      const piece = Buffer.alloc(Math.min(left, 65_536));
      const count = readSync(file, piece);
      if (count === 0) break;
      pieces.push(piece.subarray(0, count));
      left -= count;
    }
    return Buffer.concat(pieces);
  } finally {
    closeSync(file);
  }
}

interface Reading extends ConfigOrigins {
  readonly budget: Budget;
  /** Absolute names of the files being read, outermost first. */
  readonly open: readonly string[];
}

function* readTree(path: string, at: Origin | null, reading: Reading): Pieces<MapNode> {
  const absolute = resolve(path);
  if (reading.open.includes(absolute)) throw new ConfError(at, `${path} includes itself`);
  if (reading.open.length > INCLUDE_DEPTH_MAX) {
    throw new ConfError(at, `includes nest too deep: at most ${INCLUDE_DEPTH_MAX} levels are read`);
  }
  const source = readSource(path, at, reading);
  const inner: Reading = { ...reading, open: [...reading.open, absolute] };
  const context = {
    budget: reading.budget,
    environment: (name: string) => reading.env[name],
    include: (name: string, includedAt: Origin) =>
      readTree(isAbsolute(name) ? name : join(dirname(path), name), includedAt, inner),
  };
  if (!/\.ya?ml$/i.test(path)) return yield* parseConf(source, context);
  const { parseYaml } = reading;
  if (parseYaml === null) throw new YamlNeeded(`${path} is YAML, whose reader is not loaded`);
  return yield* parseYaml(source, context);
}

function readSource(path: string, at: Origin | null, reading: Reading): SourceText {
  const bytes = readBytes(path, at, reading.readFile);
  reading.budget.bytes -= bytes.length;
  if (reading.budget.bytes < 0) {
    throw new ConfError(
      at,
      `${path}: a configuration may have ${CONFIG_BYTES_MAX} bytes at most, this has more`,
    );
  }
  try {
    return { name: path, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    throw new ConfError(at, `${path}: expected text in UTF-8, but it has other bytes`);
  }
}

function readBytes(path: string, at: Origin | null, readFile: ReadFile): Uint8Array {
  try {
    return readFile(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const reason =
      code === "ENOENT"
        ? "no such file or directory"
        : code === "EACCES"
          ? "permission denied"
          : code === "EISDIR"
            ? "is a directory"
            : String(error);
    throw new ConfError(at, `open ${path}: ${reason}`);
  }
}
