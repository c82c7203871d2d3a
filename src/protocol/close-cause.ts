/**
 * Why a connection was closed. `reason` is the text that monitoring shows, in nats-server's words where it has some; programs ask
 * for `kind`, never for the text. `counts` names the server's counters that go up by it. Clients over WebSocket are told by a status as
 * well, which is nats-server's.
 */
export type CloseKind =
  /** The peer broke the protocol, or a limit. */
  | "violation"
  /** The peer was not admitted by what it presented. */
  | "refused"
  /** The peer did not answer PINGs. */
  | "stale"
  /** The peer took less than was sent to it. */
  | "slow"
  /** A fault of this server, brought out by what the peer sent. */
  | "fault"
  /** The peer ended the connection, or the network did. */
  | "ended"
  /** This server decided so. */
  | "decided";

/** Counters of what ended connections; each kind of connection counts its own. */
export interface CloseCounters {
  /** For whatever reason they were slow. */
  slowConsumers: number;
  slowConsumersByDeadline: number;
  staleConnections: number;
}

export interface CloseCause {
  readonly kind: CloseKind;
  readonly reason: string;
  readonly counts: readonly (keyof CloseCounters)[];
  /** The status of the Close frame by which a client over WebSocket is told. */
  readonly webSocketStatus: number;
}

const STATUS_NORMAL = 1000;
const STATUS_PROTOCOL_ERROR = 1002;
export const STATUS_POLICY = 1008;
export const STATUS_TOO_BIG = 1009;
export const STATUS_INTERNAL = 1011;

/** The usual status of each kind. */
const STATUS: Readonly<Record<CloseKind, number>> = {
  violation: STATUS_PROTOCOL_ERROR,
  refused: STATUS_POLICY,
  stale: 1001,
  slow: STATUS_POLICY,
  fault: STATUS_INTERNAL,
  ended: 1001,
  decided: 1001,
};

export function closeCause(
  kind: CloseKind,
  reason: string,
  {
    counts = [],
    webSocketStatus = STATUS[kind],
  }: Partial<Pick<CloseCause, "counts" | "webSocketStatus">> = {},
): CloseCause {
  return { kind, reason, counts, webSocketStatus };
}

export const CLIENT_CLOSED = closeCause("ended", "Client Closed", { webSocketStatus: STATUS_NORMAL });
export const READ_ERROR = closeCause("ended", "Read Error");
export const TLS_FAILED = closeCause("violation", "TLS Handshake Failure");
/** The peer is to come back as somebody else. */
export const MOVED = closeCause("decided", "Client Closed", { webSocketStatus: STATUS_NORMAL });
export const KICKED = closeCause("decided", "Kicked", { webSocketStatus: STATUS_INTERNAL });
export const REBALANCED = closeCause("decided", "Rebalanced");
export const SERVER_SHUTDOWN = closeCause("decided", "Server Shutdown");
/** nats-server has no such reason. */
export const INTERNAL_ERROR = closeCause("fault", "Internal Error");
export const STALE = closeCause("stale", "Stale Connection", { counts: ["staleConnections"] });
export const SLOW_PENDING = closeCause("slow", "Slow Consumer (Pending Bytes)", {
  counts: ["slowConsumers"],
});
export const SLOW_DEADLINE = closeCause("slow", "Slow Consumer (Write Deadline)", {
  counts: ["slowConsumers", "slowConsumersByDeadline"],
});
