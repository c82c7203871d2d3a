/** The server at the other end, as far as it is known. */
export interface RoutePeer {
  /** Its INFO as it stands, checked by `readRouteInfo`; null: it has not come yet. */
  info: Readonly<Record<string, unknown>> | null;
  /** "": unknown. */
  zone: string;
  takesHeaders: boolean;
}

/** What the mesh has made of the connection. */
export interface Registration {
  readonly peerId: string;
  readonly peerName: string;
  /** Pinned account that the route is for, or null. */
  readonly account: string | null;
  readonly poolIndex: number;
}

/** Whether it takes interest of leaf nodes and their messages with the names of their clusters: nats-server since 2.10. */
export function keepsLeavesApart({ info }: Readonly<RoutePeer>): boolean {
  return info?.["lnoc"] === true && info["lnocu"] === true;
}
