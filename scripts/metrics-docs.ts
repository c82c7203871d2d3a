/**
 * Writes the tables of docs/metrics.md. With --check it writes nothing and exits 1 if the file is not what it would write.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { FILE, metricsPage } from "./metrics-docs/tables.ts";

const wanted = await metricsPage();
if (!process.argv.includes("--check")) {
  writeFileSync(FILE, wanted);
} else if (readFileSync(FILE, "utf8") !== wanted) {
  console.error("docs/metrics.md is stale: run node scripts/metrics-docs.ts");
  process.exitCode = 1;
}
