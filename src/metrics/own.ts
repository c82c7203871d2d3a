/** What shoal shows of itself beyond what the exporter shows. Documented in docs/metrics.md; a test compares. */
import { slabSnapshot, CHUNK_SIZE } from "../slab/chunks.ts";
import { boundedAccounts, type Family, type Sample } from "./family.ts";
import type { ClusterLook, DiscoveryLook, Look, LossLook, PeerLook } from "./look.ts";

export const ownFamilies: readonly Family[] = [
  {
    name: "server_info",
    type: "gauge",
    help: "Who the server is.",
    labels: ["server_id", "server_name", "cluster", "version", "nats_version"],
    samples: (look) => [
      [1, look.serverId, look.serverName, look.clusterName, look.version, look.natsVersion],
    ],
  },
  gauge("ready", "Whether the server is ready.", ({ readiness }) => Number(readiness.isReady)),
  {
    name: "not_ready",
    type: "gauge",
    help: "1 for each reason why the server is not ready.",
    labels: ["reason"],
    samples: ({ readiness }) => readiness.reasons.map((reason): Sample => [1, reason]),
  },
  {
    name: "config_info",
    type: "gauge",
    help: "Digest of the configuration in force.",
    labels: ["digest"],
    samples: ({ config }) => (config.digest === "" ? [] : [[1, config.digest]]),
  },
  gauge("config_load_timestamp_seconds", "When the configuration in force was loaded.", ({ config }) => {
    return config.loadedMs / 1000;
  }),
  {
    name: "config_reloads_total",
    type: "counter",
    help: "Reloads of the configuration; refused ones changed nothing.",
    labels: ["outcome"],
    samples: ({ config }) => [
      [config.succeeded, "succeeded"],
      [config.refused, "refused"],
    ],
  },
  gauge("config_last_reload_successful", "1 unless the last reload was refused.", ({ config }) => {
    return Number(config.failure === null);
  }),
  {
    name: "config_reload_failure",
    type: "gauge",
    help: "1 while the last reload was refused, with the place of the first problem in a file; empty where it is in none.",
    labels: ["file", "line", "column"],
    samples: ({ config: { failure } }) => {
      if (failure === null) return [];
      const { file = "", line = "", column = "" } = failure.position ?? {};
      return [[1, file, String(line), String(column)]];
    },
  },
  gauge("config_options_awaiting_restart", "Options that have changed and need a restart.", (look) => {
    return look.config.waiting.length;
  }),
  {
    name: "certificate_expiry_timestamp_seconds",
    type: "gauge",
    help: "When the certificate that the port shows expires; of several, the first.",
    labels: ["port"],
    samples: ({ certificates }) =>
      Array.from(
        Map.groupBy(certificates, ({ port }) => port),
        ([port, those]): Sample => [Math.min(...those.map(({ notAfterMs }) => notAfterMs)) / 1000, port],
      ),
  },
  counter("client_connects_total", "Client connections accepted.", ({ clients }) => clients.connects),
  counter("auth_failures_total", "Clients refused for their credentials or the lack of them.", (look) => {
    return look.clients.authFailures;
  }),
  {
    name: "websocket_requests_total",
    type: "counter",
    help: "Requests on the port for WebSocket: those that were upgraded, those that were refused, and those that did not come in time.",
    labels: ["outcome"],
    samples: ({ webSocket }) =>
      webSocket === null
        ? []
        : [
            [webSocket.upgraded, "upgraded"],
            [webSocket.refused, "refused"],
            [webSocket.abandoned, "abandoned"],
          ],
  },
  {
    name: "websocket_clients",
    type: "gauge",
    help: "Open client connections over WebSocket.",
    labels: [],
    samples: ({ webSocket }) => (webSocket === null ? [] : [[webSocket.open]]),
  },
  gauge("slab_used_bytes", "Memory of outboxes in use.", () => slabSnapshot().chunksInUse * CHUNK_SIZE),
  gauge("slab_limit_bytes", "Memory of outboxes at most; beyond it, who holds most of it is cut.", () => {
    return slabSnapshot().chunkLimit * CHUNK_SIZE;
  }),
  counter(
    "connection_faults_total",
    "Faults of the server that closed the connection whose input brought them out.",
    ({ losses }) => losses.faults,
  ),
  {
    name: "crowded_out_connections_total",
    type: "counter",
    help: "Connections without credentials, or idle ones of the monitoring port, that were closed to make room for newer ones on a full port.",
    labels: ["port"],
    samples: ({ crowdedOut: { client, clientTls, route, routeTls, webSocketTls, monitor } }) => [
      [client, "client"],
      [clientTls, "client_tls"],
      [route, "route"],
      [routeTls, "route_tls"],
      [webSocketTls, "websocket_tls"],
      [monitor, "monitor"],
    ],
  },
  counter("log_lines_lost_total", "Lines that the destination of the log did not take.", ({ losses }) => {
    return losses.logLines;
  }),
  counter("system_events_lost_total", "Events of the system account that found no room.", ({ losses }) => {
    return losses.systemEvents;
  }),
  counter(
    "system_requests_dropped_total",
    "Requests to the system account without an answer: too many waited, or it was too large.",
    ({ losses }) => losses.systemRequests,
  ),
  ofAccount("slow_consumers", "Clients of the account that were cut as slow consumers.", (account) => {
    return account.slowConsumers;
  }),
  ofAccount(
    "dropped_messages",
    "Messages dropped with the outboxes of slow consumers; beyond 1 MiB of an outbox, estimated.",
    (account) => account.droppedMessages,
  ),
  ofAccount("dropped_bytes", "Bytes dropped with the outboxes of slow consumers.", (account) => {
    return account.droppedBytes;
  }),
  ...routeFamilies(),
  ...meshFamilies(),
  ...discoveryFamilies(),
];

function routeFamilies(): Family[] {
  const ofPeer = (
    type: "gauge" | "counter",
    name: string,
    help: string,
    value: (peer: PeerLook) => number | null,
  ): Family => ({
    name: `route_${name}`,
    type,
    help,
    labels: ["peer"],
    samples: ({ cluster }) =>
      (cluster?.peers ?? []).flatMap((peer): Sample[] => {
        const figure = value(peer);
        return figure === null ? [] : [[figure, peer.name]];
      }),
  });
  return [
    ofPeer("gauge", "connections", "Connections to the server.", (peer) => peer.connections),
    ofPeer("gauge", "pending_bytes", "Bytes pending for the server.", (peer) => peer.pendingBytes),
    ofPeer("gauge", "rtt_seconds", "Round trip to the server, the longest of its connections.", (peer) =>
      peer.roundTripMs === 0 ? null : peer.roundTripMs / 1000,
    ),
    ofPeer(
      "counter",
      "reconnects_total",
      "Connections to the server that took the place of others.",
      (peer) => {
        return peer.reconnects;
      },
    ),
    ofPeer("counter", "received_messages_total", "Messages from the server.", (peer) => peer.inMessages),
    ofPeer("counter", "received_bytes_total", "Bytes of payload from the server.", (peer) => peer.inBytes),
    ofPeer("counter", "sent_messages_total", "Messages to the server.", (peer) => peer.outMessages),
    ofPeer("counter", "sent_bytes_total", "Bytes of payload to the server.", (peer) => peer.outBytes),
    ofPeer("counter", "slow_consumers_total", "Connections to the server cut as slow consumers.", (peer) => {
      return peer.slowConsumers;
    }),
    ofPeer(
      "counter",
      "dropped_messages_total",
      "Messages dropped with outboxes of such connections; beyond 1 MiB of an outbox, estimated.",
      (peer) => peer.droppedMessages,
    ),
    ofPeer("counter", "dropped_bytes_total", "Bytes dropped with outboxes of such connections.", (peer) => {
      return peer.droppedBytes;
    }),
  ];
}

/** By source; the sources are those of the configuration. */
function discoveryFamilies(): Family[] {
  const ofSource = (
    type: "gauge" | "counter",
    name: string,
    help: string,
    value: (source: DiscoveryLook) => number | null,
  ): Family => ({
    name: `discovery_${name}`,
    type,
    help,
    labels: ["source"],
    samples: ({ discovery }) =>
      discovery.flatMap((source): Sample[] => {
        const figure = value(source);
        return figure === null ? [] : [[figure, source.name]];
      }),
  });
  return [
    ofSource(
      "gauge",
      "addresses",
      "Addresses of servers that the source shows.",
      ({ peers }) => peers.length,
    ),
    ofSource("counter", "lookups_total", "Lookups that have come to an end.", ({ lookups }) => lookups),
    ofSource("counter", "failures_total", "Lookups that brought no answer.", ({ failures }) => failures),
    ofSource("gauge", "answer_age_seconds", "Age of the last answer.", ({ answerAgeMs }) =>
      answerAgeMs === null ? null : answerAgeMs / 1000,
    ),
  ];
}

function meshFamilies(): Family[] {
  const ofMesh = (
    type: "gauge" | "counter",
    name: string,
    help: string,
    value: (cluster: ClusterLook) => number | null,
  ): Family => ({
    name: `mesh_${name}`,
    type,
    help,
    labels: [],
    samples: ({ cluster }) => {
      const figure = cluster === null ? null : value(cluster);
      return figure === null ? [] : [[figure]];
    },
  });
  const byKind = (
    name: string,
    label: string,
    help: string,
    counts: (cluster: ClusterLook) => ReadonlyMap<string, number>,
  ): Family => ({
    name: `mesh_${name}`,
    type: "counter",
    help,
    labels: [label],
    samples: ({ cluster }) =>
      cluster === null ? [] : Array.from(counts(cluster), ([kind, count]): Sample => [count, kind]),
  });
  return [
    ofMesh("gauge", "peers_wanted", "Other servers that should be connected.", (mesh) => mesh.wanted),
    ofMesh("gauge", "peers_connected", "Other servers that are connected.", (mesh) => mesh.connected),
    ofMesh("gauge", "peers_awaited", "Other servers that should be connected and are not.", (mesh) =>
      Math.max(0, mesh.wanted - mesh.connected),
    ),
    ofMesh(
      "gauge",
      "complete",
      "Whether all servers are connected, by every connection of each pool.",
      (mesh) => Number(mesh.isComplete),
    ),
    ofMesh(
      "gauge",
      "completion_seconds",
      "How long it took, the last time, until the mesh was complete.",
      (mesh) => (mesh.completionMs === null ? null : mesh.completionMs / 1000),
    ),
    ofMesh("counter", "incomplete_seconds_total", "Time that the mesh has not been complete.", (mesh) => {
      return mesh.incompleteMs / 1000;
    }),
    byKind("changes_total", "kind", "Changes of the mesh and what it met with.", (mesh) => mesh.changes),
    byKind("dials_total", "result", "Attempts to connect to other servers.", (mesh) => mesh.dials),
  ];
}

function gauge(name: string, help: string, value: (look: Look) => number): Family {
  return { name, type: "gauge", help, labels: [], samples: (look) => [[value(look)]] };
}

function counter(name: string, help: string, value: (look: Look) => number): Family {
  return { ...gauge(name, help, value), type: "counter" };
}

function ofAccount(name: string, help: string, value: (account: LossLook) => number): Family {
  return {
    name: `account_${name}_total`,
    type: "counter",
    help,
    labels: ["account"],
    samples: ({ accounts }) =>
      boundedAccounts(accounts).map((account): Sample => [value(account), account.name]),
  };
}
