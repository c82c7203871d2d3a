/**
 * Writes helm/shoal/values.schema.json from values.yaml: whatever has a default there may be set, with a value of the same
 * type, and nothing else. An empty map or list takes anything, an empty value a text or a number.
 *
 *     node scripts/chart-schema.ts [--check]      --check: exit code 1 when the file is not what would be written
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const chart = join(import.meta.dirname, "../helm/shoal");
const file = join(chart, "values.schema.json");

/** Maps that others may have keys in: parent charts, and whoever names users or topologies. */
const OPEN_MAPS: ReadonlySet<string> = new Set(["global", "podTemplate.topologySpreadConstraints"]);
const CHOICES: ReadonlyMap<string, readonly string[]> = new Map([
  ["workload.kind", ["StatefulSet", "Deployment"]],
  ["external.type", ["LoadBalancer", "NodePort", "ClusterIP"]],
]);
/** Empty means that something else is not wanted, whose type the default does not tell. */
const LISTS_OF_TEXT: ReadonlySet<string> = new Set([
  "ingress.hosts",
  "httpRoute.hostnames",
  "certManager.extraDnsNames",
]);

function schemaOf(value: unknown, path: string): object {
  if (CHOICES.has(path)) return { enum: CHOICES.get(path) };
  if (Array.isArray(value)) {
    return { type: "array", ...(LISTS_OF_TEXT.has(path) && { items: { type: "string" } }) };
  }
  if (typeof value === "object" && value !== null) return mapSchema(value, path);
  if (value === null) return { type: ["string", "number", "null"] };
  if (typeof value === "number") return { type: ["integer", "null"], minimum: 0 };
  return { type: [typeof value, "null"] };
}

function mapSchema(map: object, path: string): object {
  const entries = Object.entries(map);
  if (entries.length === 0) return { type: "object" };
  const below = entries.map(([key, value]) => [key, schemaOf(value, path === "" ? key : `${path}.${key}`)]);
  // resources are Kubernetes' own, which checks them
  const isOpen = OPEN_MAPS.has(path) || /(^|\.)(labels|resources)$/.test(path);
  return {
    type: "object",
    ...(isOpen ? {} : { properties: Object.fromEntries(below) as object, additionalProperties: false }),
  };
}

const values = parse(readFileSync(join(chart, "values.yaml"), "utf8")) as object;
const schema = { $schema: "http://json-schema.org/draft-07/schema#", ...schemaOf(values, "") };
const text = `${JSON.stringify(schema, null, 2)}\n`;
if (!process.argv.includes("--check")) writeFileSync(file, text);
else if (readFileSync(file, "utf8") !== text) {
  console.error("helm/shoal/values.schema.json is not what values.yaml says: run npm run docs");
  process.exit(1);
}
