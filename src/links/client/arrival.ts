/** How a client came to the server. A session gets its arrival once; it does not change. */
import type { ConnectionType } from "../../base/connection-type.ts";

/** Which addresses a client is told of: those in the cluster, those for clients outside, or those for WebSocket. */
export type Side = "inside" | "outside" | "websocket";

/** What a session needs to know of the listener by which it came. */
export interface ClientEntrance {
  readonly side: Side;
  /** As users may be restricted to some of them. */
  readonly connectionType: ConnectionType;
  /** How monitoring and events call clients that come by it. */
  readonly clientType: "nats" | "websocket";
  /** How the log calls their numbers. */
  readonly idField: "cid" | "wid";
}

/** Credentials that came before CONNECT, by cookies; "" for what did not. CONNECT comes first where it has them, too. */
export interface Presented {
  readonly jwt: string;
  readonly user: string;
  readonly pass: string;
  readonly authToken: string;
}

export interface Arrival {
  readonly entrance: ClientEntrance;
  /** Absent: none. */
  readonly presented?: Presented;
  /** The client's address, as a proxy tells it. Absent or "": it is that of the connection. */
  readonly forwardedFor?: string;
}
