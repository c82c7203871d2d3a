/** Reads the payload of a request: the servers that it is for, and options with the names of the HTTP endpoints. */
import type { MonitorSource } from "../monitor/source.ts";
import { parseJson } from "../base/json.ts";

/** The payload is malformed; the answer has code 400. */
export class BadRequest extends Error {}

/** The request cannot be served; the answer has code 500, with nats-server's text where it has one. */
export class Refusal extends Error {}

export type Options = Readonly<Record<string, unknown>>;

export function readOptions(payload: Uint8Array): Options {
  if (payload.length === 0) return {};
  const value = parseJson(Buffer.from(payload).toString("utf8"));
  if (value === undefined) throw new BadRequest("the payload is not JSON, or nested too deeply");
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw new BadRequest("the payload is not an object");
  return value as Options;
}

/** Whether the request is for this server. */
export function isMeant(options: Options, source: MonitorSource): boolean {
  const facts = source.facts();
  const isExact = options["exact_match"] === true;
  const fits = (option: string, own: string): boolean => {
    const wanted = textOf(options, option);
    return wanted === "" || (isExact ? own === wanted : own.includes(wanted));
  };
  return (
    fits("server_name", facts.name) &&
    fits("host", facts.host) &&
    fits("cluster", source.clusterFacts()?.name ?? "") &&
    listOf(options, "tags").every((tag) => facts.tags.includes(tag)) &&
    textOf(options, "domain") === "" // of JetStream
  );
}

export function textOf(options: Options, name: string): string {
  const value = options[name] ?? "";
  if (typeof value !== "string") throw wrongType(name, "a text");
  return value;
}

export function listOf(options: Options, name: string): string[] {
  const value = options[name] ?? [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string"))
    throw wrongType(name, "a list of texts");
  return value;
}

export function flagOf(options: Options, name: string): boolean {
  const value = options[name] ?? false;
  if (typeof value !== "boolean") throw wrongType(name, "true or false");
  return value;
}

export function numberOf(options: Options, name: string): number {
  const value = options[name] ?? 0;
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw wrongType(name, "a whole number");
  return value;
}

function wrongType(name: string, wanted: string): BadRequest {
  return new BadRequest(`${name} has to be ${wanted}`);
}
