/** The text of --help, in the layout of nats-server's and made from the schema. */

import { withDashes } from "./formats/flags.ts";
import type { Option, Section } from "./option.ts";
import { OPTIONS } from "./schema.ts";
import { CIPHER_SUITES, CURVE_PREFERENCES } from "./values/tls-names.ts";

/** Column at which the descriptions begin. */
const DESCRIPTION_COLUMN = 37;

const GROUPS: readonly { readonly title: string; readonly sections: readonly Section[] }[] = [
  { title: "Server Options", sections: ["Server", "Limits", "Monitoring", "Lame duck"] },
  { title: "JetStream Options", sections: ["JetStream"] },
  { title: "Logging Options", sections: ["Logging"] },
  { title: "Authorization Options", sections: ["Authorization"] },
  { title: "TLS Options", sections: ["TLS"] },
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
  "TLS Options": [
    line("    --tls", "TLS for clients, without verification of theirs; --tls=false: none"),
    line("    --tlscert <file>", "Certificate of the server"),
    line("    --tlskey <file>", "Private key of the certificate"),
    line("    --tlsverify", "TLS for clients, which have to present a certificate; =optional: they may"),
    line("    --tlscacert <file>", "Certificates of who signed those of the clients"),
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
    line("    --help_tls", "Show what a tls block may contain"),
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

/** The text of --help_tls. */
export function tlsHelpText(): string {
  const list = (names: readonly string[]): string => names.map((name) => `    ${name}`).join("\n");
  return `
TLS for clients is turned on by a block in the configuration file, or by the flags --tlscert and --tlskey:

    tls {
        cert_file: "server-cert.pem"
        key_file:  "server-key.pem"
        ca_file:   "ca.pem"     # who signs certificates of clients
        verify:    true         # clients have to present one
        timeout:   2s
    }

The block of routes, cluster { tls { … } }, has the same keys. All keys are described in docs/security.md.

Cipher suites (cipher_suites):
${list(CIPHER_SUITES)}

Curves (curve_preferences):
${list(CURVE_PREFERENCES)}
`;
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
