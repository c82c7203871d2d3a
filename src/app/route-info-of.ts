/** From a peer's INFO as it stands to what the mesh needs of it. */
import type { GossipMode, RouteInfo } from "../cluster/mesh-types.ts";
import { text, whole } from "../protocol/route-info.ts";

export function routeInfoOf(raw: Readonly<Record<string, unknown>>): RouteInfo {
  const id = text(raw, "server_id");
  return {
    id,
    name: text(raw, "server_name") || id,
    cluster: text(raw, "cluster"),
    clusterDynamic: raw["cluster_dynamic"] === true,
    host: text(raw, "host"),
    port: whole(raw, "port"),
    ip: text(raw, "ip"),
    routePoolSize: whole(raw, "route_pool_size"),
    routePoolIdx: whole(raw, "route_pool_idx"),
    routeAccount: text(raw, "route_account"),
    gossipMode: gossipModeOf(whole(raw, "gossip_mode")),
    shoal: raw["shoal"] === true,
    raw,
  };
}

export function isPooled(raw: Readonly<Record<string, unknown>>): boolean {
  return whole(raw, "route_pool_size") > 0;
}

function gossipModeOf(value: number): GossipMode {
  return value === 1 || value === 2 ? value : 0;
}

/** The ports for clients and leaf nodes number their connections, that for gateways names its cluster: nats-server 2.9 to 2.15. */
export function isOfRoutePort(info: Readonly<Record<string, unknown>>): boolean {
  return info["client_id"] === undefined && info["gateway"] === undefined;
}
