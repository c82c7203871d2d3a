/**
 * Answers `$SYS.REQ.SERVER.….<kind>` and `$SYS.REQ.ACCOUNT.<account>.<kind>` with the documents of the monitoring endpoints, with the
 * options of nats-server's requests. Loaded at the first request.
 */
import { statisticsOf } from "../monitor/accounts.ts";
import type { Endpoints } from "../monitor/endpoints.ts";
import { accountJsz } from "../monitor/jsz.ts";
import { Query } from "../monitor/query.ts";
import type { MonitorSource } from "../monitor/source.ts";
import { flagOf, listOf, numberOf, Refusal, textOf, type Options } from "./options.ts";

/** null: this server does not answer. */
type Answerer = (asked: Asked) => object | null | Promise<object | null>;

interface Asked {
  readonly endpoints: Endpoints;
  readonly source: MonitorSource;
  readonly options: Options;
  /** "": the request is about the server. */
  readonly account: string;
}

const CONNECTION_STATES = ["open", "closed", "all"];
const HEALTH_TEXTS = ["account", "stream", "consumer"];
const HEALTH_FLAGS = [
  "js-enabled",
  "js-enabled-only",
  "js-server-only",
  "js-meta-only",
  "leaf-remotes-connected",
  "details",
];

const OF_SERVER: Readonly<Record<string, Answerer>> = {
  VARZ: ({ endpoints }) => endpoints.varz(),
  CONNZ: (asked) => ask(asked, "/connz", connzQuery(asked.options, textOf(asked.options, "acc"))),
  SUBSZ: (asked) =>
    ask(asked, "/subsz", {
      ...subszQuery(asked.options, textOf(asked.options, "account")),
      subs: flagOf(asked.options, "subscriptions") ? "1" : "",
    }),
  ROUTEZ: (asked) => ask(asked, "/routez", listQuery(asked.options)),
  GATEWAYZ: (asked) => ask(asked, "/gatewayz", {}),
  LEAFZ: (asked) => ask(asked, "/leafz", {}),
  ACCOUNTZ: (asked) => ask(asked, "/accountz", { acc: textOf(asked.options, "account") }),
  JSZ: jetStream,
  HEALTHZ: healthz,
  EXPVARZ: expvarz,
  MEMBERZ: (asked) => ask(asked, "/memberz", {}),
  IPQUEUESZ: () => ({}),
  RAFTZ: () => ({}),
  PROFILEZ: ({ options }) => ({ profile: null, error: noProfile(textOf(options, "name")) }),
};

const OF_ACCOUNT: Readonly<Record<string, Answerer>> = {
  CONNZ: (asked) => ask(asked, "/connz", connzQuery(asked.options, asked.account)),
  SUBSZ: (asked) => ask(asked, "/subsz", { ...subszQuery(asked.options, asked.account), subs: "1" }),
  LEAFZ: (asked) => ask(asked, "/leafz", {}),
  JSZ: accountJetStream,
  INFO: async (asked) => {
    const answer = await ask(asked, "/accountz", { acc: asked.account });
    return (answer as { account_detail: object }).account_detail;
  },
  STATZ: accountStatz,
};

export class Answers {
  private readonly endpoints: Endpoints;
  private readonly source: MonitorSource;

  constructor(endpoints: Endpoints, source: MonitorSource) {
    this.endpoints = endpoints;
    this.source = source;
  }

  /** Resolves in a later round of the event loop. */
  nextTurn(): Promise<void> {
    return this.endpoints.turns.next();
  }

  /** Rejects with BadRequest, BadQuery or Refusal. */
  async ofServer(kind: string, options: Options): Promise<object | null> {
    return (await OF_SERVER[kind]?.({ ...this.parts(options), account: "" })) ?? null;
  }

  async ofAccount(kind: string, account: string, options: Options): Promise<object | null> {
    return (await OF_ACCOUNT[kind]?.({ ...this.parts(options), account })) ?? null;
  }

  private parts(options: Options): Omit<Asked, "account"> {
    return { endpoints: this.endpoints, source: this.source, options };
  }
}

/** One that does not lead the group of all servers keeps silent where only the leader is asked. */
async function jetStream({ endpoints, options }: Asked): Promise<object | null> {
  const query = new URLSearchParams(jszQuery(options)).toString();
  return (await endpoints.ask("/jsz", new Query(query))).value ?? null;
}

async function ask(
  { endpoints }: Asked,
  endpoint: string,
  query: Readonly<Record<string, string>>,
): Promise<object> {
  const { value } = await endpoints.ask(endpoint, new Query(new URLSearchParams(query).toString()));
  if (value === undefined) throw new Error(`bug: ${endpoint} does not answer in JSON`);
  return value;
}

function connzQuery(options: Options, account: string): Record<string, string> {
  return {
    ...listQuery(options),
    ...pageQuery(options),
    sort: textOf(options, "sort"),
    auth: String(flagOf(options, "auth")),
    cid: String(numberOf(options, "cid")),
    state: CONNECTION_STATES[numberOf(options, "state")] ?? "unknown",
    user: textOf(options, "user"),
    mqtt_client: textOf(options, "mqtt_client"),
    search: textOf(options, "search"),
    acc: account,
  };
}

function subszQuery(options: Options, account: string): Record<string, string> {
  return {
    ...pageQuery(options),
    test: textOf(options, "test"),
    search: textOf(options, "search"),
    acc: account,
  };
}

function pageQuery(options: Options): Record<string, string> {
  return { offset: String(numberOf(options, "offset")), limit: String(numberOf(options, "limit")) };
}

function listQuery(options: Options): { subs: string } {
  if (flagOf(options, "subscriptions_detail")) return { subs: "detail" };
  return { subs: flagOf(options, "subscriptions") ? "1" : "" };
}

const JSZ_FLAGS = [
  ["accounts", "accounts"],
  ["streams", "streams"],
  ["consumers", "consumer"],
  ["direct-consumers", "direct_consumer"],
  ["config", "config"],
  ["leader-only", "leader_only"],
  ["raft", "raft"],
  ["stream-leader-only", "stream_leader_only"],
] as const;

function jszQuery(options: Options): Record<string, string> {
  const flags = JSZ_FLAGS.map(([name, option]): [string, string] => [name, String(flagOf(options, option))]);
  return { ...Object.fromEntries(flags), ...pageQuery(options), acc: textOf(options, "account") };
}

function accountJetStream({ source, options, account }: Asked): object {
  if (source.jetStream() === null) throw new Refusal("jetstream not enabled");
  if (source.accounts.get(account) === undefined)
    throw new Refusal(`account ${JSON.stringify(account)} not found`);
  const consumers = flagOf(options, "consumer");
  const details = {
    streams: flagOf(options, "streams"),
    consumers,
    config: flagOf(options, "config"),
    groups: flagOf(options, "raft"),
    ledOnly: flagOf(options, "stream_leader_only"),
  };
  const found = accountJsz(source, account, details);
  if (found === null) throw new Refusal(`account ${JSON.stringify(account)} not jetstream enabled`);
  return found;
}

async function healthz(asked: Asked): Promise<object> {
  const { endpoints, options } = asked;
  const query = new URLSearchParams();
  for (const name of HEALTH_TEXTS) query.set(name, textOf(options, name));
  for (const name of HEALTH_FLAGS) query.set(name, String(flagOf(options, name)));
  const { status, value } = await endpoints.ask("/healthz", new Query(query.toString()));
  const { status: word, ...rest } = value as { status: string };
  return { status: word, status_code: status, ...rest };
}

async function expvarz({ endpoints }: Asked): Promise<object> {
  const { body } = await endpoints.ask("/debug/vars", new Query(""));
  const { memstats, cmdline } = JSON.parse([...body].join("")) as Record<string, unknown>;
  return { memstats, cmdline };
}

/** Accounts without a connection to this server are omitted unless they are requested. */
function accountStatz({ source, options, account }: Asked): object | null {
  const names = account === "PING" ? listOf(options, "accounts") : [account];
  const isUsed = flagOf(options, "include_unused")
    ? () => true
    : (one: { connections: number }) => one.connections > 0;
  const shown = Array.from(source.accounts).filter(
    (one) => isUsed(one) && (names.length === 0 || names.includes(one.name)),
  );
  return shown.length === 0 && !flagOf(options, "include_unused") ? null : statisticsOf(source, shown);
}

function noProfile(name: string): string {
  return name === "" ? "Profile name not specified" : `Profile ${JSON.stringify(name)} not found`;
}
