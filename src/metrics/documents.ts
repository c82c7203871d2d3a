/**
 * The numbers of a JSON document as metrics, named as prometheus-nats-exporter names them: nested names joined by "_", value 1
 * and a label for the few texts that are shown, milliseconds since the epoch for times.
 */

export interface Reading {
  readonly name: string;
  readonly value: number;
  /** Text for a label. */
  readonly text: string | null;
}

/** Fields that the exporter omits. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  "leaf",
  "trusted_operators_claim",
  "cluster_tls_timeout",
  "cluster_cluster_port",
  "cluster_auth_timeout",
  "gateway_port",
  "gateway_auth_timeout",
  "gateway_tls_timeout",
  "gateway_connect_retries",
]);
/** Texts that the exporter shows, anywhere in the document. */
const TEXTS: ReadonlySet<string> = new Set([
  "server_id",
  "server_name",
  "version",
  "domain",
  "leader",
  "name",
]);
const TIMES: ReadonlySet<string> = new Set(["start", "config_load_time"]);
/** Characters that Prometheus allows in a name. */
const FIT = /^\w+$/;

export function* readings(document: object, path: readonly string[] = []): Generator<Reading> {
  for (const [key, value] of Object.entries(document) as [string, unknown][]) {
    const inner = [...path, key];
    const name = joined(inner);
    if (LEFT_OUT.has(name) || !FIT.test(name)) continue;
    if (typeof value === "number") yield { name, value, text: null };
    else if (typeof value === "string" && TIMES.has(key))
      yield { name, value: Date.parse(value), text: null };
    else if (typeof value === "string" && TEXTS.has(key)) yield { name, value: 1, text: value };
    else if (typeof value === "object" && value !== null && !Array.isArray(value))
      yield* readings(value, inner);
  }
}

function joined(path: readonly string[]): string {
  return path.join("_").replaceAll("/", "_").replaceAll(/_+/g, "_").replaceAll(/^_|_$/g, "");
}
