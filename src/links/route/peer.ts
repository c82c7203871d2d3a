/** The server at the other end, as far as it is known. */
export interface RoutePeer {
  /** Its INFO as it stands, checked by `readRouteInfo`; null: it has not come yet. */
  info: Readonly<Record<string, unknown>> | null;
  /** "": unknown. */
  zone: string;
  takesHeaders: boolean;
}
