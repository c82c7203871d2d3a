/** From a peer's INFO as it stands to what the mesh needs of it. */
import type { GossipMode, MeshAction, RouteInfo } from "../../cluster/mesh-types.ts";
import { forPinned, gossipLine, text, whole, withoutSlot } from "../../protocol/route-info.ts";

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
    hasOtherJetStream: raw["jetstream"] === true && raw["shoal"] !== true,
    raw,
  };
}

/**
 * The INFO that a peer gave on one of its connections is told on without what concerns that connection alone. A nats-server
 * dials just what it is told of: the pool by the first line, and each pinned account by one of the others. A line that has become too
 * long when it was written again would cost the listeners their routes, so the caller looks.
 */
export function announcement(
  { info, ip, gossipMode }: MeshAction & { kind: "announce" },
  pinnedAccounts: readonly string[],
): readonly string[] {
  const raw = withoutSlot(info.raw);
  const accounts = isPooled(raw) ? pinnedAccounts : [];
  return [
    gossipLine(raw, ip, gossipMode),
    ...accounts.map((account) => gossipLine(forPinned(raw, account), ip, gossipMode)),
  ];
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
