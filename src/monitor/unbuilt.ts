/** Gateways and Raft: the answers of a nats-server that has none configured. */
import { json, text, type Answer } from "./answer.ts";
import { goTime } from "./go-format.ts";
import type { Query } from "./query.ts";
import type { MonitorSource } from "./source.ts";

export function gatewayz(source: MonitorSource, query: Query): Answer {
  query.subscriptions();
  query.flag("accs");
  return json({ ...head(source), outbound_gateways: {}, inbound_gateways: {} });
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
