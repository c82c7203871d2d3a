/** `shoal doctor`: asks the servers of a cluster and says in lines what is unhealthy or idle. Prints nothing itself. */
import { parseArgs } from "node:util";
import { keepAwake, systemClock, type Clock } from "../../base/clock.ts";
import { diagnose } from "../../doctor/diagnose.ts";
import { linesOf, type Diagnosis } from "../../doctor/findings.ts";
import { gather } from "../../doctor/gather.ts";
import { readServer } from "../../doctor/reading.ts";
import { SystemClient, type ClientOptions } from "./client.ts";
import { questionsTo } from "./questions.ts";

export const HELP = `
Usage: shoal doctor [options]

Says why each unhealthy or idle server, route, leaf connection, stream and consumer of a cluster is as it is, and what to
do about it, one line for each. Asks shoals and nats-servers alike, as a client of the system account.

    -s, --server <url>[,<url>]   Servers to try (default: nats://127.0.0.1:4222; NATS_URL)
        --user <name>            User of the system account (NATS_USER)
        --password <password>    Its password (NATS_PASSWORD)
        --token <token>          A token instead (NATS_TOKEN)
        --creds <file>           Credentials of a user that an operator's account has signed (NATS_CREDS)
        --nkey <file>            The seed of an nkey (NATS_NKEY)
        --tlsca <file>           Certificates of who signed the server's; asks for TLS (NATS_CA)
        --tlscert <file>         Certificate of this client (NATS_CERT)
        --tlskey <file>          Its private key (NATS_KEY)
        --timeout <seconds>      How long servers are waited for at each question (default: 3)
        --json                   One JSON document instead of lines
    -h, --help                   Show this message

Exit code: 0 where nothing is unhealthy (something may be idle), 1 where something is, 2 where that cannot be told:
wrong options, no connection, no rights, no answer.
`;

const OPTIONS = {
  server: { type: "string", short: "s" },
  user: { type: "string" },
  password: { type: "string" },
  token: { type: "string" },
  creds: { type: "string" },
  nkey: { type: "string" },
  tlsca: { type: "string" },
  tlscert: { type: "string" },
  tlskey: { type: "string" },
  timeout: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

type Environment = Readonly<Record<string, string | undefined>>;

export interface DoctorVerdict {
  readonly exitCode: 0 | 1 | 2;
  /** To standard output, a line each. */
  readonly lines: readonly string[];
  /** To standard error; "": nothing. */
  readonly problem: string;
}

interface Wishes {
  readonly client: ClientOptions;
  readonly form: "lines" | "JSON";
}

const SECONDS_MAX = 3600;

/** `argv`: what follows the word doctor. */
export async function doctor(argv: readonly string[], env: Environment): Promise<DoctorVerdict> {
  using _ = keepAwake();
  try {
    const wishes = wishesOf(argv, env, systemClock);
    if (wishes === "help") return { exitCode: 0, lines: [HELP], problem: "" };
    const diagnosis = await examine(wishes.client);
    return {
      exitCode: diagnosis.status === "unhealthy" ? 1 : 0,
      lines: wishes.form === "JSON" ? [JSON.stringify(diagnosis, null, 2)] : linesOf(diagnosis),
      problem: "",
    };
  } catch (error) {
    return { exitCode: 2, lines: [], problem: error instanceof Error ? error.message : String(error) };
  }
}

async function examine(options: ClientOptions): Promise<Diagnosis> {
  const { timeoutMs, clock } = options;
  using client = await SystemClient.connect(options);
  const documents = await gather(questionsTo({ client, timeoutMs, clock }));
  if (documents.length === 0)
    throw new Error(
      `no server has answered within ${timeoutMs / 1000} s: wait longer with --timeout, and see whether the user may publish to $SYS.REQ.>`,
    );
  return diagnose(documents.map(readServer));
}

/** Throws with what is wrong with the options. */
function wishesOf(argv: readonly string[], env: Environment, clock: Clock): Wishes | "help" {
  const { values } = parseArgs({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: false });
  if (values.help === true) return "help";
  const seconds = Number(values.timeout ?? 3);
  if (!(seconds > 0 && seconds <= SECONDS_MAX))
    throw new Error(`--timeout: expected seconds up to ${SECONDS_MAX}, as in --timeout 10`);
  const of = (given: string | undefined, name: string): string | null => given ?? env[name] ?? null;
  return {
    form: values.json === true ? "JSON" : "lines",
    client: {
      servers: (of(values.server, "NATS_URL") ?? "nats://127.0.0.1:4222").split(",").map(urlOf),
      user: of(values.user, "NATS_USER"),
      password: of(values.password, "NATS_PASSWORD"),
      token: of(values.token, "NATS_TOKEN"),
      credentials: of(values.creds, "NATS_CREDS"),
      nkey: of(values.nkey, "NATS_NKEY"),
      ca: of(values.tlsca, "NATS_CA"),
      certificate: of(values.tlscert, "NATS_CERT"),
      key: of(values.tlskey, "NATS_KEY"),
      timeoutMs: seconds * 1000,
      clock,
    },
  };
}

function urlOf(text: string): URL {
  const url = URL.parse(text.includes("://") ? text.trim() : `nats://${text.trim()}`);
  if (url === null || !["nats:", "tls:"].includes(url.protocol) || url.hostname === "")
    throw new Error("--server: expected URLs such as nats://127.0.0.1:4222 or tls://nats.example:4222");
  return url;
}
