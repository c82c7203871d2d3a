/** The rows of the Grafana dashboard: their panels, and what each asks Prometheus. grafana-dashboard.ts draws them. */

/** Stands in a query for the servers that are chosen. */
const CHOSEN = 'job=~"$job", instance=~"$instance"';
const RATE = "[$__rate_interval]";

interface Query {
  readonly expr: string;
  readonly legend?: string;
}

export interface Panel {
  readonly title: string;
  readonly about?: string;
  readonly kind: "stat" | "timeseries" | "table" | "heatmap";
  readonly unit?: string;
  readonly queries: readonly Query[];
  /** What a figure is from on which it is a warning. */
  readonly warnFrom?: number;
  /** Where less is worse. */
  readonly warnBelow?: number;
}

interface Row {
  readonly title: string;
  readonly height: number;
  readonly panels: readonly Panel[];
}

/** `metric` of the chosen servers, with further conditions. */
function of(metric: string, conditions = ""): string {
  return `${metric}{${[CHOSEN, conditions].filter((part) => part !== "").join(", ")}}`;
}

/** One of the exporter's metrics of streams and consumers, whatever `metrics.jetstream_prefix` is. */
function ofJetStream(metric: string): string {
  return `{__name__=~"(?:jetstream|nats)_${metric}", ${CHOSEN}}`;
}

function rate(metric: string, by: string, conditions = ""): string {
  return `sum by (${by}) (rate(${of(metric, conditions)}${RATE}))`;
}

function stat(title: string, expr: string, more: Partial<Panel> = {}): Panel {
  return { kind: "stat", title, queries: [{ expr }], ...more };
}

function graph(title: string, unit: string, ...queries: readonly (readonly [string, string])[]): Panel {
  return {
    kind: "timeseries",
    title,
    unit,
    queries: queries.map(([expr, legend]) => ({ expr, legend })),
  };
}

const MEMBER = "{{instance}}";

export const ROWS: readonly Row[] = [
  {
    title: "Overview",
    height: 4,
    panels: [
      stat("Servers", `count(${of("nats_ready")})`),
      stat("Ready", `sum(${of("nats_ready")})`, { warnBelow: 1 }),
      stat("Without full mesh", `count(${of("nats_mesh_complete")} == 0) or vector(0)`, { warnFrom: 1 }),
      stat("Clients", `sum(${of("nats_varz_connections")})`),
      stat("Messages in", `sum(rate(${of("nats_varz_in_client_msgs")}${RATE}))`, { unit: "cps" }),
      stat("Messages out", `sum(rate(${of("nats_varz_out_client_msgs")}${RATE}))`, { unit: "cps" }),
      stat("Slow consumers, 1 h", `sum(increase(${of("nats_account_slow_consumers_total")}[1h]))`, {
        warnFrom: 1,
      }),
      stat(
        "First certificate expires in",
        `min(${of("nats_certificate_expiry_timestamp_seconds")}) - time()`,
        {
          unit: "s",
          warnBelow: 14 * 86_400,
        },
      ),
    ],
  },
  {
    title: "Clients",
    height: 8,
    panels: [
      graph(
        "Messages",
        "cps",
        [rate("nats_varz_in_client_msgs", "instance"), `${MEMBER} in`],
        [rate("nats_varz_out_client_msgs", "instance"), `${MEMBER} out`],
      ),
      graph(
        "Payload",
        "Bps",
        [rate("nats_varz_in_client_bytes", "instance"), `${MEMBER} in`],
        [rate("nats_varz_out_client_bytes", "instance"), `${MEMBER} out`],
      ),
      graph("Connections", "short", [of("nats_varz_connections"), MEMBER]),
      graph("Interest", "short", [of("nats_varz_subscriptions"), MEMBER]),
      graph(
        "Connects and refusals",
        "cps",
        [rate("nats_client_connects_total", "instance"), `${MEMBER} connects`],
        [rate("nats_auth_failures_total", "instance"), `${MEMBER} refused`],
      ),
      graph("Publishers made to wait for slower readers", "cps", [
        rate("nats_varz_stalled_clients", "instance"),
        MEMBER,
      ]),
      {
        kind: "heatmap",
        title: "Bytes pending for clients",
        about: "How many connections had how much pending, as seen at scrapes.",
        unit: "bytes",
        queries: [
          {
            expr: `sum by (le) (increase(${of("nats_client_pending_bytes_bucket")}${RATE}))`,
            legend: "{{le}}",
          },
        ],
      },
      graph("Memory for messages", "percentunit", [
        `${of("nats_slab_used_bytes")} / ${of("nats_slab_limit_bytes")}`,
        MEMBER,
      ]),
    ],
  },
  {
    title: "Mesh",
    height: 8,
    panels: [
      graph(
        "Other servers",
        "short",
        [of("nats_mesh_peers_connected"), `${MEMBER} connected`],
        [of("nats_mesh_peers_awaited"), `${MEMBER} awaited`],
      ),
      graph("Until the mesh was complete, last time", "s", [of("nats_mesh_completion_seconds"), MEMBER]),
      graph("Share of time without full mesh", "percentunit", [
        rate("nats_mesh_incomplete_seconds_total", "instance"),
        MEMBER,
      ]),
      graph("Changes", "short", [
        `sum by (kind) (increase(${of("nats_mesh_changes_total")}${RATE}))`,
        "{{kind}}",
      ]),
      graph("Dials", "short", [
        `sum by (result) (increase(${of("nats_mesh_dials_total")}${RATE}))`,
        "{{result}}",
      ]),
      graph(
        "Addresses found",
        "short",
        [of("nats_discovery_addresses"), `${MEMBER} {{source}}`],
        [rate("nats_discovery_failures_total", "instance, source"), `${MEMBER} {{source}} failures a second`],
      ),
      graph("Age of the last answer of discovery", "s", [
        of("nats_discovery_answer_age_seconds"),
        `${MEMBER} {{source}}`,
      ]),
      {
        kind: "table",
        title: "Not ready, because of",
        queries: [{ expr: `${of("nats_not_ready")} == 1` }],
      },
    ],
  },
  {
    title: "Routes",
    height: 8,
    panels: [
      graph("Messages", "cps", [
        rate("nats_route_sent_messages_total", "instance, peer"),
        `${MEMBER} to {{peer}}`,
      ]),
      graph("Payload", "Bps", [
        rate("nats_route_sent_bytes_total", "instance, peer"),
        `${MEMBER} to {{peer}}`,
      ]),
      graph("Received messages", "cps", [
        rate("nats_route_received_messages_total", "instance, peer"),
        `${MEMBER} from {{peer}}`,
      ]),
      graph("Received payload", "Bps", [
        rate("nats_route_received_bytes_total", "instance, peer"),
        `${MEMBER} from {{peer}}`,
      ]),
      graph("Round trip", "s", [of("nats_route_rtt_seconds"), `${MEMBER} to {{peer}}`]),
      graph("Pending", "bytes", [of("nats_route_pending_bytes"), `${MEMBER} to {{peer}}`]),
      graph("Connections", "short", [of("nats_route_connections"), `${MEMBER} to {{peer}}`]),
      graph(
        "Reconnects, slow routes, dropped messages",
        "short",
        [`increase(${of("nats_route_reconnects_total")}${RATE})`, `${MEMBER} to {{peer}} reconnects`],
        [`increase(${of("nats_route_slow_consumers_total")}${RATE})`, `${MEMBER} to {{peer}} slow`],
        [`increase(${of("nats_route_dropped_messages_total")}${RATE})`, `${MEMBER} to {{peer}} dropped`],
      ),
    ],
  },
  {
    title: "Accounts",
    height: 8,
    panels: [
      graph(
        "Messages",
        "cps",
        [rate("nats_accstatz_received_messages", "account"), "{{account}} in"],
        [rate("nats_accstatz_sent_messages", "account"), "{{account}} out"],
      ),
      graph("Connections", "short", [
        `sum by (account) (${of("nats_accstatz_current_connections")})`,
        "{{account}}",
      ]),
      graph("Slow consumers", "short", [
        `sum by (account) (increase(${of("nats_account_slow_consumers_total")}${RATE}))`,
        "{{account}}",
      ]),
      graph("Dropped messages", "short", [
        `sum by (account) (increase(${of("nats_account_dropped_messages_total")}${RATE}))`,
        "{{account}}",
      ]),
    ],
  },
  {
    title: "JetStream",
    height: 8,
    panels: [
      graph(
        "Stored",
        "bytes",
        [of("nats_varz_jetstream_stats_storage"), `${MEMBER} in files`],
        [of("nats_varz_jetstream_stats_memory"), `${MEMBER} in memory`],
        [of("nats_jetstream_storage_left_bytes"), `${MEMBER} left`],
      ),
      graph("Messages stored", "short", [ofJetStream("server_total_messages"), MEMBER]),
      graph(
        "Requests to the API",
        "cps",
        [rate("nats_jetstream_requests_total", "instance"), MEMBER],
        [rate("nats_jetstream_request_errors_total", "instance"), `${MEMBER} refused`],
      ),
      graph(
        "Syncs to the disk",
        "cps",
        [rate("nats_jetstream_syncs_total", "instance"), MEMBER],
        [rate("nats_jetstream_slow_syncs_total", "instance"), `${MEMBER} longer than 0.1 s`],
        [rate("nats_jetstream_failed_syncs_total", "instance"), `${MEMBER} failed`],
      ),
      graph("Time of a sync", "s", [
        `${rate("nats_jetstream_sync_seconds_total", "instance")} / ${rate("nats_jetstream_syncs_total", "instance")}`,
        MEMBER,
      ]),
      graph("Consumers that have messages and deliver none", "short", [
        `sum by (reason) (${of("nats_jetstream_idle_consumers")})`,
        "{{reason}}",
      ]),
      graph("Messages ahead of consumers", "short", [
        `topk(10, ${ofJetStream("consumer_num_pending")})`,
        "{{account}} {{stream_name}} {{consumer_name}}",
      ]),
      graph("Messages that wait for an acknowledgement", "short", [
        `topk(10, ${ofJetStream("consumer_num_ack_pending")})`,
        "{{account}} {{stream_name}} {{consumer_name}}",
      ]),
      graph(
        "Dead letters",
        "short",
        [`increase(${of("nats_jetstream_dead_letters_total")}${RATE})`, `${MEMBER} {{reason}}`],
        [`increase(${of("nats_jetstream_dead_letters_refused_total")}${RATE})`, `${MEMBER} refused`],
      ),
      graph("Scrub", "percentunit", [of("nats_jetstream_scrub_progress"), `${MEMBER} of the present pass`]),
      graph(
        "Found by the scrub",
        "short",
        [`increase(${of("nats_jetstream_scrub_damaged_files_total")}${RATE})`, `${MEMBER} damaged files`],
        [`increase(${of("nats_jetstream_scrub_mended_files_total")}${RATE})`, `${MEMBER} mended files`],
      ),
      {
        kind: "table",
        title: "Lost messages, refusing streams, folders put aside",
        about:
          "Streams of which messages are damaged and known missing, or that take none; nothing here is well.",
        queries: [
          { expr: `${of("nats_jetstream_lost_messages")} > 0` },
          { expr: `${of("nats_jetstream_lost_bytes")} > 0` },
          { expr: `${of("nats_jetstream_refusing_streams")} > 0` },
          { expr: `${of("nats_jetstream_quarantined_folders")} > 0` },
        ],
      },
    ],
  },
  {
    title: "Process",
    height: 8,
    panels: [
      graph("Processor", "percentunit", [rate("process_cpu_seconds_total", "instance"), MEMBER]),
      graph(
        "Memory",
        "bytes",
        [of("process_resident_memory_bytes"), `${MEMBER} resident`],
        [of("nodejs_heap_size_used_bytes"), `${MEMBER} heap`],
      ),
      graph(
        "Delay of the event loop",
        "s",
        [
          `histogram_quantile(0.99, ${rate("nodejs_eventloop_delay_seconds_bucket", "instance, le")})`,
          `${MEMBER} 99 %`,
        ],
        [
          `histogram_quantile(0.5, ${rate("nodejs_eventloop_delay_seconds_bucket", "instance, le")})`,
          `${MEMBER} 50 %`,
        ],
      ),
      graph("Share of time in collections of garbage", "percentunit", [
        rate("nodejs_gc_duration_seconds_sum", "instance, kind"),
        `${MEMBER} {{kind}}`,
      ]),
      graph("Open file descriptors", "percentunit", [
        `${of("process_open_fds")} / ${of("process_max_fds")}`,
        MEMBER,
      ]),
      {
        kind: "table",
        title: "Servers",
        queries: [{ expr: of("nats_server_info") }],
      },
      {
        kind: "table",
        title: "Configurations",
        about: "Digests of the configurations in force: the same on all servers, but during a rollout.",
        queries: [{ expr: of("nats_config_info") }],
      },
      graph("Whether the last reload was taken", "short", [of("nats_config_last_reload_successful"), MEMBER]),
      {
        kind: "table",
        title: "Refused reloads",
        about: "Servers that refused what they read last, and the place of the first problem in a file.",
        queries: [{ expr: of("nats_config_reload_failure") }],
      },
      graph(
        "Lost lines of the log, lost events and requests of the system account",
        "short",
        [`increase(${of("nats_log_lines_lost_total")}${RATE})`, `${MEMBER} lines`],
        [`increase(${of("nats_system_events_lost_total")}${RATE})`, `${MEMBER} events`],
        [`increase(${of("nats_system_requests_dropped_total")}${RATE})`, `${MEMBER} requests`],
      ),
    ],
  },
];
