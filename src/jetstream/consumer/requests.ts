/** Pull requests: what clients ask for, and those that wait. Bounded by the consumer's `max_waiting`. */
import { durationFromText } from "../../base/duration.ts";
import { parseJson } from "../../base/json.ts";
import type { DeliveryLane } from "../host.ts";

export interface PullRequest {
  /** Where messages go. */
  readonly reply: string;
  readonly lane: DeliveryLane;
  /** Messages still wanted. */
  left: number;
  /** Bytes still wanted; 0: no bound. */
  bytesLeft: number;
  readonly hasBytesBound: boolean;
  readonly noWait: boolean;
  /** Milliseconds of the clock; Infinity: never. */
  readonly expiresMs: number;
  /** Milliseconds between heartbeats; 0: none. */
  readonly heartbeatMs: number;
  /** When something was sent last. */
  activeMs: number;
  /** It has got a message. */
  hasSome: boolean;
  readonly priority: RequestPriority;
}

/** Which requests come first, by the policy of the consumer. */
export interface RequestPriority {
  /** "": none was named. */
  readonly group: string;
  /** 0 comes first; Infinity: a request that is no object. */
  readonly priority: number;
  /** The id of the pinned client; "": it has none. */
  pinId: string;
  /** It is served where so many messages are ahead, or wait for their acknowledgements; 0: always. */
  readonly minPending: number;
  readonly minAckPending: number;
}

export interface RequestBody {
  readonly batch: number;
  readonly expiresNs: number;
  readonly maxBytes: number;
  readonly noWait: boolean;
  readonly heartbeatNs: number;
  /** null: the request is no object. */
  readonly priority: RequestPriority | null;
}

const ONE: RequestBody = {
  batch: 1,
  expiresNs: 0,
  maxBytes: 0,
  noWait: false,
  heartbeatNs: 0,
  priority: null,
};
const NUMBERS = [
  "batch",
  "expires",
  "max_bytes",
  "idle_heartbeat",
  "min_pending",
  "min_ack_pending",
  "priority",
];

const TEXTS = ["group", "id"];

/** Reads a request; null: nothing that could be read, which nats-server takes for a request of one message. */
export function readRequest(payload: string): RequestBody | null {
  const body = payload.trim();
  if (body === "") return ONE;
  if (/^\d{1,9}$/.test(body)) return { ...ONE, batch: Math.max(1, Number(body)) };
  if (!body.startsWith("{")) return ONE;
  const read = parseJson(body) as Record<string, unknown> | undefined;
  if (read === undefined) return null;
  for (const name of TEXTS) if (read[name] !== undefined && typeof read[name] !== "string") return null;
  for (const name of NUMBERS) if (read[name] !== undefined && !Number.isInteger(read[name])) return null;
  const text = (name: string): string => (read[name] as string | undefined) ?? "";
  const number = (name: string): number => Number(read[name] ?? 0);
  return {
    batch: Math.max(1, number("batch")),
    expiresNs: number("expires"),
    maxBytes: number("max_bytes"),
    noWait: read["no_wait"] === true,
    heartbeatNs: number("idle_heartbeat"),
    priority: {
      group: text("group"),
      priority: number("priority"),
      pinId: text("id"),
      minPending: number("min_pending"),
      minAckPending: number("min_ack_pending"),
    },
  };
}

export function noPriority(): RequestPriority {
  return { group: "", priority: Infinity, pinId: "", minPending: 0, minAckPending: 0 };
}

/** The payload of an acknowledgement. */
export type Ack =
  | { readonly kind: "ack" }
  | { readonly kind: "next"; readonly request: string }
  | { readonly kind: "nak"; readonly delayMs: number }
  | { readonly kind: "progress" }
  | { readonly kind: "term"; readonly reason: string }
  | { readonly kind: "unknown" };

export function readAck(payload: string): Ack {
  if (payload === "" || payload === "+ACK" || payload === "+OK") return { kind: "ack" };
  if (payload === "+WPI") return { kind: "progress" };
  if (payload.startsWith("+NXT")) return { kind: "next", request: payload.slice(4) };
  if (payload.startsWith("-NAK")) return { kind: "nak", delayMs: readDelay(payload.slice(4).trim()) };
  if (payload.startsWith("+TERM")) return { kind: "term", reason: payload.slice(5).trim() };
  return { kind: "unknown" };
}

const DELAY_MAX_NS = 2 ** 63;

/** `{"delay": ns}` or a Go duration; 0 where it is neither. */
function readDelay(text: string): number {
  if (text === "") return 0;
  if (!text.startsWith("{")) return Math.max(0, durationFromText(text) ?? 0);
  const read = parseJson(text) as { delay?: unknown } | undefined;
  const delayNs = read?.delay;
  return typeof delayNs === "number" && delayNs > 0 && delayNs < DELAY_MAX_NS ? delayNs / 1e6 : 0;
}
