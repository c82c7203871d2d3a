/** `/routez`: connections to the other servers of the cluster. Each connection of a pool is an entry. */
import type { OpenRoute } from "../ports/cluster/cluster-port.ts";
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
interface Route extends OpenRoute {
  readonly isSolicited: boolean;
  readonly isConfigured: boolean;
}

export function registeredRoutes(cluster: ClusterSource): Route[] {
  const peers = new Map(cluster.snapshot()?.peers.map((peer) => [peer.id, peer]));
  const routes: Route[] = [];
  for (const route of cluster.connections()) {
    const { peerId, direction } = route.snapshot;
    const peer = peers.get(peerId);
    const isSolicited = peer?.solicited ?? direction === "dialled";
    routes.push({ ...route, isSolicited, isConfigured: peer?.routeType === "explicit" });
  }
  return routes;
}

function routeFields(route: Route, lists: SubscriptionDetail, nowMs: number): object {
  const { snapshot } = route;
  const { peerInfo } = snapshot;
  return {
    rid: snapshot.rid,
    remote_id: snapshot.peerId,
    remote_name: snapshot.peerName,
    did_solicit: route.isSolicited,
    is_configured: route.isConfigured,
    ip: snapshot.address,
    port: snapshot.port,
    start: goTime(snapshot.startedMs),
    last_activity: goTime(snapshot.lastActivityMs),
    rtt: goDuration(snapshot.roundTripMs),
    uptime: goUptime(nowMs - snapshot.startedMs),
    idle: goUptime(nowMs - snapshot.lastActivityMs),
    import: rulesFields(rulesOf(peerInfo["import"])),
    export: rulesFields(rulesOf(peerInfo["export"])),
    pending_size: snapshot.pendingBytes,
    in_msgs: snapshot.inMessages,
    out_msgs: snapshot.outMessages,
    in_bytes: snapshot.inBytes,
    out_bytes: snapshot.outBytes,
    subscriptions: snapshot.interests,
    ...interestLists(route, lists),
    account: snapshot.account ?? undefined,
    compression: snapshot.compression,
    // Not of nats-server: it knows no zones.
    zone: snapshot.zone || undefined,
  };
}

function interestLists({ snapshot, interests }: OpenRoute, lists: SubscriptionDetail): object {
  const isPinned = snapshot.account !== null;
  return subscriptionLists(
    lists,
    { count: snapshot.interests, all: interests },
    ([, interest]) => interest.subject,
    ([account, interest]) => interestFields(isPinned ? "" : account, interest, snapshot.rid),
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
