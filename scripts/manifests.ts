/**
 * Writes k8s/base/shoal.yaml: the chart's default resources as plain manifests, without what is Helm's own and without
 * credentials for routes (a password in a repository is none; the NetworkPolicy keeps routes to the members). Needs helm.
 *
 *     node scripts/manifests.ts
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import { plainManifests } from "./manifests/plain.ts";

const root = join(import.meta.dirname, "..");
const args = [
  "template",
  "shoal",
  "helm/shoal",
  "--kube-version",
  "1.29.0",
  "--set",
  "config.cluster.authorization.enabled=false",
];
const { status, stdout } = spawnSync("helm", args, {
  cwd: root,
  encoding: "utf8",
  stdio: ["ignore", "pipe", "inherit"],
});
if (status !== 0) throw new Error("helm template failed: see its message above");

const manifests = plainManifests(parseAllDocuments(stdout).map((document) => document.toJS() as unknown));
const head = "# Written by scripts/manifests.ts from the chart: change that, or patch this in an overlay.\n";
writeFileSync(join(root, "k8s/base/shoal.yaml"), head + manifests.map((one) => stringify(one)).join("---\n"));
