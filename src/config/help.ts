/** The text of --help, in the layout of nats-server's and made from the schema. */

import { withDashes } from "./flags.ts";
import type { Option, Section } from "./option.ts";
import { OPTIONS } from "./schema.ts";

/** Column at which the descriptions begin. */
const DESCRIPTION_COLUMN = 37;

const GROUPS: readonly { readonly title: string; readonly sections: readonly Section[] }[] = [
  { title: "Server Options", sections: ["Server", "Limits", "Monitoring", "Lame duck"] },
  { title: "Logging Options", sections: ["Logging"] },
  { title: "Authorization Options", sections: ["Authorization"] },
  { title: "Cluster Options", sections: ["Cluster"] },
];

/** Flags that are no options of the configuration, by the group that they are shown in. */
const EXTRA: Readonly<Record<string, readonly string[]>> = {
  "Server Options": [
    line("-c, --config <file>", "Configuration file (also by the environment variable SHOAL__CONFIG)"),
    line("-t", "Test configuration and exit"),
    line(
      "-sl,--signal <signal>[=<pid>]",
      "Send signal to a shoal process (ldm, stop, quit, term, reopen, reload)",
    ),
    line("", "<pid> is a process id or the path to a PID file"),
  ],
  "Logging Options": [line("-DV", "Debug and trace"), line("-DVV", "Debug and verbose trace")],
};

export function helpText(): string {
  const groups = GROUPS.map(({ title, sections }) => {
    const options = OPTIONS.filter((option) => option.flags.length > 0 && sections.includes(option.section));
    return [`${title}:`, ...options.map(optionLine), ...(EXTRA[title] ?? [])].join("\n");
  });
  const common = [
    "Common Options:",
    line("-h, --help", "Show this message"),
    line("-v, --version", "Show version"),
  ];
  const outro =
    "Every option can also be set in the configuration file and by an environment variable:\n" +
    "see docs/configuration.md.";
  return [
    "",
    "Usage: shoal [options]",
    "",
    ...groups.flatMap((group) => [group, ""]),
    ...common,
    "",
    outro,
    "",
  ].join("\n");
}

function optionLine(option: Option): string {
  const names = option.flags.map(withDashes);
  const short = names.filter((name) => !name.startsWith("--"));
  const indent = short.length === 0 ? "    " : "";
  const value = option.flagValue === "" ? "" : ` ${option.flagValue}`;
  const isDefaultTold = !["", "false", "0", "no limit"].includes(option.defaultText);
  const note = isDefaultTold ? ` (default: ${option.defaultText})` : "";
  const status = option.status === "parsed" ? " (no effect yet)" : "";
  return line(`${indent}${names.join(", ")}${value}`, option.description + note + status);
}

function line(flags: string, description: string): string {
  const left = `    ${flags}`;
  if (left.length < DESCRIPTION_COLUMN - 1) return left.padEnd(DESCRIPTION_COLUMN) + description;
  return `${left}\n${" ".repeat(DESCRIPTION_COLUMN)}${description}`;
}
