/**
 * What a server tells the leader of the meta group of a stream that the cluster does not know yet (`offers.ts`), and how it is refused.
 *
 *     {peer, round, account, created, config, consumers, …} ─▶ $SHOAL.META.OFFER      {account, stream, round, …} ─▶ its reply subject
 *
 * A server whose offer is accepted gets no answer: it sees the stream assigned.
 */
import { parseJson } from "../../base/json.ts";
import type { PeerId } from "../../raft/messages.ts";
import { ApiError } from "../api-error.ts";
import type { GroupTransport } from "../group/group.ts";

export const OFFER_SUBJECT = "$SHOAL.META.OFFER";
/** The peer follows. */
export const REFUSED_SUBJECT = "$SHOAL.META.OFFER.REFUSED";

/** Where a stream comes from. */
export type OfferOrigin = "backup" | "own";

/** The client that has asked for a stream to be restored. */
export interface RestoreAsked {
  readonly client: Readonly<Record<string, unknown>>;
  readonly subject: string;
  readonly reply: string;
}

export interface OfferedConsumer {
  readonly name: string;
  readonly created: string;
  readonly config: unknown;
}

/** What the leader of the meta group is told. */
export interface OfferedStream extends RestoreAsked {
  readonly peer: PeerId;
  /** Counts the offers of a server: a refusal says which it is about. */
  readonly round: number;
  readonly origin: OfferOrigin;
  readonly account: string;
  readonly created: string;
  readonly config: unknown;
  readonly consumers: readonly OfferedConsumer[];
}

/** `reply`: where the server that has offered it listens. */
export function refuseOffer(
  transport: GroupTransport,
  reply: string,
  { account, round }: OfferedStream,
  { stream, error }: { readonly stream: string; readonly error: ApiError },
): void {
  const { code, errorCode, message } = error;
  const refusal = { account, stream, round, code, errorCode, message };
  transport.send(reply, "", bytesOf(refusal));
}

/** null: it is none. */
export function readOffer(payload: Uint8Array): OfferedStream | null {
  const json = recordOf(payload);
  if (json === null) return null;
  const { peer, origin, account, created, subject, reply, round, consumers, client } = json;
  const texts = [peer, account, created, subject, reply];
  const isWhole = texts.every((one) => typeof one === "string") && typeof round === "number";
  const isKnown = origin === "backup" || origin === "own";
  if (!isWhole || !isKnown || !Array.isArray(consumers) || typeof client !== "object") return null;
  return json as unknown as OfferedStream;
}

interface Refusal {
  readonly account: string;
  readonly stream: string;
  readonly round: number;
  readonly error: ApiError;
}

export function readRefusal(payload: Uint8Array): Refusal | null {
  const json = recordOf(payload);
  if (json === null) return null;
  const { account, stream, round, code, errorCode, message } = json;
  if (typeof account !== "string" || typeof stream !== "string" || typeof round !== "number") return null;
  if (typeof code !== "number" || typeof errorCode !== "number" || typeof message !== "string") return null;
  return { account, stream, round, error: new ApiError(code, errorCode, message) };
}

export function recordOf(payload: Uint8Array): Record<string, unknown> | null {
  const json = parseJson(Buffer.from(payload).toString("latin1"));
  return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : null;
}

/** JSON in ASCII, so that names of accounts come out as they are: they need not be byte strings. */
export function bytesOf(value: object): Uint8Array {
  const text = JSON.stringify(value).replaceAll(
    /[\u0080-\uffff]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return Buffer.from(text, "latin1");
}
