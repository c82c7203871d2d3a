/** The state of a connection to another server at one moment, as plain values. */
import type { Registration, RouteDirection, RouteSession } from "./session.ts";

export interface RouteSnapshot extends Registration {
  readonly rid: number;
  readonly direction: RouteDirection;
  readonly address: string;
  readonly port: number;
  readonly startedMs: number;
  readonly lastActivityMs: number;
  /** 0: not known yet. */
  readonly roundTripMs: number;
  readonly pendingBytes: number;
  readonly inMessages: number;
  readonly outMessages: number;
  readonly inBytes: number;
  readonly outBytes: number;
  /** Subjects and queue groups that the peer is interested in. */
  readonly interests: number;
  /** The peer's INFO as it stands. */
  readonly peerInfo: Readonly<Record<string, unknown>>;
  /** The peer's zone; "": unknown. */
  readonly zone: string;
}

/** null: the mesh has not taken the connection up. */
export function routeSnapshot(session: RouteSession): RouteSnapshot | null {
  const { registration, peer, wire } = session;
  if (registration === null) return null;
  return {
    ...registration,
    rid: session.rid,
    direction: session.direction,
    address: wire.remote.address,
    port: wire.remote.port,
    startedMs: session.startedMs,
    lastActivityMs: session.lastActivityMs,
    roundTripMs: session.heartbeat.roundTripMs,
    pendingBytes: session.outbox.pendingBytes,
    inMessages: session.inMessages,
    outMessages: session.outMessages,
    inBytes: session.inBytes,
    outBytes: session.outBytes,
    interests: session.interests.size,
    peerInfo: peer.info ?? {},
    zone: peer.zone,
  };
}
