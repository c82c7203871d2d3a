/**
 * The command line: one dash or two, `--flag value` or `--flag=value`, a switch takes a value only after `=`, and the first
 * word that is no flag ends them, all as in nats-server (which has it from Go).
 */
import { collect, type Problems } from "./apply-file.ts";
import type { Field } from "../config.ts";
import { ConfError, type Origin } from "./nats-conf/node.ts";
import type { Option, Sheet } from "../option.ts";
import { OPTION_BY_FLAG, UNSUPPORTED_BY_FLAG } from "../schema.ts";
import { nearestName } from "../suggest.ts";
import { tlsFromFlags, type ClientVerification } from "../values/tls.ts";
import { bool } from "../values/value-type.ts";

const SIGNALS = ["ldm", "stop", "quit", "term", "reopen", "reload"] as const;
export type SignalCommand = (typeof SIGNALS)[number];

export interface CommandLine {
  readonly action: "run" | "help" | "help-tls" | "version" | "check";
  readonly configFile: string | null;
  readonly signal: { readonly command: SignalCommand; readonly target: string | null } | null;
  /** Flags that are options, in the order given. */
  readonly options: readonly FlagUse[];
}

export interface FlagUse {
  /** Without dashes. */
  readonly name: string;
  readonly text: string;
}

/** Switches that set several fields: -DV and -DVV. */
const COMBINED: ReadonlyMap<string, readonly Field[]> = new Map([
  ["DV", ["log.debug", "log.trace"]],
  ["DVV", ["log.debug", "log.trace", "log.traceVerbose"]],
]);

const CONTROL_SWITCHES = new Map([
  ["h", "help"],
  ["help", "help"],
  ["v", "version"],
  ["version", "version"],
  ["t", "check"],
  ["help_tls", "help-tls"],
] as const);

/** Flags that make up a tls block together, which replaces that of the file. */
const TLS_SWITCHES: ReadonlySet<string> = new Set(["tls", "tlsverify"]);
const TLS_VALUES: ReadonlySet<string> = new Set(["tlscert", "tlskey", "tlscacert"]);

const CONTROL_VALUES = new Map([
  ["c", "config"],
  ["config", "config"],
  ["sl", "signal"],
  ["signal", "signal"],
] as const);

/** Every name that means something, for the suggestion after a typing error. */
const KNOWN_FLAGS = [
  ...OPTION_BY_FLAG.keys(),
  ...COMBINED.keys(),
  ...CONTROL_SWITCHES.keys(),
  ...CONTROL_VALUES.keys(),
  ...TLS_SWITCHES,
  ...TLS_VALUES,
];

/** Throws ConfError at the first thing that is wrong. */
export function parseFlags(argv: readonly string[]): CommandLine {
  const uses = [...splitArguments(argv)];
  const controls = new Map<string, string>();
  for (const { name, text } of uses) {
    const control = controlOf(name);
    if (control !== undefined) controls.set(control, text);
  }
  return {
    action: actionOf(controls),
    configFile: controls.get("config") || null,
    signal: signalOf(controls.get("signal")),
    options: uses.filter(({ name }) => controlOf(name) === undefined),
  };
}

export function applyFlags(uses: readonly FlagUse[], sheet: Sheet, problems: Problems): void {
  for (const use of uses) collect(problems, () => applyFlag(use, sheet, problems));
  const tls = uses.filter(({ name }) => TLS_SWITCHES.has(name) || TLS_VALUES.has(name));
  if (tls.length > 0) collect(problems, () => applyTlsFlags(tls, sheet));
}

/** `--tls=false` turns TLS off, whatever else is given. */
function applyTlsFlags(uses: readonly FlagUse[], sheet: Sheet): void {
  const texts = new Map(uses.map(({ name, text }) => [name, text]));
  const at: Origin = { kind: "flag", name: withDashes(uses[0]?.name ?? "tls") };
  if (texts.has("tls") && !isTrue("tls", texts.get("tls"))) return sheet.set("client.tls", null, at);
  const tls = tlsFromFlags({
    cert: texts.get("tlscert") ?? "",
    key: texts.get("tlskey") ?? "",
    ca: texts.get("tlscacert") ?? "",
    verify: verificationOf(texts.get("tlsverify")),
  });
  sheet.set("client.tls", tls, at);
}

function verificationOf(text: string | undefined): ClientVerification {
  if (text?.toLowerCase() === "optional") return "optional";
  return isTrue("tlsverify", text) ? "required" : "none";
}

function applyFlag({ name, text }: FlagUse, sheet: Sheet, problems: Problems): void {
  const at: Origin = { kind: "flag", name: withDashes(name) };
  const combined = COMBINED.get(name);
  if (combined === undefined) OPTION_BY_FLAG.get(name)?.assignFlag(sheet, text, at, problems);
  else
    for (const field of combined) sheet.set(field, bool.fromNode(bool.nodeFromText(text, at), problems), at);
}

/** The words of the command line as flags with their values; a command ("help", "version") becomes the flag. */
function* splitArguments(argv: readonly string[]): Generator<FlagUse, void> {
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    if (!/^-./.test(word)) return yield* readCommand(argv.slice(i));
    if (word === "--") return yield* readCommand(argv.slice(i + 1));
    const match = /^--?([^-=][^=]*)(?:=([^]*))?$/.exec(word);
    if (match === null) throw new ConfError(null, `bad flag syntax: ${word.replace(/=[^]*/, "=…")}`);
    const name = match[1] ?? "";
    if (refuseUnsupported(name, match[2])) continue;
    let value = match[2];
    if (value === undefined) {
      if (isSwitch(name)) value = "true";
      else if (++i < argv.length) value = argv[i] ?? "";
      else throw new ConfError(null, `flag needs an argument: ${withDashes(name)}`);
    }
    yield { name, text: value };
  }
}

/** nats-server knows two commands, in any case of letters. */
function* readCommand(words: readonly string[]): Generator<FlagUse, void> {
  const [command] = words;
  if (command === undefined) return;
  const name = command.toLowerCase();
  if (name !== "help" && name !== "version")
    throw new ConfError(null, `unrecognized command: ${JSON.stringify(command)}`);
  yield { name, text: "true" };
}

/** True for the switch of an unsupported feature that is turned off. */
function refuseUnsupported(name: string, value: string | undefined): boolean {
  const unsupported = UNSUPPORTED_BY_FLAG.get(name);
  if (unsupported === undefined) {
    if (KNOWN_FLAGS.includes(name)) return false;
    const near = nearestName(name, KNOWN_FLAGS);
    const hint = near === null ? "see --help" : `expected ${withDashes(near)}`;
    throw new ConfError(null, `flag provided but not defined: ${withDashes(name)}, ${hint}`);
  }
  const isOff = unsupported.isSwitch && value !== undefined && /^(?:false|f|0)$/i.test(value);
  if (!isOff)
    throw new ConfError(null, `flag ${withDashes(name)}: ${unsupported.feature} not supported by shoal yet`);
  return true;
}

function isSwitch(name: string): boolean {
  const option: Option | undefined = OPTION_BY_FLAG.get(name);
  if (option !== undefined) return option.typeName === bool.name;
  return COMBINED.has(name) || CONTROL_SWITCHES.has(name as never) || TLS_SWITCHES.has(name);
}

function controlOf(name: string): string | undefined {
  return CONTROL_SWITCHES.get(name as never) ?? CONTROL_VALUES.get(name as never);
}

function actionOf(controls: ReadonlyMap<string, string>): CommandLine["action"] {
  const isOn = (control: string): boolean => isTrue(control, controls.get(control));
  if (isOn("version")) return "version";
  if (isOn("help")) return "help";
  if (isOn("help-tls")) return "help-tls";
  return isOn("check") ? "check" : "run";
}

/** A switch that is not given is off. */
function isTrue(name: string, text: string | undefined): boolean {
  if (text === undefined) return false;
  const at: Origin = { kind: "flag", name: withDashes(name) };
  return bool.fromNode(bool.nodeFromText(text, at), { warn: () => undefined }) === true;
}

function signalOf(text: string | undefined): CommandLine["signal"] {
  if (text === undefined || text === "") return null;
  const [word = "", target = null, ...rest] = text.split("=");
  const command = SIGNALS.find((known) => known === word);
  if (command === undefined || rest.length > 0) {
    throw new ConfError(
      null,
      `flag --signal: expected one of ${SIGNALS.join(", ")}, then perhaps =<pid> or =<pid file>`,
    );
  }
  return { command, target: target === "" ? null : target };
}

/** As the help writes it: one dash before short names, two before long ones. */
export function withDashes(name: string): string {
  return /^.{1,2}$|^DVV$/.test(name) ? `-${name}` : `--${name}`;
}
