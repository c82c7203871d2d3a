/**
 * Writes helm/shoal/files/grafana-dashboard.json from dashboard-rows.ts. With --check it writes nothing and exits 1 if the file is not what
 * it would write. A test asks a real Prometheus every query.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import { ROWS, type Panel } from "./dashboard-rows.ts";

const FILE = join(import.meta.dirname, "../helm/shoal/files/grafana-dashboard.json");
const COLUMNS = 24;
const DATASOURCE = { type: "prometheus", uid: "$datasource" };

function dashboard(): object {
  const panels: object[] = [];
  let y = 0;
  for (const { title, height, panels: inRow } of ROWS) {
    panels.push({
      id: panels.length + 1,
      type: "row",
      title,
      collapsed: false,
      gridPos: { x: 0, y: y++, w: COLUMNS, h: 1 },
      panels: [],
    });
    const width = height < 8 ? COLUMNS / inRow.length : COLUMNS / 4;
    inRow.forEach((panel, i) => {
      const x = (i * width) % COLUMNS;
      const line = Math.floor((i * width) / COLUMNS);
      panels.push(panelOf(panel, panels.length + 1, { x, y: y + line * height, w: width, h: height }));
    });
    y += Math.ceil((inRow.length * width) / COLUMNS) * height;
  }
  return {
    uid: "shoal",
    title: "shoal",
    description: "Servers of shoal clusters. Made for the metrics in docs/metrics.md.",
    tags: ["shoal", "nats"],
    schemaVersion: 39,
    editable: true,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    timezone: "",
    templating: { list: variables() },
    panels,
  };
}

function variables(): object[] {
  const chosenFrom = (name: string, label: string, query: string): object => ({
    name,
    label,
    type: "query",
    datasource: DATASOURCE,
    query: { query, refId: name },
    definition: query,
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: ".*",
    current: { text: "All", value: "$__all" },
  });
  return [
    { name: "datasource", label: "Data source", type: "datasource", query: "prometheus", current: {} },
    chosenFrom("job", "Job", "label_values(nats_server_info, job)"),
    chosenFrom("instance", "Server", 'label_values(nats_server_info{job=~"$job"}, instance)'),
  ];
}

function panelOf(panel: Panel, id: number, gridPos: object): object {
  const { title, about, kind, unit = "short", queries } = panel;
  return {
    id,
    type: kind,
    title,
    ...(about === undefined ? {} : { description: about }),
    gridPos,
    datasource: DATASOURCE,
    targets: queries.map(({ expr, legend }, i) => ({
      refId: String.fromCharCode(65 + i),
      datasource: DATASOURCE,
      expr,
      ...(legend === undefined ? {} : { legendFormat: legend }),
      ...(kind === "table" ? { instant: true, format: "table" } : {}),
      ...(kind === "heatmap" ? { format: "heatmap" } : {}),
    })),
    fieldConfig: { defaults: { unit, ...thresholds(panel) }, overrides: [] },
    ...options(kind),
  };
}

function thresholds({ warnFrom, warnBelow }: Panel): object {
  if (warnFrom === undefined && warnBelow === undefined) return {};
  const steps =
    warnFrom === undefined
      ? [
          { color: "red", value: null },
          { color: "green", value: warnBelow },
        ]
      : [
          { color: "green", value: null },
          { color: "red", value: warnFrom },
        ];
  return { color: { mode: "thresholds" }, thresholds: { mode: "absolute", steps } };
}

function options(kind: Panel["kind"]): object {
  switch (kind) {
    case "stat":
      return {
        options: { reduceOptions: { calcs: ["lastNotNull"] }, colorMode: "value", graphMode: "area" },
      };
    case "timeseries":
      return {
        options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi" } },
      };
    case "heatmap":
      return { options: { calculate: false, yAxis: { unit: "bytes" } } };
    case "table":
      return {
        transformations: [
          {
            id: "organize",
            options: { excludeByName: { Time: true, Value: true, __name__: true, job: true } },
          },
        ],
      };
  }
}

const wanted = await format(JSON.stringify(dashboard()), {
  ...(await resolveConfig(FILE)),
  parser: "json",
});
if (!process.argv.includes("--check")) {
  writeFileSync(FILE, wanted);
} else if (readFileSync(FILE, "utf8") !== wanted) {
  console.error("helm/shoal/files/grafana-dashboard.json is stale: run node scripts/grafana-dashboard.ts");
  process.exitCode = 1;
}
