/** The request for a consumer at an origin, and its answer. */
import { parseJsonBytes } from "../../base/json.ts";
import { hashName, randomToken } from "../../base/base62.ts";
import type { Random } from "../../base/random.ts";
import { ApiError } from "../api-error.ts";
import { readObject, writeObject } from "../codec.ts";
import { consumerShape, type ConsumerConfig } from "../consumer/config.ts";
import { MessageHeaders, VERSION_LINE } from "../headers.ts";
import type { Incoming } from "../host.ts";
import { originKey, type OriginConfig } from "../stream/origin-config.ts";
import type { OriginPosition } from "../stream/origin-positions.ts";

/** The stream that asks, as the names of consumers and their metadata say. */
interface Asker {
  readonly stream: string;
  readonly account: string;
  /** "": none. */
  readonly domain: string;
}

export interface SetupOptions {
  readonly kind: "mirror" | "source";
  readonly origin: OriginConfig;
  readonly asker: Asker;
  /** Sources of the same stream: one that is there twice has consumers of two names. */
  readonly siblings: readonly OriginConfig[];
  readonly random: Random;
}

export interface SetupRequest {
  readonly subject: string;
  readonly headers: string;
  readonly payload: string;
}

/** Older servers do not know all of it: 5 compares identities, 4 has consumers for sourcing, 0 asks for nothing. */
export type SetupLevel = 5 | 4 | 0;

export type SetupAnswer =
  | { readonly kind: "refused"; readonly error: ApiError }
  | {
      readonly kind: "made";
      readonly consumer: string;
      readonly deliverSubject: string;
      readonly ackPolicy: string;
      /** Where it begins: it has delivered up to here. */
      readonly sequence: number;
      /** Messages that it has to deliver. */
      readonly pending: number;
      /** "": the server does not say. */
      readonly identity: string;
    };

export const IDENTITY_HEADER = "Nats-Stream-Identity";
const LEVEL_HEADER = "Nats-Required-Api-Level";
const API = "$JS.API";
const SECOND_NS = 1_000_000_000;
const ACK_WAIT_NS = 22 * 3600 * SECOND_NS;
const INACTIVE_NS = 10 * SECOND_NS;

/** For a consumer that goes on behind `position`. */
export function setupRequest(
  options: SetupOptions,
  position: OriginPosition,
  level: SetupLevel,
): SetupRequest {
  const { origin, random } = options;
  if (origin.consumer !== null)
    return {
      subject: apiSubject(origin, `CONSUMER.RESET.${origin.name}.${origin.consumer.name}`),
      headers: headersOf(level, position),
      payload: "",
    };
  const named = consumerName(options);
  const filters = filtersOf(origin);
  const single = filters.length === 1 ? filters[0]! : "";
  const config: ConsumerConfig = {
    ...readObject(consumerShape, {}),
    ...startOf(origin, position),
    name: level === 0 ? `${named}_${randomToken(random)}` : named,
    deliverSubject: deliverSubject(options),
    ackWaitNs: ACK_WAIT_NS,
    maxDeliver: 1,
    heartbeatNs: SECOND_NS,
    flowControl: true,
    direct: true,
    sourcing: level > 0,
    inactiveThresholdNs: INACTIVE_NS,
    filter: single,
    filters: single === "" ? filters : [],
    metadata: metadataOf(options),
  };
  const tail = single === "" ? "" : `.${config.name}.${single}`;
  const request: unknown = Object.fromEntries<unknown>([
    ["stream_name", origin.name],
    ["config", writeObject(consumerShape, config)],
    ["action", ""],
  ]);
  return {
    subject: apiSubject(origin, `CONSUMER.CREATE.${origin.name}${tail}`),
    headers: headersOf(level, position),
    payload: JSON.stringify(request),
  };
}

/** For the removal of a consumer that is not needed any more. */
export function removalRequest(origin: OriginConfig, consumer: string): SetupRequest {
  const subject = apiSubject(origin, `CONSUMER.DELETE.${origin.name}.${consumer}`);
  return { subject, headers: "", payload: "" };
}

/** null: it cannot be understood. */
export function readAnswer({ headerLength, body }: Incoming): SetupAnswer | null {
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString("latin1");
  const answer = recordOf(parseJsonBytes(text.slice(headerLength)));
  const error = recordOf(answer["error"]);
  if (typeof error["description"] === "string") {
    const refused = new ApiError(Number(error["code"]), Number(error["err_code"]), error["description"]);
    return { kind: "refused", error: refused };
  }
  const config = recordOf(answer["config"]);
  const sequence = Number(recordOf(answer["delivered"])["stream_seq"]);
  const { name } = answer;
  const to = config["deliver_subject"];
  if (typeof name !== "string" || typeof to !== "string" || !Number.isSafeInteger(sequence)) return null;
  const headers = new MessageHeaders(text.slice(0, headerLength));
  return {
    kind: "made",
    consumer: name,
    deliverSubject: to,
    ackPolicy: String(config["ack_policy"]),
    sequence,
    pending: Number(answer["num_pending"] ?? 0),
    identity: headers.get(IDENTITY_HEADER) ?? "",
  };
}

/** The level to ask with after a refusal; null: another level would not help. */
export function levelBelow(level: SetupLevel, { errorCode }: ApiError): SetupLevel | null {
  if (errorCode !== REQUIRED_LEVEL && errorCode !== INVALID_JSON) return null;
  if (level === 0) return null;
  return level === 5 ? 4 : 0;
}

const REQUIRED_LEVEL = 10185;
const INVALID_JSON = 10025;

/** The patterns that the consumer filters by. */
function filtersOf({ filter, transforms }: OriginConfig): readonly string[] {
  const all = transforms.length === 0 ? [filter] : transforms.map(({ source }) => source);
  return all.filter((one) => one !== "");
}

function startOf(
  origin: OriginConfig,
  { sequence }: OriginPosition,
): Pick<ConsumerConfig, "deliverPolicy" | "startSequence" | "startTime"> {
  const { startSequence, startTime } = origin;
  if (sequence > 0) return { deliverPolicy: "by_start_sequence", startSequence: sequence + 1, startTime: "" };
  if (startSequence > 0) return { deliverPolicy: "by_start_sequence", startSequence, startTime: "" };
  if (startTime !== "") return { deliverPolicy: "by_start_time", startSequence: 0, startTime };
  return { deliverPolicy: "all", startSequence: 0, startTime: "" };
}

/** The same each time, so that a consumer that keeps its place is found again. */
export function consumerName(options: Omit<SetupOptions, "random">): string {
  const { kind, origin, asker, siblings } = options;
  const { stream, account, domain } = asker;
  const stable = hashName(`${stream} ${account}${domain === "" ? "" : ` ${domain}`}`);
  if (kind === "mirror") return `JS_MIRROR_${stable}`;
  const isTwice = siblings.filter(({ name }) => name === origin.name).length > 1;
  return `JS_SRC_${hashName(isTwice ? `${stable} ${originKey(origin)}` : stable)}`;
}

function deliverSubject({ kind, origin, random }: SetupOptions): string {
  const prefix = origin.external?.deliver ?? "";
  const subject = `${prefix === "" ? "$JS" : prefix}.${kind === "mirror" ? "M" : "S"}.${randomToken(random)}`;
  return subject.replaceAll("..", ".");
}

function apiSubject({ external }: OriginConfig, operation: string): string {
  return `${external?.api ?? API}.${operation}`.replaceAll("..", ".");
}

function headersOf(level: SetupLevel, { identity }: OriginPosition): string {
  if (level === 0) return "";
  const known = level === 5 && identity !== "" ? `${IDENTITY_HEADER}: ${identity}\r\n` : "";
  return `${VERSION_LINE}${LEVEL_HEADER}: ${level}\r\n${known}\r\n`;
}

function metadataOf({ kind, asker }: SetupOptions): Readonly<Record<string, string>> {
  const prefix = kind === "mirror" ? "_nats.mirror" : "_nats.src";
  const { stream, account, domain } = asker;
  const own = { [`${prefix}.stream`]: stream, [`${prefix}.acc`]: account };
  return domain === "" ? own : { ...own, [`${prefix}.domain`]: domain };
}

/** The answer to a question of flow control: what has been taken and kept. */
export function flowHeaders(consumerSequence: number, sequence: number): string {
  return `${VERSION_LINE}Nats-Last-Consumer: ${consumerSequence}\r\nNats-Last-Stream: ${sequence}\r\n\r\n`;
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}
