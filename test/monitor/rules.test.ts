/** What ships for Prometheus and Grafana: well-formed, and about metrics that there are. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { FILE } from "../../scripts/metrics-docs/tables.ts";
import { lacksPrometheus, promtool } from "../support/prometheus.ts";
import { alertRules, dashboardQueries, metricsOf, panels, rulesFile } from "./queries.ts";

const testsFile = join(import.meta.dirname, "prometheus-rules.test.yaml");

/** By docs/metrics.md, which another test compares with what a server shows. */
const documented = new Set(
  [...readFileSync(FILE, "utf8").matchAll(/^\| `(\w+)` +\| (\w+)/gm)].flatMap(([, name = "", type]) =>
    type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
);

describe("the alert rules", () => {
  it.skipIf(lacksPrometheus)("are what promtool accepts, and do as their tests say", () => {
    expect(promtool(["check", "rules", rulesFile])).toContain("SUCCESS");
    expect(promtool(["test", "rules", testsFile])).toContain("SUCCESS");
  });

  it("are about metrics that there are, and say what is the matter", () => {
    for (const { alert, expr, labels, annotations } of alertRules()) {
      const unknown = metricsOf(expr).filter((name) => name !== "up" && !documented.has(name));
      expect([alert, unknown]).toEqual([alert, []]);
      expect(["warning", "critical"]).toContain(labels["severity"]);
      expect(Object.keys(annotations)).toEqual(["summary", "description"]);
    }
  });

  it("have each a test in which it fires", () => {
    const tests = parse(readFileSync(testsFile, "utf8")) as { tests: unknown[] };
    const firing = JSON.stringify(tests.tests.slice(1));
    expect(
      alertRules()
        .map(({ alert }) => alert)
        .filter((alert) => !firing.includes(alert)),
    ).toEqual([]);
  });
});

describe("the dashboard", () => {
  it("asks for metrics that there are, of the chosen servers", () => {
    const queries = dashboardQueries("1m");
    expect(queries.length).toBeGreaterThan(40);
    for (const { title, expr } of queries) {
      expect([title, metricsOf(expr).filter((name) => !documented.has(name))]).toEqual([title, []]);
      const selectors = expr.match(/\b(?:nats|nodejs|process)_\w+\S{0,1}/g) ?? [];
      expect([title, selectors.filter((one) => !one.endsWith("{"))]).toEqual([title, []]);
    }
  });

  it("shows every metric of routes, mesh, discovery and accounts", () => {
    const asked = new Set(dashboardQueries("1m").flatMap(({ expr }) => metricsOf(expr)));
    const shown = [...documented].filter((name) => /^nats_(route|mesh|discovery|account)_/.test(name));
    const missing = shown.filter((name) => !asked.has(name));
    // what their neighbours on the same panel tell already
    expect(missing.sort()).toEqual([
      "nats_account_dropped_bytes_total",
      "nats_discovery_lookups_total",
      "nats_mesh_peers_wanted",
      "nats_route_dropped_bytes_total",
    ]);
  });

  it("has no panel on another, nor beyond the edge", () => {
    const taken = new Set<string>();
    for (const { title, gridPos } of panels()) {
      expect([title, gridPos.x + gridPos.w]).toEqual([title, Math.min(24, gridPos.x + gridPos.w)]);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect([title, taken.has(`${x},${y}`)]).toEqual([title, false]);
          taken.add(`${x},${y}`);
        }
      }
    }
  });
});
