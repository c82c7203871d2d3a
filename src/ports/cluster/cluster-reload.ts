/** What a reload changes of the port of the other servers, and what that means for routes that stand. */
import { isDeepStrictEqual } from "node:util";
import { permits, type RoutePermissions } from "../../links/route/permissions.ts";
import type { RouteTable } from "../../links/route/route-table.ts";
import type { RouteSession } from "../../links/route/session.ts";
import type { ClusterSettings } from "./cluster-port-options.ts";
import type { SubjectRules } from "../../core/permissions.ts";

/** A server that dialled this one has shown other credentials than those of now. It may dial again. */
export function mustEnd(
  { direction }: RouteSession,
  before: ClusterSettings,
  { credentials }: ClusterSettings,
): boolean {
  return (
    direction === "accepted" && credentials !== null && !isDeepStrictEqual(credentials, before.credentials)
  );
}

/** What may no longer cross is taken back, what may now is told, in slices. The peer does the same on hearing INFO. */
export function applyRules(
  session: RouteSession,
  table: RouteTable,
  importBefore: SubjectRules | null,
  { export: exports }: RoutePermissions,
): void {
  session.interests.keepOnly((subject) => permits(exports, subject));
  table.retell(session, importBefore);
}
