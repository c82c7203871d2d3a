/** How a client came to the server. A session gets its arrival once; it does not change. */
import type { ConnectionType } from "../../base/connection-type.ts";

/** Which addresses a client is told of: those in the cluster, or those for clients outside. */
export type Side = "inside" | "outside";

/** What a session needs to know of the listener by which it came. */
export interface ClientEntrance {
  readonly side: Side;
  /** As users may be restricted to some of them. */
  readonly connectionType: ConnectionType;
}

export interface Arrival {
  readonly entrance: ClientEntrance;
}
