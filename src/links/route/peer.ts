/** The server at the other end, as far as it is known. */
export interface RoutePeer {
  /** Its INFO as it stands, checked by `readRouteInfo`; null: it has not come yet. */
  info: Readonly<Record<string, unknown>> | null;
  /** "": unknown. */
  zone: string;
  takesHeaders: boolean;
}

/** Whether it takes interest of leaf nodes and their messages with the names of their clusters: nats-server since 2.10. */
export function keepsLeavesApart({ info }: Readonly<RoutePeer>): boolean {
  return info?.["lnoc"] === true && info["lnocu"] === true;
}
