/** A request to the API, and what its handlers share. */
import type { MessageOrigin } from "../../protocol/message.ts";
import { apiErrors } from "../api-error.ts";
import type { Assets, StreamAssets } from "../assets.ts";
import { jsonOf } from "../codec.ts";
import type { Consumer } from "../consumer/consumer.ts";
import type { Backups } from "./backups.ts";
import { whenDurable } from "../making.ts";
import type { AnswerFacts } from "./info.ts";
import type { WrittenPart } from "./written-part.ts";

export interface ApiRequest {
  /** What follows the operation in the subject. */
  readonly names: readonly string[];
  /** A byte string. */
  readonly payload: string;
  /** `Nats-Stream-Identity`; "": none, or an empty one. */
  readonly identity: string;
  readonly assets: Assets;
  readonly facts: AnswerFacts;
  readonly backups: Backups;
  /** The client; null: it came from elsewhere. */
  readonly origin: MessageOrigin | null;
}

/** The client that asked, as advisories show it. */
export function askedBy(origin: MessageOrigin | null): Fields {
  if (origin === null) return {};
  const { roundTripMs } = origin;
  const rtt = roundTripMs > 0 ? { rtt: Math.round(roundTripMs * 1e6) } : {};
  return { client: { ...origin.details(), acc: origin.account.name, ...rtt, ...origin.serverDetails() } };
}

export type Fields = Record<string, unknown>;

/** An answer that is given when what was asked for is done. */
export class Later {
  readonly begin: LaterBegin;

  /** `begin` may answer at once. */
  constructor(begin: LaterBegin) {
    this.begin = begin;
  }
}

/** Calls one of both: `refuse` with why it cannot be done, an `ApiError` or a `DiskError`. */
type LaterBegin = (
  answer: (fields: Fields, part?: WrittenPart) => void,
  refuse: (error: Error) => void,
) => void;

/** The answer is given when the stream that was made, or its consumer, is as durable as the policy says. Where that fails it goes again. */
export function whenKept(
  { assets }: ApiRequest,
  of: StreamAssets,
  consumer: Consumer | null,
  then: (answer: (fields: Fields) => void) => void,
): Later {
  const { stream, consumers } = of;
  const made = consumer === null ? stream.store.log : consumer.journal.log;
  return new Later((answer, refuse) =>
    whenDurable(made, stream, assets.options.policy, (error) => {
      if (error === null) {
        then(answer);
        return;
      }
      if (consumer === null && assets.streams.get(stream.config.name) === of) assets.deleteStream(of);
      if (consumer !== null && consumers.get(consumer.name) === consumer) assets.deleteConsumer(of, consumer);
      refuse(error);
    }),
  );
}

/** The fields of an answer. Throws `ApiError`. */
export type Handler = (request: ApiRequest) => Fields | Later;

/** A server by itself has nobody to ask. */
export const notClustered: Handler = () => {
  throw apiErrors.notClustered();
};

/** What a request costs of the turn that it is handled in: a change writes and syncs files, a list looks at very many things. */
export const COSTS = { information: 1, list: 16, change: 16 } as const;

export interface ApiOperation {
  /** Behind `$JS.API.`, without the names. */
  readonly subject: string;
  /** How many names may follow. */
  readonly names: readonly [least: number, most: number];
  /** Behind `io.nats.jetstream.api.v1.`, without `_response`. */
  readonly type: string;
  /** Absent: "change". */
  readonly kind?: keyof typeof COSTS;
  readonly handle: Handler;
  /** Headers of an answer that does not refuse: a whole block, or "". Absent: none. */
  readonly headers?: (request: ApiRequest, answer: Readonly<Record<string, unknown>>) => string;
  /** What stands in an answer that refuses, beside the error. */
  readonly refusal?: Record<string, unknown>;
}

/** Throws `ApiError`. */
export function streamOf({ assets }: ApiRequest, name: string): StreamAssets {
  const found = assets.streams.get(name);
  if (found === undefined) throw apiErrors.streamNotFound();
  return found;
}

/** An object, or an empty one where the payload is empty. Throws `ApiError`. */
export function bodyOf(payload: string): Record<string, unknown> {
  if (payload.trim() === "") return {};
  const body = jsonOf(payload);
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw apiErrors.invalidJson("json: cannot unmarshal into Go value");
  return body as Record<string, unknown>;
}

/** Throws `ApiError`. */
export function expectEmpty(payload: string): void {
  if (payload !== "" && payload !== "{}") throw apiErrors.notEmptyRequest();
}

/** A number of a request, 0 where it is missing. Throws `ApiError`. */
export function numberOf(body: Record<string, unknown>, name: string): number {
  const value = body[name] ?? 0;
  if (!Number.isInteger(value) || (value as number) < 0)
    throw apiErrors.invalidJson(
      `json: cannot unmarshal ${typeof value} into Go struct field .${name} of type int`,
    );
  return value as number;
}

export function textOf(body: Record<string, unknown>, name: string): string {
  const value = body[name] ?? "";
  if (typeof value !== "string")
    throw apiErrors.invalidJson(
      `json: cannot unmarshal ${typeof value} into Go struct field .${name} of type string`,
    );
  return value;
}
