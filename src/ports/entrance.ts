/** The listeners by which clients come, as data: what differs between them stands here, and nowhere in the sessions. */
import type { ClientEntrance } from "../links/client/arrival.ts";

export interface Entrance extends ClientEntrance {
  readonly name: string;
}

/** For clients in the cluster. */
export const INSIDE: Entrance = {
  name: "client",
  side: "inside",
  connectionType: "STANDARD",
  clientType: "nats",
  idField: "cid",
};
/** The second listener, for clients outside. */
export const OUTSIDE: Entrance = { ...INSIDE, name: "external", side: "outside" };
/** Clients over WebSocket, from wherever. */
export const WEBSOCKET: Entrance = {
  name: "websocket",
  side: "websocket",
  connectionType: "WEBSOCKET",
  clientType: "websocket",
  idField: "wid",
};
