/** docs/metrics.md tells of every metric that a server shows, with its type, labels and help, and of no other. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { FILE, metricsPage } from "../../../scripts/metrics-docs/tables.ts";

it("docs/metrics.md is what npm run docs makes", async () => {
  expect(readFileSync(FILE, "utf8")).toBe(await metricsPage());
});
