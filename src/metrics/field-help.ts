/** What the fields of `/varz` and `/subsz` mean, as help of their metrics. */

const VARZ: Readonly<Record<string, string>> = {
  server_id: "Id of the server, new at each start.",
  server_name: "Name of the server.",
  version: "Level of nats-server that the server implements.",
  proto: "Version of the client protocol.",
  port: "Port for clients.",
  max_connections: "Client connections at most; 0 is no limit.",
  max_subscriptions: "Subscriptions of a connection at most.",
  ping_interval: "Time between PINGs to clients, in nanoseconds.",
  ping_max: "PINGs without an answer that end a connection.",
  http_port: "Port of monitoring.",
  https_port: "Port of monitoring over TLS.",
  auth_timeout: "Time that a client has to present credentials, in seconds.",
  max_control_line: "Bytes of a protocol line at most.",
  max_payload: "Bytes of a message at most.",
  max_pending: "Bytes pending for a connection at most.",
  cluster_name: "Name of the cluster.",
  cluster_pool_size: "Connections to each other server.",
  cluster_write_deadline: "Time that a write to another server may take, in nanoseconds.",
  tls_timeout: "Time that a TLS handshake may take, in seconds.",
  write_deadline: "Time that a write to a client may take, in nanoseconds.",
  start: "When the server was started, in milliseconds since the epoch.",
  mem: "Resident memory in bytes.",
  cores: "Processors of the machine.",
  gomaxprocs: "Processors that the server uses for messages.",
  cpu: "Percent of one processor in use since the last look.",
  connections: "Open client connections.",
  total_connections: "Client connections since the start.",
  routes: "Connections to other servers, each of a pool.",
  remotes: "Other servers that are connected.",
  leafnodes: "Connections of leaf nodes.",
  in_msgs: "Messages received from clients and other servers.",
  in_bytes: "Bytes of payload received from clients and other servers.",
  in_client_msgs: "Messages received from clients.",
  in_client_bytes: "Bytes of payload received from clients.",
  out_msgs: "Messages sent to clients and other servers.",
  out_bytes: "Bytes of payload sent to clients and other servers.",
  out_client_msgs: "Messages sent to clients.",
  out_client_bytes: "Bytes of payload sent to clients.",
  slow_consumers: "Connections that were cut as slow consumers.",
  stale_connections: "Connections that were ended for not answering PING.",
  stalled_clients: "Times a client was made to wait for slower readers.",
  subscriptions: "Interest of clients here and of other servers.",
  http_req_stats: "Requests to / of the monitoring port.",
  config_load_time: "When the configuration in force was loaded, in milliseconds since the epoch.",
  slow_consumer_stats_clients: "Clients that were cut as slow consumers.",
  slow_consumer_stats_routes: "Connections to other servers that were cut as slow consumers.",
  slow_consumer_stats_gateways: "Gateways that were cut as slow consumers.",
  slow_consumer_stats_leafs: "Leaf nodes that were cut as slow consumers.",
  stale_connection_stats_clients: "Clients that were ended for not answering PING.",
  stale_connection_stats_routes: "Connections to other servers that were ended for not answering PING.",
  stale_connection_stats_gateways: "Gateways that were ended for not answering PING.",
  stale_connection_stats_leafs: "Leaf nodes that were ended for not answering PING.",
  disk_io_wait_stats_waiters: "Waits for the disk at present: there is no store.",
  disk_io_wait_stats_waits: "Waits for the disk since the start: there is no store.",
  disk_io_wait_stats_wait_time: "Time of waits for the disk in nanoseconds: there is no store.",
  disk_io_wait_stats_max_wait_time: "Longest wait for the disk in nanoseconds: there is no store.",
};

const SUBSZ: Readonly<Record<string, string>> = {
  num_subscriptions: "Interest of clients here and of other servers.",
  num_cache: "Subjects whose receivers are known without looking.",
  num_inserts: "Subscriptions made since the start.",
  num_removes: "Subscriptions ended since the start.",
  num_matches: "Lookups of receivers; a message on the subject of the one before needs none.",
  cache_hit_rate: "Share of lookups whose receivers were known, from 0 to 1.",
  max_fanout: "Most receivers of a known subject.",
  avg_fanout: "Receivers of a known subject on average.",
};

const REQUESTS = "http_req_stats_";

export function fieldHelp(endpoint: "varz" | "subsz", name: string): string {
  const help = (endpoint === "varz" ? VARZ : SUBSZ)[name];
  if (help !== undefined) return help;
  if (name.startsWith(REQUESTS)) return `Requests to /${name.slice(REQUESTS.length)} of the monitoring port.`;
  return `Field ${name} of /${endpoint}.`;
}
