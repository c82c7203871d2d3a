/**
 * Writes docs/configuration.md from the schema. With --check it writes nothing and exits 1 if the file is not what it
 * would write.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";

import { withDashes } from "../src/config/formats/flags.ts";
import type { Option } from "../src/config/option.ts";
import { HEADINGS, OPTIONS, UNSUPPORTED_BY_FLAG, UNSUPPORTED_BY_KEY } from "../src/config/schema.ts";

const FILE = join(import.meta.dirname, "..", "docs", "configuration.md");

const INTRODUCTION = `# Configuration

<!-- Made by scripts/configuration-docs.ts from src/config/. Change the schema, then run the script. -->

An option can be set in four places. Where several set it, the later in this list wins:

1. its default,
2. the configuration file (\`-c file\`, or the environment variable \`SHOAL__CONFIG\`),
3. an environment variable,
4. a flag.

\`shoal -c file -t\` checks a configuration and exits with 0 if it is good, 1 if not. Errors name the file, line and column.

The column Change by says when a changed value takes effect: at a restart, or already at a [reload](reload.md).

## The file

The file is in the [configuration format of NATS](https://docs.nats.io/running-a-nats-service/configuration): comments,
\`include\`, variables and JSON as there. A file named \`.yaml\` or \`.yml\` is YAML with the same keys.

- **Sizes**: \`K\` is 1000 bytes, \`KB\` and \`Ki\` are 1024; likewise \`M\`, \`G\`, \`T\`.
- **Durations**: \`"300ms"\`, \`"2s"\`, \`"1m30s"\`. Quote them: without quotes \`5m\` is the number 5 000 000. Those longer
  than 24 days count as 24 days.
- **Included files** are looked up beside the file that includes them. All files of a configuration together may have 8 MB.
- **Variables**: \`$NAME\` is a key defined earlier in the same or an outer block, else an environment variable. A bcrypt
  hash (\`$2a$…\`) is no variable.

Keys that nats-server knows and shoal does not support yet are refused by name, unless their value turns the feature off.
Stricter than nats-server: ports above 65535, \`max_payload\` above \`max_pending\` and the like are found by \`-t\` already,
an opened \`{\` must be closed, and unknown \`SHOAL__\` variables are errors. More lenient: \`lame_duck_duration\` may be less
than 30 s.

## The environment

The variable of an option is \`SHOAL__\` and the key in capitals, with \`__\` for each dot: \`cluster.ping_interval\` is
\`SHOAL__CLUSTER__PING_INTERVAL\`. These names cannot collide with what Kubernetes sets for Services, whatever they are
called. An empty variable counts as not set. Lists are written with commas; blocks and lists of blocks in the NATS format or
JSON: \`SHOAL__AUTHORIZATION__USERS=[{user: a, password: b}]\`.
`;

const COLUMNS =
  "| Key | Type | Default | Flag | Environment | Change by | Description |\n| --- | --- | --- | --- | --- | --- | --- |";

function sectionTable(section: string): string {
  const rows = OPTIONS.filter((option) => option.heading === section).map(row);
  return [`## ${section}`, "", COLUMNS, ...rows, ""].join("\n");
}

function row(option: Option): string {
  const names = [option.key, ...option.aliases.map((alias) => alias)].map(code);
  const cells = [
    names.length > 1 ? `${names[0]} (also ${names.slice(1).join(", ")})` : (names[0] ?? ""),
    option.typeName,
    option.defaultText === "" ? "" : option.defaultText,
    option.flags.map(withDashes).map(code).join(", "),
    option.env === null ? "" : code(option.env),
    option.reload === "live" ? "reload" : "restart",
    option.description.replaceAll("<", "&lt;") + (option.status === "parsed" ? ". **No effect yet**" : ""),
  ];
  return `| ${cells.join(" | ")} |`;
}

function unsupported(): string {
  const features = Map.groupBy(UNSUPPORTED_BY_KEY, ([, { feature }]) => feature);
  const flags = Map.groupBy(UNSUPPORTED_BY_FLAG, ([, { feature }]) => feature);
  const rows = [...new Set([...features.keys(), ...flags.keys()])].map((feature) => {
    const keys = (features.get(feature) ?? []).map(([key]) => code(key)).join(", ");
    const names = (flags.get(feature) ?? []).map(([name]) => code(withDashes(name))).join(", ");
    return `| ${feature.replace(/ (is|are)$/, "")} | ${keys} | ${names} |`;
  });
  return ["## Not supported yet", "", "| Feature | Keys | Flags |", "| --- | --- | --- |", ...rows, ""].join(
    "\n",
  );
}

function code(text: string): string {
  return `\`${text}\``;
}

async function page(): Promise<string> {
  const text = [INTRODUCTION, ...HEADINGS.map(sectionTable), unsupported()].join("\n");
  return format(text, { ...(await resolveConfig(FILE)), parser: "markdown" });
}

const wanted = await page();
if (!process.argv.includes("--check")) {
  writeFileSync(FILE, wanted);
} else if (readFileSync(FILE, "utf8") !== wanted) {
  console.error("docs/configuration.md is stale: run node scripts/configuration-docs.ts");
  process.exitCode = 1;
}
