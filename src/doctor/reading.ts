/**
 * Reads what servers answer in the system account into facts. The documents are nats-server's and unchecked: a field of the wrong kind
 * counts as missing. Pure.
 */
import type {
  AwaitedFacts,
  Complaint,
  ConsumerFacts,
  GroupFacts,
  JetStreamFacts,
  MetaFacts,
  OriginFacts,
  ReplicaFacts,
  ExaminedServer,
  StreamFacts,
  UnservedFacts,
} from "./facts.ts";

type Json = Readonly<Record<string, unknown>>;

/** What one server has answered. null: it has not. */
export interface ServerDocuments {
  readonly id: string;
  readonly name: string;
  readonly varz: Json | null;
  readonly routez: Json | null;
  readonly healthz: Json | null;
  /** `/healthz` about leaf connections alone. */
  readonly leafHealthz: Json | null;
  /** A nats-server has none. */
  readonly memberz: Json | null;
  /** Pages of `/jsz`, with all accounts, streams and consumers. */
  readonly jsz: readonly Json[];
  /** Questions without an answer, with the reason. */
  readonly unanswered: readonly string[];
}

const NS_PER_MS = 1e6;
const NO_TIME = "0001-01-01T00:00:00Z";

export function readServer(documents: ServerDocuments): ExaminedServer {
  const { id, name, varz, routez, healthz, leafHealthz, memberz, jsz, unanswered } = documents;
  const figures = varz ?? {};
  const member = memberz ?? {};
  return {
    id,
    name,
    cluster: textOf(recordOf(figures["cluster"])["name"]),
    version: textOf(figures["version"]),
    notReady: member["is_ready"] === false ? textsOf(member["reasons"]) : [],
    isLameDuck: member["state"] === "lame duck",
    connections: numberOf(figures["connections"]),
    maxConnections: numberOf(figures["max_connections"]),
    complaints: complaintsOf(healthz),
    lostLeaves: complaintsOf(leafHealthz)
      .map(({ error }) => error)
      .filter((error) => error.includes("leafnode")),
    routes: routez === null ? null : routesOf(routez),
    awaited: listOf(member["awaited"]).map(awaitedOf),
    jetStream: jetStreamOf(jsz),
    unserved: listOf(member["unserved"]).map(unservedOf),
    unanswered,
  };
}

/** The ids of servers to which this one has routes. */
export function routedIds(routez: Json): string[] {
  return listOf(routez["routes"]).map((route) => textOf(route["remote_id"]));
}

function routesOf(routez: Json): string[] {
  return [...new Set(listOf(routez["routes"]).map((route) => textOf(route["remote_name"])))];
}

function complaintsOf(healthz: Json | null): Complaint[] {
  if (healthz === null || healthz["status"] === "ok") return [];
  const errors = listOf(healthz["errors"]);
  const single = textOf(healthz["error"]);
  const all = errors.length === 0 && single !== "" ? [{ error: single }] : errors;
  return all.map((one: Json) => ({
    kind: textOf(one["type"]),
    account: textOf(one["account"]),
    stream: textOf(one["stream"]),
    consumer: textOf(one["consumer"]),
    error: textOf(one["error"]),
  }));
}

function awaitedOf(peer: Json): AwaitedFacts {
  return { name: textOf(peer["server_name"]), address: textOf(peer["address"]), why: textOf(peer["why"]) };
}

function unservedOf(one: Json): UnservedFacts {
  return {
    account: textOf(one["account"]),
    stream: textOf(one["stream"]),
    consumer: textOf(one["consumer"]),
    servers: textsOf(one["servers"]),
  };
}

function jetStreamOf(pages: readonly Json[]): JetStreamFacts | null {
  const [first] = pages;
  if (first === undefined || first["disabled"] === true) return null;
  const config = recordOf(first["config"]);
  const nowMs = timeOf(first["now"]);
  const meta = first["meta_cluster"];
  return {
    meta: meta === undefined ? null : metaOf(recordOf(meta)),
    storageBytes: numberOf(first["storage"]),
    maxStorageBytes: numberOf(config["max_storage"]),
    streams: pages.flatMap((page) =>
      listOf(page["account_details"]).flatMap((account) =>
        listOf(account["stream_detail"]).map((stream) => streamOf(textOf(account["name"]), stream, nowMs)),
      ),
    ),
  };
}

function metaOf(meta: Json): MetaFacts {
  return {
    ...groupOf(meta),
    cluster: textOf(meta["name"]),
    size: numberOf(meta["cluster_size"]),
    quorum: numberOf(meta["quorum_needed"]),
  };
}

function groupOf(group: Json): GroupFacts {
  return { leader: textOf(group["leader"]), replicas: listOf(group["replicas"]).map(replicaOf) };
}

function replicaOf(replica: Json): ReplicaFacts {
  const active = numberOf(replica["active"]);
  return {
    name: textOf(replica["name"]),
    isCurrent: replica["current"] === true,
    isOffline: replica["offline"] === true,
    silentMs: active > 0 ? active / NS_PER_MS : -1,
    lag: numberOf(replica["lag"]),
  };
}

function streamOf(account: string, stream: Json, nowMs: number): StreamFacts {
  const config = recordOf(stream["config"]);
  const state = recordOf(stream["state"]);
  const lost = recordOf(state["lost"])["msgs"];
  const mirror = stream["mirror"];
  return {
    account,
    name: textOf(stream["name"]),
    group: groupOf(recordOf(stream["cluster"])),
    messages: numberOf(state["messages"]),
    bytes: numberOf(state["bytes"]),
    maxMessages: numberOf(config["max_msgs"]),
    maxBytes: numberOf(config["max_bytes"]),
    refusesNew: config["discard"] === "new",
    lost: Array.isArray(lost) ? lost.length : 0,
    origins: [
      ...(mirror === undefined ? [] : [originOf("mirror", recordOf(mirror))]),
      ...listOf(stream["sources"]).map((source) => originOf("source", source)),
    ],
    consumers: listOf(stream["consumer_detail"]).map((consumer) => consumerOf(consumer, nowMs)),
  };
}

function originOf(kind: OriginFacts["kind"], origin: Json): OriginFacts {
  const active = numberOf(origin["active"]);
  return {
    kind,
    name: textOf(origin["name"]),
    lag: numberOf(origin["lag"]),
    silentMs: active < 0 ? -1 : active / NS_PER_MS,
    error: textOf(recordOf(origin["error"])["description"]),
  };
}

function consumerOf(consumer: Json, nowMs: number): ConsumerFacts {
  const config = recordOf(consumer["config"]);
  const lastMs = timeOf(recordOf(consumer["delivered"])["last_active"]) || timeOf(consumer["created"]);
  const policy = textOf(config["priority_policy"]);
  return {
    name: textOf(consumer["name"]),
    group: groupOf(recordOf(consumer["cluster"])),
    pending: numberOf(consumer["num_pending"]),
    ackPending: numberOf(consumer["num_ack_pending"]),
    maxAckPending: numberOf(config["max_ack_pending"]),
    waiting: numberOf(consumer["num_waiting"]),
    deliverSubject: textOf(config["deliver_subject"]),
    isBound: consumer["push_bound"] === true,
    pausedForMs: consumer["paused"] === true ? numberOf(consumer["pause_remaining"]) / NS_PER_MS : null,
    quietMs: lastMs === 0 || nowMs === 0 ? 0 : Math.max(0, nowMs - lastMs),
    isPaced:
      numberOf(config["rate_limit_bps"]) > 0 ||
      config["replay_policy"] === "original" ||
      config["flow_control"] === true ||
      (policy !== "" && policy !== "none"),
  };
}

/** Milliseconds since 1970; 0: no time. */
function timeOf(value: unknown): number {
  const text = textOf(value);
  const ms = text === NO_TIME ? 0 : Date.parse(text);
  return Number.isFinite(ms) ? ms : 0;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(textOf) : [];
}

function numberOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

function listOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(recordOf) : [];
}

function recordOf(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}
