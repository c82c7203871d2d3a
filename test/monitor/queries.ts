/** The queries that ship with shoal: of the Grafana dashboard and of the alert rules. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const monitoring = join(import.meta.dirname, "../../monitoring");

export interface ShippedQuery {
  readonly title: string;
  readonly expr: string;
}

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly AlertRule[] }[];
}

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
  readonly targets?: readonly { readonly expr: string }[];
}

export function panels(): readonly Panel[] {
  const text = readFileSync(join(monitoring, "grafana-dashboard.json"), "utf8");
  return (JSON.parse(text) as { panels: Panel[] }).panels;
}

/** As Grafana asks them where all servers are chosen. */
export function dashboardQueries(rateInterval: string): ShippedQuery[] {
  return panels().flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({
      title,
      expr: expr
        .replaceAll("$__rate_interval", rateInterval)
        .replaceAll('"$job"', '".*"')
        .replaceAll('"$instance"', '".*"'),
    })),
  );
}

export const rulesFile = join(monitoring, "prometheus-rules.yaml");

export function ruleFile(): RuleFile {
  return parse(readFileSync(rulesFile, "utf8")) as RuleFile;
}

export function alertRules(): readonly AlertRule[] {
  return ruleFile().groups.flatMap(({ rules }) => rules);
}

/** Names of metrics in a query. */
export function metricsOf(expr: string): string[] {
  const names = expr.match(/\b(?:nats|nodejs|process)_\w+|\bup\b/g) ?? [];
  return [...new Set(names)];
}

/** Whether only a server that keeps streams has something to say to it. */
export function isAboutStreams(expr: string): boolean {
  return /_jetstream_|\(\?:jetstream\|nats\)_/.test(expr);
}
