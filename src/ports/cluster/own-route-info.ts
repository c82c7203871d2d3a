/** What the INFO for other servers says by configuration, whoever is told and whatever becomes of the cluster. */
import { routeUrl } from "../../cluster/address.ts";
import type { RoutePermissions, SubjectRules } from "../../links/route/permissions.ts";
import { fromByteString } from "../../protocol/info.ts";
import type { OwnRouteInfo } from "../../protocol/route-info.ts";
import type { ClusterPortOptions } from "./cluster-port-options.ts";

type Fixed = Omit<
  OwnRouteInfo,
  "cluster" | "clusterDynamic" | "isLameDuck" | "poolIndex" | "account" | "gossipMode" | "zone" | "clients"
>;

export function fixedRouteInfo(options: ClusterPortOptions, port: number): Fixed {
  const { advertise, noAdvertise } = options;
  const advertised = advertise === null ? null : { host: advertise.host, port: advertise.port ?? port };
  return {
    identity: options.identity,
    host: advertised?.host ?? options.host,
    port: advertised?.port ?? port,
    ip: advertised === null ? "" : routeUrl(advertised),
    headers: !options.noHeaders,
    authRequired: options.credentials !== null,
    isSecured: options.tls() !== null,
    maxPayloadBytes: options.maxPayloadBytes,
    connectUrls: noAdvertise ? [] : options.ownConnectUrls("inside"),
    externalUrls: noAdvertise ? [] : options.ownConnectUrls("outside"),
    poolSize: Math.max(0, options.poolSize),
    permissions: shownPermissions(options.permissions),
  };
}

function shownPermissions(permissions: RoutePermissions): OwnRouteInfo["permissions"] {
  return { import: shownRules(permissions.import), export: shownRules(permissions.export) };
}

/** As text again. Empty lists are left out, as nats-server does. */
function shownRules(rules: SubjectRules | null): object | undefined {
  if (rules === null) return undefined;
  const { allow, deny } = rules;
  return {
    ...(allow === null ? {} : { allow: allow.map(fromByteString) }),
    ...(deny.length === 0 ? {} : { deny: deny.map(fromByteString) }),
  };
}
