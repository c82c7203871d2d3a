/**
 * From what servers tell of themselves to what is wrong, why, and what to do about it. Pure: the same facts give the same findings.
 *
 * Servers of one cluster keep streams together; a server without a cluster is by itself. Names of streams are told apart by their cluster
 * only where there is more than one.
 */
import type { MetaFacts, ExaminedServer } from "./facts.ts";
import { FINDINGS_MAX, inOrder, type Diagnosis, type DoctorFinding } from "./findings.ts";
import { duration, leaderGone, listed, withoutLeader, type Present } from "./groups.ts";
import { assetFindings } from "./streams.ts";

/** From this share on a store counts as full. */
const FULL_SHARE = 0.95;

export function diagnose(servers: readonly ExaminedServer[]): Diagnosis {
  const present = new Set(servers.map(({ name }) => name));
  const realms = Map.groupBy(servers, ({ cluster, id }) => (cluster === "" ? id : cluster));
  const found: DoctorFinding[] = [];
  let streams = 0;
  let consumers = 0;
  for (const members of realms.values()) {
    const [first] = members;
    const where = realms.size === 1 ? "" : ` of ${first?.cluster || first?.name}`;
    const meta = metaFindings(members, present);
    const hasMeta = meta.every(({ kind }) => kind !== "meta group");
    const assets = assetFindings(members, present, where);
    found.push(...meta, ...assets.findings, ...routeFindings(members));
    for (const one of members) found.push(...serverFindings(one, hasMeta));
    streams += assets.streams;
    consumers += assets.consumers;
  }
  found.push(...awaitedFindings(servers, found));
  const unhealthy = found.filter(({ state }) => state === "unhealthy").length;
  const idle = found.length - unhealthy;
  return {
    status: unhealthy > 0 ? "unhealthy" : idle > 0 ? "idle" : "ok",
    ...{ servers: servers.length, streams, consumers, unhealthy, idle },
    findings: inOrder(found).slice(0, FINDINGS_MAX),
  };
}

function metaFindings(members: readonly ExaminedServer[], present: Present): DoctorFinding[] {
  const told = members.flatMap(({ name, jetStream }) =>
    jetStream === null || jetStream.meta === null ? [] : [{ name, meta: jetStream.meta }],
  );
  const [first] = told;
  if (first === undefined) return [];
  const { cluster, quorum } = first.meta;
  const of = (why: string, todo: string): DoctorFinding => ({
    ...{ state: "unhealthy", kind: "meta group", name: cluster, why, todo },
  });
  const leaders = told.map(({ meta }) => meta.leader).filter((leader) => leader !== "");
  const leading = told.find(({ name, meta }) => meta.leader === name);
  const [leader] = leaders;
  if (leader === undefined) {
    const names = new Set(told.flatMap(({ name, meta }) => [name, ...meta.replicas.map((one) => one.name)]));
    const { why, todo } = withoutLeader([...names].toSorted(), quorum, present);
    return [of(`${why}; streams and consumers cannot be made, changed or removed`, todo)];
  }
  if (leading === undefined) {
    if (present.has(leader)) return [];
    const { why, todo } = leaderGone(leader);
    return [of(why, todo)];
  }
  const apart = told.filter(({ name, meta }) => meta.leader !== leading.name && name !== leading.name);
  return [
    ...apart.map(({ name, meta }) => apartFinding(name, meta, leading.name)),
    ...memberFindings(leading.name, leading.meta, present),
  ];
}

function apartFinding(name: string, { leader }: MetaFacts, other: string): DoctorFinding {
  return {
    state: "unhealthy",
    kind: "server",
    name,
    why: `it follows ${leader === "" ? "no leader" : leader} in the meta group, while ${other} leads it`,
    todo: `Ask again in some seconds; if it stays so, look at the routes of ${name}`,
  };
}

/** The members of the meta group, as its leader sees them. */
function memberFindings(leader: string, { replicas }: MetaFacts, present: Present): DoctorFinding[] {
  const found: DoctorFinding[] = [];
  for (const { name, isCurrent, isOffline, silentMs, lag } of replicas) {
    const about = { state: "unhealthy", kind: "server", name } as const;
    if (!present.has(name)) {
      const heard = silentMs < 0 ? "" : `, and ${leader} has not heard it for ${duration(silentMs)}`;
      const todo = `Start it again; if it is gone for good: nats server cluster peer-remove ${name}`;
      found.push({ ...about, why: `it belongs to the meta group and does not answer${heard}`, todo });
    } else if (isOffline || !isCurrent) {
      const why = isOffline
        ? `it answers, but ${leader}, which leads the meta group, does not hear it`
        : `it is ${lag === 0 ? "not current" : `${lag} operations behind`} in the meta group`;
      found.push({ ...about, why, todo: "Ask again in some seconds; if it stays so, its log says why" });
    }
  }
  return found;
}

function serverFindings(server: ExaminedServer, hasMeta: boolean): DoctorFinding[] {
  const { name, connections, maxConnections, jetStream } = server;
  const found: DoctorFinding[] = [];
  const add = (why: string, todo: string, state: DoctorFinding["state"] = "unhealthy"): void =>
    void found.push({ state, kind: "server", name, why, todo });
  if (server.isLameDuck)
    add("it is about to end, and its clients move", "Nothing: start it again when it has ended", "idle");
  else if (server.notReady.length > 0)
    add(
      `it is not ready: ${listed(server.notReady)}`,
      "Wait while it joins; if it stays so, see to what it names",
    );
  for (const { kind, account, stream, error } of server.complaints)
    if (stream === "" && (hasMeta || kind !== "JETSTREAM" || account !== "") && !server.isLameDuck)
      add(`it says: ${error}`, "See to what it names; its log says more");
  if (maxConnections > 0 && connections >= maxConnections)
    add(
      `it takes no more clients: it has ${connections} connections, its max_connections`,
      "Raise max_connections, or let clients use other servers",
    );
  if (jetStream !== null && isFull(jetStream))
    add(
      `its streams take ${Math.floor((jetStream.storageBytes / jetStream.maxStorageBytes) * 100)} % of what it may store`,
      "Remove messages, limit streams, or give it more room (max_file, or a larger volume)",
    );
  for (const question of server.unanswered)
    add(`it did not answer ${question}`, "Ask again with a longer --timeout");
  for (const why of server.lostLeaves)
    found.push({
      ...{ state: "unhealthy", kind: "leaf", name, why },
      todo: "See whether the hub is there and takes these credentials: the logs of both say why",
    });
  return found;
}

function isFull({ storageBytes, maxStorageBytes }: NonNullable<ExaminedServer["jetStream"]>): boolean {
  return maxStorageBytes > 0 && storageBytes >= maxStorageBytes * FULL_SHARE;
}

/** Servers of one cluster that have no route to each other. */
function routeFindings(members: readonly ExaminedServer[]): DoctorFinding[] {
  const found: DoctorFinding[] = [];
  for (const [i, one] of members.entries())
    for (const other of members.slice(i + 1)) {
      if (one.cluster === "" || one.routes === null || other.routes === null) continue;
      if (one.routes.includes(other.name) || other.routes.includes(one.name)) continue;
      found.push({
        ...{ state: "unhealthy", kind: "route", name: `${one.name} - ${other.name}` },
        why: `there is none, though both belong to ${one.cluster}`,
        todo: "See what their logs say of refused routes: names, authorization and TLS of cluster have to fit",
      });
    }
  return found;
}

/** Servers that others wait for, but for those that are known to be missing. */
function awaitedFindings(
  servers: readonly ExaminedServer[],
  known: readonly DoctorFinding[],
): DoctorFinding[] {
  const missing = new Set(known.filter(({ kind }) => kind === "server").map(({ name }) => name));
  const byTarget = new Map<string, { why: string; from: string[] }>();
  for (const { name: from, awaited } of servers)
    for (const { name, address, why } of awaited) {
      if (missing.has(name)) continue;
      const target = name === "" ? address : `${name} (${address})`;
      const told = byTarget.get(target);
      if (told === undefined) byTarget.set(target, { why, from: [from] });
      else told.from.push(from);
    }
  return Array.from(byTarget, ([target, { why, from }]): DoctorFinding => ({
    ...{ state: "unhealthy", kind: "route", name: `to ${target}` },
    why: `${listed(from)} ${from.length === 1 ? "has" : "have"} none, and should: ${why}`,
    todo: "Start the server there, or take it out of routes and discovery",
  }));
}
