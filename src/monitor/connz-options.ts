/** The query of `/connz`, and how its sort keys order connections. */
import type { ClientSnapshot } from "../links/client/snapshot.ts";
import { BadQuery, pageOf, type Page, type Query, type SubscriptionDetail } from "./query.ts";

/** A connection with its snapshot. */
export interface Row {
  readonly client: ClientSnapshot;
  /** null: open. */
  readonly stoppedMs: number | null;
  readonly uptimeMs: number;
}

type ConnectionState = "open" | "closed" | "all";

export interface ConnzOptions {
  readonly sort: Order;
  readonly showsUsers: boolean;
  readonly lists: SubscriptionDetail;
  readonly page: Page;
  /** 0: any. */
  readonly cid: number;
  readonly state: ConnectionState;
  /** "": any. */
  readonly user: string;
  readonly account: string;
  readonly mqttClient: string;
  /** In lower case; "": any. Not in nats-server. */
  readonly search: string;
}

type Order = (a: Row, b: Row) => number;

export function readConnzOptions(query: Query): ConnzOptions {
  const showsUsers = query.flag("auth");
  const lists = query.subscriptions();
  const page = pageOf(query);
  const cid = query.unsigned("cid");
  const state = stateOf(query.text("state"));
  return {
    sort: orderOf(query.text("sort"), state),
    showsUsers,
    lists,
    page: cid > 0 ? { ...page, limit: 1 } : page,
    cid,
    state,
    user: query.text("user"),
    account: query.text("acc"),
    mqttClient: query.text("mqtt_client"),
    search: query.text("search").trim().toLowerCase(),
  };
}

function stateOf(text: string): ConnectionState {
  switch (text.toLowerCase()) {
    case "":
    case "open":
      return "open";
    case "closed":
      return "closed";
    case "any":
    case "all":
      return "all";
    default:
      throw new BadQuery(`Error decoding state for ${text}`);
  }
}

const byCid: Order = (a, b) => a.client.cid - b.client.cid;

/** All other keys but `uptime` and `reason` put the largest first. */
const ORDERS: ReadonlyMap<string, Order> = new Map<string, Order>([
  ["", byCid],
  ["cid", byCid],
  ["start", byCid],
  ["subs", descending((row) => row.client.subscriptions)],
  ["pending", descending((row) => row.client.pendingBytes)],
  ["msgs_to", descending((row) => row.client.outMessages)],
  ["msgs_from", descending((row) => row.client.inMessages)],
  ["bytes_to", descending((row) => row.client.outBytes)],
  ["bytes_from", descending((row) => row.client.inBytes)],
  ["last", descending((row) => row.client.lastActivityMs)],
  ["idle", (a, b) => a.client.lastActivityMs - b.client.lastActivityMs],
  ["uptime", (a, b) => a.uptimeMs - b.uptimeMs],
  ["stop", descending((row) => row.stoppedMs ?? 0)],
  ["reason", (a, b) => compareTexts(a.client.closedFor, b.client.closedFor)],
  ["rtt", descending((row) => row.client.roundTripMs)],
]);

const FOR_CLOSED = new Set(["stop", "reason"]);

function orderOf(key: string, state: ConnectionState): Order {
  const order = ORDERS.get(key);
  if (order === undefined) throw new BadQuery(`invalid sorting option: ${key}`);
  if (FOR_CLOSED.has(key) && state !== "closed") {
    throw new BadQuery(`sort by ${key} only valid on closed connections`);
  }
  return order;
}

function descending(key: (row: Row) => number): Order {
  return (a, b) => key(b) - key(a);
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
