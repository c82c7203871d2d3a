/** Metrics for Prometheus. */
import { rowsOf, type Section } from "../option.ts";
import { port } from "../values/address.ts";
import { basePath, hostName, metricPrefix } from "../values/value-type.ts";
import type { MonitorSeen } from "./monitor.ts";

interface MetricsConfig {
  readonly host: string;
  /** Port for metrics alone. null: only on the monitoring port; 0: the system picks a free port. */
  readonly port: number | null;
  readonly path: string;
  /** Prefix of all names, without the "_" that follows it. */
  readonly prefix: string;
  /** The same of those that the exporter has with `-jsz`. */
  readonly jetStreamPrefix: string;
}

export interface SeenByMetrics extends MonitorSeen {
  readonly metrics: MetricsConfig;
}

const { option } = rowsOf<SeenByMetrics, "metrics">("metrics", "Monitoring");

export const metrics: Section<SeenByMetrics, "metrics"> = {
  name: "metrics",
  rows: [
    option({
      key: "metrics.port",
      field: "port",
      type: port,
      default: null,
      defaultText: "off",
      reload: "restart",
      description:
        "Port for metrics alone, -1 for a free one; 7777 is that of prometheus-nats-exporter. The monitoring port has them too",
    }),
    option({
      key: "metrics.host",
      field: "host",
      type: hostName,
      default: { derive: ({ monitor }) => monitor.host },
      defaultText: "that of monitoring",
      reload: "restart",
      description: "Address to listen on for metrics",
    }),
    option({
      key: "metrics.path",
      field: "path",
      type: basePath,
      default: "/metrics",
      reload: "restart",
      description: "Path of metrics on both ports; on the monitoring port, below http_base_path",
    }),
    option({
      key: "metrics.prefix",
      field: "prefix",
      type: metricPrefix,
      default: "nats",
      reload: "restart",
      description: "What names of metrics begin with, before an underscore",
    }),
    option({
      key: "metrics.jetstream_prefix",
      field: "jetStreamPrefix",
      type: metricPrefix,
      default: "jetstream",
      reload: "restart",
      description:
        "The same of metrics of streams and consumers; nats is what dashboards for the NATS chart expect",
    }),
  ],
};
