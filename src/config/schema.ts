/**
 * The one table of all options: the source of flags, environment names, defaults, what a reload can change, the help text
 * and docs/configuration.md. Its rows are in options-*.ts; here they are put together and indexed.
 */

import { clusterOptions } from "./sections/cluster.ts";
import { accountOptions } from "./sections/accounts.ts";
import { clientOptions } from "./sections/client.ts";
import { jetStreamOptions } from "./sections/jetstream.ts";
import { logOptions } from "./sections/log.ts";
import { serverOptions } from "./sections/server.ts";
import { tlsOptions } from "./sections/tls.ts";
import type { Option, Section } from "./option.ts";

export const SECTIONS: readonly Section[] = [
  "Server",
  "Limits",
  "Authorization",
  "Accounts",
  "TLS",
  "Logging",
  "Monitoring",
  "Lame duck",
  "JetStream",
  "Cluster",
];

export const OPTIONS: readonly Option[] = [
  ...serverOptions,
  ...clientOptions,
  ...accountOptions,
  ...logOptions,
  ...jetStreamOptions,
  ...clusterOptions,
  ...tlsOptions,
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

/** The dotted names of blocks: "cluster", "cluster.authorization", … */
export const BLOCKS: ReadonlySet<string> = new Set(
  OPTIONS.flatMap(({ key }) => key.split(".").map((_, i, parts) => parts.slice(0, i).join("."))).filter(
    (b) => b !== "",
  ),
);

function keysOf({ key, aliases }: Option): string[] {
  const block = key.slice(0, key.lastIndexOf(".") + 1);
  return [key, ...aliases.map((alias) => block + alias)];
}
