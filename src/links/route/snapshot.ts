/** The state of a connection to another server at one moment, as plain values. */
import { connectionSnapshot, type ConnectionSnapshot } from "../trunk/snapshot.ts";
import type { Registration } from "./peer.ts";
import type { RouteDirection, RouteSession } from "./session.ts";

export interface RouteSnapshot extends Registration, ConnectionSnapshot {
  readonly rid: number;
  readonly direction: RouteDirection;
  /** Subjects and queue groups that the peer is interested in. */
  readonly interests: number;
  /** The peer's INFO as it stands. */
  readonly peerInfo: Readonly<Record<string, unknown>>;
  /** The peer's zone; "": unknown. */
  readonly zone: string;
  /** The mode that was agreed on, or the level of it. */
  readonly compression: string;
}

/** null: the mesh has not taken the connection up. */
export function routeSnapshot(session: RouteSession): RouteSnapshot | null {
  const { registration, peer } = session;
  if (registration === null) return null;
  return {
    ...connectionSnapshot(session),
    ...registration,
    rid: session.rid,
    direction: session.direction,
    interests: session.interests.size,
    peerInfo: peer.info ?? {},
    zone: peer.zone,
    compression: session.compression.mode,
  };
}
