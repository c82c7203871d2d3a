/** The text of --help, in the layout of nats-server's and made from the schema. */
import { withDashes } from "./formats/flags.ts";
import type { Option } from "./option.ts";
import { HEADINGS, OPTIONS } from "./schema.ts";
import { CIPHER_SUITES, CURVE_PREFERENCES } from "./values/tls-names.ts";

/** Column at which the descriptions begin. */
const DESCRIPTION_COLUMN = 37;

interface Group {
  readonly title: string;
  readonly headings: readonly string[];
}

const FIRST_GROUP: Group = {
  title: "Server Options",
  headings: ["Server", "Limits", "Monitoring", "Lame duck"],
};
const ORDER = ["JetStream", "Logging", "Authorization", "TLS", "Cluster"];

/** A group for each heading that has flags; "Server Options" has several. */
function groups(): Group[] {
  const others = [...new Set([...ORDER, ...HEADINGS])].filter(
    (heading) =>
      !FIRST_GROUP.headings.includes(heading) &&
      (heading in EXTRA || OPTIONS.some((option) => option.heading === heading && option.flags.length > 0)),
  );
  return [FIRST_GROUP, ...others.map((heading) => ({ title: `${heading} Options`, headings: [heading] }))];
}

/** Flags that are not options of the configuration, by the first heading of the group that shows them. */
const EXTRA: Readonly<Record<string, readonly string[]>> = {
  Server: [
    line("-c, --config <file>", "Configuration file (also by the environment variable SHOAL__CONFIG)"),
    line("-t", "Test configuration and exit"),
    line(
      "-sl,--signal <signal>[=<pid>]",
      "Send signal to a shoal process (ldm, stop, quit, term, reopen, reload)",
    ),
    line("", "<pid> is a process id or the path to a PID file"),
  ],
  TLS: [
    line("    --tls", "TLS for clients, without verification of theirs; --tls=false: none"),
    line("    --tlscert <file>", "Certificate of the server"),
    line("    --tlskey <file>", "Private key of the certificate"),
    line("    --tlsverify", "TLS for clients, which have to present a certificate; =optional: they may"),
    line("    --tlscacert <file>", "Certificates of who signed those of the clients"),
  ],
  Logging: [line("-DV", "Debug and trace"), line("-DVV", "Debug and verbose trace")],
};

export function helpText(): string {
  const texts = groups().map(({ title, headings }) => {
    const options = OPTIONS.filter((option) => option.flags.length > 0 && headings.includes(option.heading));
    return [`${title}:`, ...options.map(optionLine), ...(EXTRA[headings[0] ?? ""] ?? [])].join("\n");
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
    "or: shoal doctor --help          what is unhealthy or idle in a cluster, and why",
    "",
    ...texts.flatMap((group) => [group, ""]),
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
