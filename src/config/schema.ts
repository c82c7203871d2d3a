/**
 * The one table of all options: the source of flags, environment names, defaults, what a reload can change, the help text
 * and docs/configuration.md. Sections are put together and indexed here; each section is a file in sections/.
 */
import { assert } from "../base/assert.ts";
import type { InertKind, Option, Section, Unsupported } from "./option.ts";
import { accounts } from "./sections/accounts.ts";
import { authorization } from "./sections/authorization.ts";
import { client } from "./sections/client.ts";
import { cluster } from "./sections/cluster.ts";
import { jetStream } from "./sections/jetstream.ts";
import { jetStreamLimits } from "./sections/jetstream-limits.ts";
import { log } from "./sections/log.ts";
import { metrics } from "./sections/metrics.ts";
import { monitor } from "./sections/monitor.ts";
import { operator } from "./sections/operator.ts";
import { server } from "./sections/server.ts";
import { leafNodes } from "./sections/leafnodes.ts";
import { websocket } from "./sections/websocket.ts";
import { UNBUILT, WITHOUT_EFFECT } from "./sections/unbuilt.ts";

/** A derived default sees the plain defaults of all sections, and the derived ones of the sections before its own. */
const SECTIONS = {
  server,
  client,
  authorization,
  operator,
  accounts,
  log,
  monitor,
  metrics,
  jetStream,
  jetStreamLimits,
  cluster,
  websocket,
  leafNodes,
};

type AllSections = typeof SECTIONS;
type FieldsOf<S> = S extends Section<infer Seen, infer N> ? Seen[N] : never;
/** The type of each section's fields. */
export type Sections = { readonly [S in keyof AllSections]: FieldsOf<AllSections[S]> };

/** The sections as finish.ts uses them: it hands each the whole configuration. */
export const ALL_SECTIONS = Object.values(SECTIONS) as unknown as readonly Section<
  Sections,
  keyof Sections
>[];

export const OPTIONS: readonly Option[] = ALL_SECTIONS.flatMap(({ rows }) => rows);

const FIRST_HEADINGS = [
  "Server",
  "Limits",
  "Authorization",
  "Accounts",
  "Operator mode",
  "TLS",
  "Logging",
  "Monitoring",
  "Lame duck",
];

/** In the order in which the documentation shows them. */
export const HEADINGS: readonly string[] = [
  ...new Set([...FIRST_HEADINGS, ...OPTIONS.map(({ heading }) => heading)]),
];

/** By every key a file may use: names and aliases, dotted. */
export const OPTION_BY_KEY: ReadonlyMap<string, Option> = new Map(
  OPTIONS.flatMap((option) => keysOf(option).map((key) => [key, option] as const)),
);

/** By the name of a flag, without dashes. */
export const OPTION_BY_FLAG: ReadonlyMap<string, Option> = new Map(
  OPTIONS.flatMap((option) => option.flags.map((flag) => [flag, option] as const)),
);

/** By the name of an environment variable. */
export const OPTION_BY_ENV: ReadonlyMap<string, Option> = new Map(
  OPTIONS.flatMap((option) => (option.env === null ? [] : [[option.env, option] as const])),
);

const INITIALS = OPTIONS.flatMap(({ initials }) => initials.map(([field]) => field));
assert(new Set(INITIALS).size === INITIALS.length, "a field has its default in one row");
assert(
  OPTIONS.every(({ fields }) => fields.every((field) => INITIALS.includes(field))),
  "a field that an option sets has a default",
);
assert(OPTION_BY_KEY.size === OPTIONS.flatMap(keysOf).length, "a key belongs to one option");
assert(OPTION_BY_FLAG.size === OPTIONS.flatMap(({ flags }) => flags).length, "a flag belongs to one option");
assert(
  OPTION_BY_ENV.size === OPTIONS.filter(({ env }) => env !== null).length,
  "an environment variable belongs to one option",
);

/** The dotted names of blocks: "cluster", "cluster.authorization", … */
export const BLOCKS: ReadonlySet<string> = new Set(
  OPTIONS.flatMap(({ key }) => key.split(".").map((_, i, parts) => parts.slice(0, i).join("."))).filter(
    (block) => block !== "",
  ),
);

/** Dotted names of blocks by others that a file may use. */
export const BLOCK_BY_ALIAS: ReadonlyMap<string, string> = new Map(
  ALL_SECTIONS.flatMap(({ blockAliases = {} }) => Object.entries(blockAliases)),
);

assert(
  [...BLOCK_BY_ALIAS].every(([alias, block]) => BLOCKS.has(block) && !BLOCKS.has(alias)),
  "a block has its aliases besides its name",
);

const UNSUPPORTED: readonly Unsupported[] = [
  ...UNBUILT,
  ...ALL_SECTIONS.flatMap(({ unsupported = [] }) => unsupported),
];

export const UNSUPPORTED_BY_KEY: ReadonlyMap<string, Unsupported> = new Map(
  UNSUPPORTED.flatMap((one) => one.keys.map((key) => [key, one] as const)),
);

export const UNSUPPORTED_BY_FLAG: ReadonlyMap<string, Unsupported & { readonly isSwitch: boolean }> = new Map(
  UNSUPPORTED.flatMap((one) =>
    (one.flags ?? []).map(({ name, isSwitch }) => [name, { ...one, isSwitch }] as const),
  ),
);

assert(
  ![...UNSUPPORTED_BY_KEY.keys()].some((key) => OPTION_BY_KEY.has(key)),
  "an option is not among the unsupported keys",
);

export const KEYS_WITHOUT_EFFECT: ReadonlyMap<string, InertKind> = new Map(
  [WITHOUT_EFFECT, ...ALL_SECTIONS.map(({ withoutEffect = {} }) => withoutEffect)].flatMap(Object.entries),
);

function keysOf({ key, aliases }: Option): string[] {
  const block = key.slice(0, key.lastIndexOf(".") + 1);
  return [key, ...aliases.map((alias) => block + alias)];
}
