/** The plain manifests in k8s/ are what the chart renders: they cannot drift apart. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { plainManifests } from "../../scripts/manifests/plain.ts";
import { helm } from "../support/helm.ts";

const root = join(import.meta.dirname, "../..");
const WITHOUT_CREDENTIALS = "config.cluster.authorization.enabled=false";

/** Values that an overlay stands for. */
const VALUES: Record<string, readonly string[]> = {
  base: [],
  "overlays/single": ["config.cluster.enabled=false"],
  "overlays/tls": [
    `config.nats.tls={"enabled":true,"secretName":"shoal-nats-tls"}`,
    `config.cluster.tls={"enabled":true,"secretName":"shoal-cluster-tls"}`,
    `tlsCA={"enabled":true,"secretName":"shoal-ca"}`,
  ],
  "overlays/zones": [
    "config.zoneAware=true",
    `podTemplate.topologySpreadConstraints={"topology.kubernetes.io/zone":{"maxSkew":1,"whenUnsatisfiable":"DoNotSchedule"}}`,
  ],
};

it.each(Object.entries(VALUES))("k8s/%s is the chart with its values", async (folder, values) => {
  const flags = [WITHOUT_CREDENTIALS, ...values].flatMap((set) => ["--set-json", set]);
  const rendered = await helm("template", "shoal", "helm/shoal", "--kube-version", "1.29.0", ...flags);
  const { stdout } = await promisify(execFile)("kubectl", ["kustomize", `k8s/${folder}`], { cwd: root });
  expect(read(stdout)).toEqual(read(rendered));
});

function read(text: string): unknown[] {
  return plainManifests(parseAllDocuments(text).map((document) => document.toJS() as unknown));
}
