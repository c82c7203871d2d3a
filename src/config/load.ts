/**
 * From the command line, the environment and a file to what the process shall do. Later wins: defaults, file, environment,
 * flags. Reads files, prints nothing, ends nothing.
 */
import { atOnce, inRounds, type Pieces } from "../base/pieces.ts";
import { applyEnv, configFileFromEnv } from "./formats/env.ts";
import { applyFile, collectPieces, type Problems } from "./formats/apply-file.ts";
import type { Config, Field } from "./config.ts";
import { configDigest } from "./formats/digest.ts";
import {
  readConfigFile,
  readFileFromDisk,
  YamlNeeded,
  type ConfigOrigins,
  type Environment,
  type ParseYaml,
  type ReadFile,
} from "./formats/file.ts";
import { advice, contradictions, finish } from "./finish.ts";
import { applyFlags, parseFlags, type CommandLine, type SignalCommand } from "./formats/flags.ts";
import { helpText, tlsHelpText } from "./help.ts";
import {
  ConfError,
  ParseError,
  describeOrigin,
  positionIn,
  type Origin,
  type Position,
} from "./formats/nats-conf/node.ts";
import { Sheet } from "./option.ts";

/** Errors, and warnings, that are reported at most. */
const MESSAGES_MAX = 50;

export type LoadResult =
  | {
      readonly kind: "run";
      readonly config: Config;
      /** One line each, to be logged. */
      readonly warnings: readonly string[];
      /** As `config_digest` of nats-server: "sha256:…", "" without a file. */
      readonly digest: string;
      readonly configFile: string | null;
      /** There is a file, and it says nothing. */
      readonly isEmpty: boolean;
      /** All that were read: the configuration file and those that it includes. */
      readonly files: readonly string[];
      /** Where a file sets it; null where none does. */
      positionOf(field: Field): Position | null;
    }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "version" }
  /** `text` is without the name of the program. The files that the configuration names have not been opened. */
  | { readonly kind: "check-ok"; readonly text: string; readonly config: Config }
  /** `pid` null: the one shoal process that runs. */
  | { readonly kind: "signal"; readonly command: SignalCommand; readonly pid: number | null }
  /** One line each, without the name of the program. */
  | {
      readonly kind: "error";
      readonly messages: readonly string[];
      /** Position of the first error that is in a file. */
      readonly position: Position | null;
      /** The first error is that a file cannot be read as a configuration at all. */
      readonly isParseError: boolean;
      readonly files: readonly string[];
    };

/**
 * As `loadConfig`, and brings the reader of YAML along where a file needs it. In pieces, one for each round of the event loop: a
 * running server goes on between them while it loads a long file again.
 */
export async function loadConfigInAnyFormat(
  argv: readonly string[],
  env: Environment,
  readFile: ReadFile = readFileFromDisk,
  parseYaml: ParseYaml | null = null,
): Promise<LoadResult> {
  try {
    return await inRounds(loadInPieces(argv, { env, readFile, parseYaml }));
  } catch (error) {
    if (!(error instanceof YamlNeeded)) throw error;
    const yaml = await import("./formats/yaml.ts");
    return loadConfigInAnyFormat(argv, env, readFile, yaml.parseYaml);
  }
}

/** Throws YamlNeeded where a file is YAML and its reader is not given. */
export function loadConfig(
  argv: readonly string[],
  env: Environment,
  readFile: ReadFile = readFileFromDisk,
  parseYaml: ParseYaml | null = null,
): LoadResult {
  return atOnce(loadInPieces(argv, { env, readFile, parseYaml }));
}

function* loadInPieces(argv: readonly string[], origins: ConfigOrigins): Pieces<LoadResult> {
  try {
    return yield* perform(parseFlags(argv), origins);
  } catch (error) {
    if (!(error instanceof ConfError)) throw error;
    return refused([], [error], []);
  }
}

function* perform(line: CommandLine, origins: ConfigOrigins): Pieces<LoadResult> {
  const { env, readFile } = origins;
  if (line.action === "version") return { kind: "version" };
  if (line.action === "help") return { kind: "help", text: helpText() };
  if (line.action === "help-tls") return { kind: "help", text: tlsHelpText() };
  if (line.signal !== null) {
    return { kind: "signal", command: line.signal.command, pid: pidOf(line.signal.target, readFile) };
  }
  const configFile = line.configFile ?? configFileFromEnv(env);
  if (line.action === "run") return (yield* load(line, configFile, origins)).result;
  if (configFile === null) {
    throw new ConfError(null, "must specify [-c, --config] option to check configuration file syntax");
  }
  return check(configFile, yield* load(line, configFile, origins));
}

/** Where nats-server's -t finds a file odd, it refuses it; so do we. Advice on values that would run is no reason. */
function check(configFile: string, { result, oddities }: Loaded): LoadResult {
  if (result.kind !== "run") return result;
  if (oddities.length > 0) return refused(oddities, [], result.files);
  const text = `configuration file ${configFile} is valid (${result.digest})`;
  return { kind: "check-ok", text, config: result.config };
}

interface Loaded {
  readonly result: LoadResult;
  readonly oddities: readonly string[];
}

function* load(line: CommandLine, configFile: string | null, origins: ConfigOrigins): Pieces<Loaded> {
  const sheet = new Sheet();
  const errors: ConfError[] = [];
  const files: string[] = [];
  const oddities: string[] = [];
  const problems = collectInto(errors, oddities);
  let digest = "";
  let isEmpty = false;
  if (configFile !== null) {
    const readFile = (path: string): Uint8Array => {
      files.push(path);
      return origins.readFile(path);
    };
    const reading = readConfigFile(configFile, { ...origins, readFile });
    const root = yield* collectPieces(problems, reading);
    yield;
    isEmpty = root?.entries.size === 0;
    if (isEmpty) oddities.push(`${configFile}: config has no values or is empty`);
    if (root !== null) {
      yield* applyFile(root, sheet, problems);
      yield;
      digest = yield* configDigest(root);
    }
    yield;
  }
  applyEnv(origins.env, sheet, problems);
  applyFlags(line.options, sheet, problems);
  const config = finish(sheet);
  errors.push(...contradictions(config, sheet));
  if (errors.length > 0) return { result: refused(oddities, errors, files), oddities };
  const warnings = [...oddities, ...advice(config, sheet)];
  const positionOf = (field: Field): Position | null => fileIn([sheet.get(field)?.at]);
  return {
    result: { kind: "run", config, warnings, digest, configFile, isEmpty, files, positionOf },
    oddities,
  };
}

function refused(
  oddities: readonly string[],
  errors: readonly ConfError[],
  files: readonly string[],
): LoadResult {
  return {
    kind: "error",
    messages: [...oddities, ...errors.map(({ message }) => message)],
    position: fileIn(errors.map(({ at }) => at)),
    isParseError: errors[0] instanceof ParseError,
    files,
  };
}

/** The first that is in a file. */
function fileIn(origins: readonly (Origin | null | undefined)[]): Position | null {
  const inFile = origins.find((at) => at?.kind === "file");
  return inFile?.kind === "file" ? positionIn(inFile) : null;
}

/** Keeps the first of each kind: finding the line of an error takes time, and nobody reads thousands. */
function collectInto(errors: ConfError[], oddities: string[]): Problems {
  return {
    error: (error) => void errors.push(error),
    isFull: () => errors.length >= MESSAGES_MAX,
    warn(at, text) {
      if (oddities.length < MESSAGES_MAX) oddities.push(`${describeOrigin(at)}: ${text}`);
    },
  };
}

/** A number is a process id, anything else the name of a file that holds one. */
function pidOf(target: string | null, readFile: ReadFile): number | null {
  if (target === null) return null;
  const text = /^\d+$/.test(target) ? target : pidFileText(target, readFile);
  const pid = Number(text);
  if (!/^\d{1,10}$/.test(text) || pid === 0) {
    throw new ConfError(null, `flag --signal: expected a process id, or a file with one, after the "="`);
  }
  return pid;
}

function pidFileText(path: string, readFile: ReadFile): string {
  try {
    return new TextDecoder().decode(readFile(path)).trim();
  } catch {
    throw new ConfError(null, `flag --signal: cannot read the pid file ${path}`);
  }
}
