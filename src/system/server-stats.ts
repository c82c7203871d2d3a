/** STATSZ: the statistics that servers send one another and answer to `nats server list`. */
import { goTime } from "../monitor/go-format.ts";
import { jetStreamFields } from "../monitor/jsz.ts";
import { registeredRoutes } from "../monitor/routez.ts";
import type { MonitorSource } from "../monitor/source.ts";
import type { ProcessUsage } from "../monitor/usage.ts";
import type { Traffic } from "../links/trunk/traffic.ts";

interface MessagesAndBytes {
  readonly msgs: number;
  readonly bytes: number;
}

const NO_TRAFFIC: Traffic = { inMessages: 0, inBytes: 0, outMessages: 0, outBytes: 0 };
const NO_COUNTERS = { slowConsumers: 0, staleConnections: 0 };

export function serverStats(source: MonitorSource, usage: ProcessUsage): object {
  const { clients, cluster } = source;
  const jetStream = source.jetStream();
  const own = clients.traffic.total();
  const routed = cluster?.traffic.total() ?? NO_TRAFFIC;
  const routes = cluster?.counters ?? NO_COUNTERS;
  let subscriptions = 0;
  let activeAccounts = 0;
  for (const account of source.accounts) {
    subscriptions += account.interest.size;
    if (account.connections > 0) activeAccounts++;
  }
  return {
    start: goTime(source.facts().startedMs),
    mem: usage.residentBytes(),
    cores: usage.cores,
    cpu: usage.cpuPercent(),
    connections: clients.count,
    total_connections: clients.totalConnections,
    active_accounts: activeAccounts,
    subscriptions,
    sent: counts(own.outMessages + routed.outMessages, own.outBytes + routed.outBytes),
    sent_to_clients: counts(own.outMessages, own.outBytes),
    received: counts(own.inMessages + routed.inMessages, own.inBytes + routed.inBytes),
    received_from_clients: counts(own.inMessages, own.inBytes),
    slow_consumers: clients.counters.slowConsumers + routes.slowConsumers,
    slow_consumer_stats: kinds(clients.counters.slowConsumers, routes.slowConsumers),
    stale_connections: clients.counters.staleConnections + routes.staleConnections || undefined,
    stale_connection_stats: kinds(clients.counters.staleConnections, routes.staleConnections),
    stalled_clients: clients.counters.stalls || undefined,
    routes: routeStats(source),
    active_servers: 1 + (cluster?.snapshot()?.peers.length ?? 0),
    jetstream: jetStream === null ? undefined : jetStreamFields(jetStream, "no folder"),
    gomaxprocs: 1,
  };
}

/** Omitted if there were none. */
function kinds(clients: number, routes: number): object | undefined {
  return clients === 0 && routes === 0 ? undefined : { clients, routes, gateways: 0, leafs: 0 };
}

function routeStats({ cluster }: MonitorSource): object[] | undefined {
  const routes = cluster === null ? [] : registeredRoutes(cluster);
  if (routes.length === 0) return undefined;
  return routes.map(({ snapshot }) => ({
    rid: snapshot.rid,
    name: snapshot.peerName,
    sent: counts(snapshot.outMessages, snapshot.outBytes),
    received: counts(snapshot.inMessages, snapshot.inBytes),
    pending: snapshot.pendingBytes,
  }));
}

function counts(msgs: number, bytes: number): MessagesAndBytes {
  return { msgs, bytes };
}
