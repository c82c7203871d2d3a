/** Gateways, leaf nodes, JetStream, Raft: what nats-server answers where they are not configured. */
import { json, text, type Answer } from "./answer.ts";
import { goTime } from "./go-format.ts";
import { pageOf, type Query } from "./query.ts";
import type { MonitorSource } from "./source.ts";

export function gatewayz(source: MonitorSource, query: Query): Answer {
  query.subscriptions();
  query.flag("accs");
  return json({ ...head(source), outbound_gateways: {}, inbound_gateways: {} });
}

export function leafz(source: MonitorSource, query: Query): Answer {
  query.flag("subs");
  return json({ ...head(source), leafnodes: 0, leafs: [] });
}

const JSZ_FLAGS =
  "accounts streams consumers direct-consumers config leader-only raft stream-leader-only".split(" ");

export function jsz(source: MonitorSource, query: Query): Answer {
  for (const flag of JSZ_FLAGS) query.flag(flag);
  pageOf(query);
  return json({
    memory: 0,
    storage: 0,
    reserved_memory: 0,
    reserved_storage: 0,
    accounts: 0,
    ha_assets: 0,
    api: { level: 0, total: 0, errors: 0 },
    ...head(source),
    disabled: true,
    config: { max_memory: 0, max_storage: 0 },
    streams: 0,
    consumers: 0,
    messages: 0,
    bytes: 0,
    total: 0,
  });
}

export function raftz(): Answer {
  return text(404, "No Raft nodes registered");
}

/** The queues between nats-server's goroutines; there are none here. */
export function ipqueuesz(_source: MonitorSource, query: Query): Answer {
  query.flag("all");
  return json({});
}

function head(source: MonitorSource): object {
  return { server_id: source.facts().id, now: goTime(source.nowMs()) };
}
