/** `cluster.permissions` as INFO shows them to other servers. */
import type { RoutePermissions, SubjectRules } from "../links/route/permissions.ts";
import type { OwnRouteInfo } from "../protocol/route-info.ts";

export function shownPermissions(permissions: RoutePermissions): OwnRouteInfo["permissions"] {
  return { import: shownRules(permissions.import), export: shownRules(permissions.export) };
}

/** Empty lists are left out, as nats-server does. */
function shownRules(rules: SubjectRules | null): object | undefined {
  if (rules === null) return undefined;
  const { allow, deny } = rules;
  return { ...(allow === null ? {} : { allow }), ...(deny.length === 0 ? {} : { deny }) };
}
