/** Reads what an account exports and imports. Whether imports and exports of all accounts fit together is in account-checks.ts. */

import { isValidSubject } from "../../subject/subject.ts";
import { readBlock } from "./block.ts";
import type { AccountExport, AccountImport, LatencyConfig, ResponseType } from "../config.ts";
import { durationFromText } from "../../base/duration.ts";
import { ConfError, type ConfNode, type MapNode, type Origin } from "../formats/nats-conf/node.ts";
import { subjectTextOf } from "./mappings.ts";
import { integerOf, mismatch, stringOf } from "./value-type.ts";

const RESPONSE_THRESHOLD_MS = 120_000;
const RESPONSE_TYPES: Readonly<Record<string, ResponseType>> = {
  single: "singleton",
  singleton: "singleton",
  stream: "stream",
  chunk: "chunked",
  chunked: "chunked",
};

/** With where it is written, for the checks. */
export type Located<T> = T & { readonly at: Origin };

export function readExports(node: ConfNode): Located<AccountExport>[] {
  return itemsOf(node, "Exports").map((item) => readExport(item));
}

export function readImports(node: ConfNode): Located<AccountImport>[] {
  const list = itemsOf(node, "Imports").map((item) => readImport(item));
  list.forEach((one, i) => {
    const twin = list.slice(0, i).find((other) => isSameService(one, other));
    if (twin === undefined) return;
    const before = `previously used in import for account "${twin.account}", subject "${twin.subject}"`;
    throw new ConfError(one.at, `Duplicate service import subject "${one.to}", ${before}`);
  });
  return list;
}

function isSameService(one: AccountImport, other: AccountImport): boolean {
  const areServices = one.kind === "service" && other.kind === "service";
  return areServices && one.to === other.to && one.account === other.account;
}

function itemsOf(node: ConfNode, what: string): MapNode[] {
  if (node.kind !== "array") throw new ConfError(node.at, `${what} should be an array`);
  return node.items.map((item) => {
    if (item.kind === "map") return item;
    throw new ConfError(item.at, `${what.slice(0, -1)} Items should be a map with type entry`);
  });
}

function readExport(node: MapNode): Located<AccountExport> {
  const stream = subjectOf(node, "stream");
  const service = subjectOf(node, "service");
  if (stream !== null && service !== null) {
    throw new ConfError(node.at, `Detected stream "${stream}" but already saw a service`);
  }
  const found = {
    responseType: "singleton" as ResponseType,
    responseThresholdMs: RESPONSE_THRESHOLD_MS,
    latency: null as LatencyConfig | null,
    accounts: null as readonly string[] | null,
    tokenPosition: 0,
    allowTrace: false,
  };
  const forService = (what: string, read: (value: ConfNode) => void) => (value: ConfNode) => {
    if (service === null) throw new ConfError(value.at, `Detected ${what} directive on non-service`);
    read(value);
  };
  const readType = forService("response", (value) => void (found.responseType = responseType(value)));
  const readThreshold = forService(
    "response",
    (value) => void (found.responseThresholdMs = threshold(value)),
  );
  readBlock(node, {
    stream: () => undefined,
    service: () => undefined,
    accounts: (value) => void (found.accounts = namesOf(value)),
    response: readType,
    response_type: readType,
    threshold: readThreshold,
    response_threshold: readThreshold,
    response_max_time: readThreshold,
    response_time: readThreshold,
    latency: forService("latency", (value) => void (found.latency = readLatency(value))),
    account_token_position: (value) =>
      void (found.tokenPosition = integerOf(value, 0, 1024, "the position of a token")),
    allow_trace: forService("allow_trace", (value) => void (found.allowTrace = booleanOf(value))),
  });
  const subject = stream ?? service;
  if (subject === null) throw new ConfError(node.at, "expected an export to have a stream or a service");
  const { accounts, tokenPosition } = found;
  const kind = stream === null ? "service" : "stream";
  checkTokenPosition(subject, tokenPosition, { at: node.at, kind });
  const shared = { subject, accounts, tokenPosition, at: node.at };
  return kind === "stream" ? { kind, ...shared } : { kind, ...found, ...shared };
}

function checkTokenPosition(
  subject: string,
  position: number,
  { at, kind }: { at: Origin; kind: string },
): void {
  if (position === 0 || subject.split(".")[position - 1] === "*") return;
  throw new ConfError(at, `Error adding ${kind} export "${subject}": sublist: invalid subject`);
}

function subjectOf(node: MapNode, kind: string): string | null {
  const entry = [...node.entries.values()].find(({ key }) => key.toLowerCase() === kind);
  return entry === undefined ? null : subjectTextOf(entry.node);
}

/** An empty list is as none, with nats-server: everybody may import. */
function namesOf(node: ConfNode): readonly string[] | null {
  if (node.kind !== "array") mismatch(node, "a list of accounts");
  return node.items.length === 0 ? null : node.items.map((item) => stringOf(item, "the name of an account"));
}

function booleanOf(node: ConfNode): boolean {
  if (node.kind !== "bool") mismatch(node, "true or false");
  return node.value;
}

function responseType(node: ConfNode): ResponseType {
  const word = stringOf(node, "a response type");
  const type = RESPONSE_TYPES[word.toLowerCase()];
  if (type === undefined) throw new ConfError(node.at, `Unknown response type: "${word}"`);
  return type;
}

function threshold(node: ConfNode): number {
  const ms = durationFromText(stringOf(node, "a duration"));
  if (ms === null || ms <= 0)
    throw new ConfError(node.at, "Expected response threshold to be a parseable time duration");
  return ms;
}

function readLatency(node: ConfNode): LatencyConfig {
  if (node.kind === "string") return { subject: node.value, sampling: 100 };
  if (node.kind !== "map") mismatch(node, "latency to be a map/struct or string");
  let subject: string | null = null;
  let sampling: number | null = 100;
  readBlock(node, {
    sampling: (value) => void (sampling = readSampling(value)),
    subject: (value) => void (subject = stringOf(value, "latency subject to be a string")),
  });
  if (subject === null) throw new ConfError(node.at, "Latency subject required, but missing");
  return { subject, sampling };
}

/** A percentage, plainly or with its sign; `headers` is null. */
function readSampling(node: ConfNode): number | null {
  if (node.kind === "string" && node.value.trim().toLowerCase() === "headers") return null;
  const percent =
    node.kind === "string" ? node.value.replace(/%$/, "") : node.kind === "int" ? String(node.value) : "";
  if (!/^-?\d+$/.test(percent)) throw new ConfError(node.at, "Failed to parse latency sample");
  const sample = Number(percent);
  if (sample < 1 || sample > 100) throw new ConfError(node.at, "bad sampling percentage, should be 1-100");
  return sample;
}

function readImport(node: MapNode): Located<AccountImport> {
  const found = {
    stream: null as Source | null,
    service: null as Source | null,
    share: false,
    allowTrace: false,
  };
  let prefix = "";
  let to = "";
  readBlock(node, {
    stream: (value) => void (found.stream = readSource(value, "Stream")),
    service: (value) => void (found.service = readSource(value, "Service")),
    prefix: (value) => void (prefix = subjectTextOf(value)),
    to: (value) => void (to = subjectTextOf(value)),
    share: (value) => void (found.share = booleanOf(value)),
    allow_trace: (value) => void (found.allowTrace = booleanOf(value)),
  });
  const { at } = node;
  const { stream, service, share, allowTrace } = found;
  if (stream !== null && service !== null)
    throw new ConfError(at, "Detected stream but already saw a service");
  if (service !== null) {
    if (allowTrace) throw new ConfError(at, "Detected allow_trace directive on a non-stream");
    return { kind: "service", ...service, to: to || service.subject, share, at };
  }
  if (stream === null) throw new ConfError(at, "expected an import to have a stream or a service");
  if (prefix !== "" && to !== "") {
    throw new ConfError(at, "Stream import can not have a 'prefix' and a 'to' property");
  }
  return { kind: "stream", ...stream, to: destination(stream.subject, { prefix, to, at }), allowTrace, at };
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

interface Source {
  readonly account: string;
  readonly subject: string;
}

function readSource(node: ConfNode, what: string): Source {
  if (node.kind !== "map") throw new ConfError(node.at, `${what} entry should be an account map`);
  let account = "";
  let subject = "";
  readBlock(node, {
    account: (value) => void (account = stringOf(value, "the name of an account")),
    subject: (value) => void (subject = subjectTextOf(value)),
  });
  if (account === "" || subject === "") throw new ConfError(node.at, "Expect an account name and a subject");
  return { account, subject };
}
