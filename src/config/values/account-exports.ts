/** Reads the exports and imports of an account. Whether those of all accounts fit together is checked in account-checks.ts. */
import { durationFromText } from "../../base/duration.ts";
import { isValidSubject } from "../../subject/subject.ts";
import { ConfError, type ConfNode, type MapNode, type Origin } from "../formats/nats-conf/node.ts";
import { subjectTextOf } from "./mappings.ts";
import { field, listOf, record, stringTo, type NodeReader } from "./record.ts";
import { booleanOf, integerOf, percentOf, stringOf } from "./value-type.ts";

/** The number of messages that answer a request. */
type ResponseType = "singleton" | "stream" | "chunked";

interface LatencyConfig {
  readonly subject: string;
  /** Percent; null: the headers of requests decide. */
  readonly sampling: number | null;
}

interface Exported {
  readonly subject: string;
  /** null: all. */
  readonly accounts: readonly string[] | null;
  /** Position, from 1, of the token that must be the name of the importing account; 0: none. */
  readonly tokenPosition: number;
}

export type AccountExport =
  | ({ readonly kind: "stream" } & Exported)
  | ({
      readonly kind: "service";
      readonly responseType: ResponseType;
      readonly responseThresholdMs: number;
      readonly latency: LatencyConfig | null;
      readonly allowTrace: boolean;
    } & Exported);

interface Imported {
  readonly account: string;
  /** Subject in the exporting account. */
  readonly subject: string;
  /** Subject in the importing account. */
  readonly to: string;
}

export type AccountImport =
  | ({ readonly kind: "stream"; readonly allowTrace: boolean } & Imported)
  | ({ readonly kind: "service"; readonly share: boolean } & Imported);

/** With the place where it is written, for the checks. */
export type Located<T> = T & { readonly at: Origin };

const RESPONSE_TYPES = new Map<string, ResponseType>([
  ["single", "singleton"],
  ["singleton", "singleton"],
  ["stream", "stream"],
  ["chunk", "chunked"],
  ["chunked", "chunked"],
]);
const RESPONSE_THRESHOLD_MS = 120_000;
/** Keys of services only, with the names that nats-server gives them in errors. */
const SERVICE_KEYS = new Map([
  ...["response", "response_type"].map((key) => [key, "response"] as const),
  ...["threshold", "response_threshold", "response_max_time", "response_time"].map(
    (key) => [key, "response"] as const,
  ),
  ["latency", "latency"],
  ["allow_trace", "allow_trace"],
]);

const responseType = stringTo("a response type", (word, { at }) => {
  const type = RESPONSE_TYPES.get(word.toLowerCase());
  if (type === undefined) throw new ConfError(at, `Unknown response type: "${word}"`);
  return type;
});

const threshold = stringTo("a duration", (word, { at }) => {
  const ms = durationFromText(word);
  if (ms !== null && ms > 0) return ms;
  throw new ConfError(at, "Expected response threshold to be a parseable time duration");
});

/** nats-server takes an empty list as if it were not written: every account may import. */
const importers: NodeReader<readonly string[] | null> = (node, notes) => {
  const names = listOf((item) => stringOf(item, "the name of an account"), "a list of accounts")(node, notes);
  return names.length === 0 ? null : names;
};

const latencyBlock = record(
  {
    subject: field("subject", (node) => stringOf(node, "latency subject to be a string"), null),
    sampling: field("sampling", samplingOf, 100),
  },
  { expected: "latency to be a map/struct or string" },
);

const latency: NodeReader<LatencyConfig> = (node, notes) => {
  if (node.kind === "string") return { subject: node.value, sampling: 100 };
  const { subject, sampling } = latencyBlock(node, notes);
  if (subject === null) throw new ConfError(node.at, "Latency subject required, but missing");
  return { subject, sampling };
};

const exportBlock = record(
  {
    stream: field("stream", subjectTextOf, null),
    service: field("service", subjectTextOf, null),
    accounts: field("accounts", importers, null),
    tokenPosition: field(
      "account_token_position",
      (node) => integerOf(node, 0, 1024, "the position of a token"),
      0,
    ),
    responseType: field("response response_type", responseType, "singleton"),
    responseThresholdMs: field(
      "threshold response_threshold response_max_time response_time",
      threshold,
      RESPONSE_THRESHOLD_MS,
    ),
    latency: field("latency", latency, null),
    allowTrace: field("allow_trace", booleanOf, false),
  },
  { expected: (node) => refuse(node, "Export Items should be a map with type entry") },
);

const importBlock = record(
  {
    stream: field("stream", sourceOf("Stream"), null),
    service: field("service", sourceOf("Service"), null),
    prefix: field("prefix", subjectTextOf, ""),
    to: field("to", subjectTextOf, ""),
    share: field("share", booleanOf, false),
    allowTrace: field("allow_trace", booleanOf, false),
  },
  { expected: (node) => refuse(node, "Import Items should be a map with type entry") },
);

export const readExports: NodeReader<readonly Located<AccountExport>[]> = listOf(
  (node, notes) => {
    const { stream, service, accounts, tokenPosition, ...ofService } = exportBlock(node, notes);
    if (stream !== null && service !== null)
      throw new ConfError(node.at, `Detected stream "${stream}" but already saw a service`);
    if (service === null) refuseServiceKeys(node);
    const subject = stream ?? service;
    if (subject === null) throw new ConfError(node.at, "expected an export to have a stream or a service");
    const kind = stream === null ? "service" : "stream";
    if (tokenPosition !== 0 && subject.split(".")[tokenPosition - 1] !== "*")
      throw new ConfError(node.at, `Error adding ${kind} export "${subject}": sublist: invalid subject`);
    const shared = { subject, accounts, tokenPosition, at: node.at };
    return kind === "stream" ? { kind, ...shared } : { kind, ...ofService, ...shared };
  },
  (node) => refuse(node, "Exports should be an array"),
);

const importList: NodeReader<readonly Located<AccountImport>[]> = listOf(
  (node, notes) => {
    const { at } = node;
    const { stream, service, prefix, to, share, allowTrace } = importBlock(node, notes);
    if (stream !== null && service !== null)
      throw new ConfError(at, "Detected stream but already saw a service");
    if (service !== null) {
      if (allowTrace) throw new ConfError(at, "Detected allow_trace directive on a non-stream");
      return { kind: "service", ...service, to: to || service.subject, share, at };
    }
    if (stream === null) throw new ConfError(at, "expected an import to have a stream or a service");
    if (prefix !== "" && to !== "")
      throw new ConfError(at, "Stream import can not have a 'prefix' and a 'to' property");
    return { kind: "stream", ...stream, to: destination(stream.subject, { prefix, to, at }), allowTrace, at };
  },
  (node) => refuse(node, "Imports should be an array"),
);

export const readImports: typeof importList = (node, notes) => {
  const list = importList(node, notes);
  const seen = new Map<string, AccountImport>();
  for (const one of list) {
    if (one.kind !== "service") continue;
    const key = JSON.stringify([one.account, one.to]);
    const twin = seen.get(key);
    if (twin === undefined) seen.set(key, one);
    else {
      const before = `previously used in import for account "${twin.account}", subject "${twin.subject}"`;
      throw new ConfError(one.at, `Duplicate service import subject "${one.to}", ${before}`);
    }
  }
  return list;
};

function refuseServiceKeys(node: ConfNode): void {
  for (const { key, node: value } of (node as MapNode).entries.values()) {
    const what = SERVICE_KEYS.get(key.toLowerCase());
    if (what !== undefined) throw new ConfError(value.at, `Detected ${what} directive on non-service`);
  }
}

function destination(
  subject: string,
  { prefix, to, at }: { prefix: string; to: string; at: Origin },
): string {
  if (prefix === "") return to || subject;
  if (!isValidSubject(`${prefix.replace(/\.$/, "")}.x`) || /(^|\.)[*>](\.|$)/.test(prefix)) {
    const reason = "stream import prefix can not contain wildcard tokens";
    throw new ConfError(at, `Error adding stream import "${subject}": ${reason}`);
  }
  return `${prefix}${prefix.endsWith(".") ? "" : "."}${subject}`;
}

function sourceOf(what: string): NodeReader<{ readonly account: string; readonly subject: string }> {
  const read = record(
    {
      account: field("account", (node) => stringOf(node, "the name of an account"), ""),
      subject: field("subject", subjectTextOf, ""),
    },
    { expected: (node) => refuse(node, `${what} entry should be an account map`) },
  );
  return (node, notes) => {
    const source = read(node, notes);
    if (source.account !== "" && source.subject !== "") return source;
    return refuse(node, "Expect an account name and a subject");
  };
}

/** A percentage; `headers` is null. */
function samplingOf(node: ConfNode): number | null {
  if (node.kind === "string" && node.value.trim().toLowerCase() === "headers") return null;
  const sample = percentOf(node) ?? refuse(node, "Failed to parse latency sample");
  return sample >= 1 && sample <= 100 ? sample : refuse(node, "bad sampling percentage, should be 1-100");
}

function refuse(node: ConfNode, reason: string): never {
  throw new ConfError(node.at, reason);
}
