/** `/routez`: connections to the other servers of the cluster. Each connection of a pool is an entry. */
import type { RouteSession } from "../links/route/session.ts";
import { json, type Answer } from "./answer.ts";
import { goDuration, goTime, goUptime, shownText } from "./go-format.ts";
import { List } from "./json.ts";
import type { Query, SubscriptionDetail } from "./query.ts";
import type { ClusterSource, MonitorSource } from "./source.ts";
import { interestFields, mapped, subscriptionLists } from "./subscription-fields.ts";
import type { SubjectRules } from "../core/permissions.ts";

export function routez(source: MonitorSource, query: Query): Answer {
  const lists = query.subscriptions();
  const nowMs = source.nowMs();
  const routes = source.cluster === null ? [] : registeredRoutes(source.cluster);
  const permissions = source.clusterFacts()?.permissions ?? { import: null, export: null };
  return json({
    server_id: source.facts().id,
    server_name: source.facts().name,
    now: goTime(nowMs),
    import: rulesFields(permissions.import),
    export: rulesFields(permissions.export),
    num_routes: routes.length,
    routes: new List(mapped(routes, (route) => routeFields(route, lists, nowMs))),
  });
}

/** A connection that the mesh has taken up, and what the mesh knows of its peer. */
interface Route {
  readonly session: RouteSession;
  readonly isSolicited: boolean;
  readonly isConfigured: boolean;
}

export function registeredRoutes(cluster: ClusterSource): Route[] {
  const peers = new Map(cluster.snapshot()?.peers.map((peer) => [peer.id, peer]));
  const routes: Route[] = [];
  for (const session of cluster.sessions.values()) {
    if (session.registration === null) continue;
    const peer = peers.get(session.registration.peerId);
    const isSolicited = peer?.solicited ?? session.direction === "dialled";
    routes.push({ session, isSolicited, isConfigured: peer?.routeType === "explicit" });
  }
  return routes;
}

function routeFields(
  { session, isSolicited, isConfigured }: Route,
  lists: SubscriptionDetail,
  nowMs: number,
): object {
  const { registration, wire, peerInfo } = session;
  return {
    rid: session.rid,
    remote_id: registration?.peerId ?? "",
    remote_name: registration?.peerName ?? "",
    did_solicit: isSolicited,
    is_configured: isConfigured,
    ip: wire.remote.address,
    port: wire.remote.port,
    start: goTime(session.startedMs),
    last_activity: goTime(session.lastActivityMs),
    rtt: goDuration(session.heartbeat.roundTripMs),
    uptime: goUptime(nowMs - session.startedMs),
    idle: goUptime(nowMs - session.lastActivityMs),
    import: rulesFields(rulesOf(peerInfo?.["import"])),
    export: rulesFields(rulesOf(peerInfo?.["export"])),
    pending_size: session.outbox.pendingBytes,
    in_msgs: session.inMessages,
    out_msgs: session.outMessages,
    in_bytes: session.inBytes,
    out_bytes: session.outBytes,
    subscriptions: session.interests.size,
    ...interestLists(session, lists),
    account: registration?.account ?? undefined,
    // Nothing is compressed here; a peer before nats-server 2.10 could not.
    compression: peerInfo?.["compression"] === undefined ? "not supported" : "off",
    // Not of nats-server: it knows no zones.
    zone: session.zone || undefined,
  };
}

function interestLists({ interests, registration, rid }: RouteSession, lists: SubscriptionDetail): object {
  const isPinned = registration?.account !== null;
  return subscriptionLists(
    lists,
    { count: interests.size, all: () => interests.withAccounts() },
    ([, interest]) => interest.subject,
    ([account, interest]) => interestFields(isPinned ? "" : account, interest, rid),
  );
}

function rulesFields(rules: SubjectRules | null): object | undefined {
  if (rules === null) return undefined;
  return {
    allow: rules.allow?.map(shownText),
    deny: rules.deny.length === 0 ? undefined : rules.deny.map(shownText),
  };
}

/** What a peer's INFO says of its rules; null where it makes no sense. */
function rulesOf(told: unknown): SubjectRules | null {
  if (typeof told !== "object" || told === null) return null;
  const { allow, deny } = told as Record<string, unknown>;
  return { allow: textsOf(allow), deny: textsOf(deny) ?? [] };
}

function textsOf(value: unknown): string[] | null {
  if (!Array.isArray(value)) return null;
  return value.filter((item): item is string => typeof item === "string");
}
