/**
 * The schema of the chart's values: whatever has a default in values.yaml may be set, with a value of the same type; an empty map or
 * list takes anything, an empty value a text or a number. Anywhere a template may stand instead (`$tplYaml`), as in the NATS
 * chart, and the values of that chart that have no meaning here are taken, so that templates can say what is not there.
 */
import type { ChartValue } from "./values.ts";

/** What files/nats-chart.yaml holds. */
export interface NatsChartValues {
  readonly parts: Record<string, { readonly text: string }>;
  readonly settings: Record<string, { readonly text: string }>;
  readonly idle: readonly string[];
}

type Schema = Record<string, unknown>;

const CHOICES: ReadonlyMap<string, readonly string[]> = new Map([
  ["workload.kind", ["StatefulSet", "Deployment"]],
  ["external.type", ["LoadBalancer", "NodePort", "ClusterIP"]],
]);
/** Empty means that something else is not wanted, whose type the default does not tell. */
const LISTS_OF_TEXT: ReadonlySet<string> = new Set([
  "ingress.hosts",
  "httpRoute.hostnames",
  "config.websocket.ingress.hosts",
  "config.websocket.httpRoute.hostnames",
  "certManager.extraDnsNames",
  "config.cluster.extraRoutes",
]);
/** Maps that hold values of the chart and take other keys as well. */
const EXTENSIBLE_MAPS: ReadonlySet<string> = new Set([
  "global",
  "service.ports.nats",
  "service.ports.websocket",
  "service.ports.leafnodes",
  "service.ports.cluster",
  "service.ports.monitor",
]);
const TEMPLATE_KEYS = { "^\\$tplYaml(Spread)?$": { type: "string" } };
/** A scalar, or a template that gives one. */
const ONLY_TEMPLATE: Schema = {
  properties: { $tplYaml: { type: "string" } },
  additionalProperties: false,
};

export function chartSchema(values: readonly ChartValue[], natsChart: NatsChartValues): Schema {
  const root = mapSchema("", values);
  for (const [path, { text }] of Object.entries(natsChart.parts)) {
    add(root, path, {
      type: "object",
      description: `Of the NATS chart. With \`enabled: true\` it is refused: ${text}.`,
      properties: { enabled: { type: ["boolean", "null"] } },
    });
  }
  for (const [path, { text }] of Object.entries(natsChart.settings)) {
    add(root, path, {
      type: ["object", "array"],
      description: `Of the NATS chart, and has to be empty: ${text}.`,
    });
  }
  for (const path of natsChart.idle) {
    add(root, path, { type: "object", description: "Of the NATS chart, without a meaning here." });
  }
  return { $schema: "http://json-schema.org/draft-07/schema#", ...root };
}

function schemaOf(value: ChartValue): Schema {
  const { description } = value;
  return { ...(description !== null && { description }), ...typeOf(value) };
}

function typeOf({ path, value, below }: ChartValue): Schema {
  const choices = CHOICES.get(path);
  if (choices !== undefined) return { enum: choices, default: value };
  if (below.length > 0) return mapSchema(path, below);
  if (Array.isArray(value)) {
    return {
      type: "array",
      ...(LISTS_OF_TEXT.has(path) && { items: { type: ["string", "object"], ...ONLY_TEMPLATE } }),
    };
  }
  if (typeof value === "object" && value !== null) return { type: "object" };
  if (value === null) return { type: ["string", "number", "null", "object"], ...ONLY_TEMPLATE };
  const type = typeof value === "number" ? "integer" : typeof value;
  return {
    type: [type, "null", "object"],
    default: value,
    ...(type === "integer" && { minimum: 0 }),
    ...ONLY_TEMPLATE,
  };
}

function mapSchema(path: string, below: readonly ChartValue[]): Schema {
  return {
    type: "object",
    properties: Object.fromEntries(below.map((value) => [value.key, schemaOf(value)])),
    ...(!EXTENSIBLE_MAPS.has(path) && { patternProperties: TEMPLATE_KEYS, additionalProperties: false }),
  };
}

/** Adds the schema of a value that values.yaml does not have, below maps that it has. */
function add(root: Schema, path: string, schema: Schema): void {
  const keys = path.split(".");
  const last = keys.pop()!;
  let map = root;
  for (const key of keys) {
    const next = (map["properties"] as Record<string, Schema>)[key];
    if (next?.["properties"] === undefined) throw new Error(`${path}: ${key} is not a map of values.yaml`);
    map = next;
  }
  const properties = map["properties"] as Record<string, Schema>;
  if (last in properties) throw new Error(`${path} of files/nats-chart.yaml is a value of values.yaml, too`);
  properties[last] = schema;
}
