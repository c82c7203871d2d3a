// What stands around the servers on a real cluster: certificates, DNS, Prometheus.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { beforeAll, expect } from "vitest";
import { parseAllDocuments } from "yaml";
import { Authority } from "../support/certificates.ts";
import { helm } from "../support/helm.ts";
import { eventually, kubectl, manifestFile, Witness } from "../support/kubernetes.ts";
import { loadTestImages } from "./images.ts";
import { AT, expectUnmoved, it, POD, SERVICE } from "./release.ts";

const run = promisify(execFile);
const SNAPSHOTS = new URL("../chart/snapshots/", import.meta.url);
const STRICTLY = ["--dry-run=server", "--validate=strict"];
const PODS = [POD(0), POD(1), POD(2)];

beforeAll(loadTestImages, 900_000);

it("serves clients and routes by TLS, and takes new certificates while they are in use", async ({
  namespace,
}) => {
  using authority = new Authority();
  const apply = async (days: number): Promise<void> => {
    const names = ["nats-shoal", "nats-shoal-headless", ...PODS.map((pod) => `${pod}.nats-shoal-headless`)];
    const dnsNames = names.map((name) => `DNS:${name}`).join(",");
    for (const secret of ["nats-tls", "cluster-tls"]) {
      const { certFile, keyFile } = authority.issue({ subject: `/CN=${secret}`, days, names: dnsNames });
      const yaml = await namespace.kubectl(
        "create",
        "secret",
        "tls",
        secret,
        `--cert=${certFile}`,
        `--key=${keyFile}`,
        "--dry-run=client",
        "--output=json",
      );
      await namespace.kubectl("apply", "--filename", await manifestFile(secret, JSON.parse(yaml) as object));
    }
  };
  await namespace.kubectl("create", "secret", "generic", "ca", `--from-file=ca.crt=${authority.caFile}`);
  await apply(10);
  await namespace.install("nats", [
    `config.nats.tls={"enabled":true,"secretName":"nats-tls"}`,
    `config.cluster.tls={"enabled":true,"secretName":"cluster-tls"}`,
    `tlsCA={"enabled":true,"secretName":"ca"}`,
  ]);
  await namespace.meshed(PODS);
  await namespace.helm("test", "nats");

  const options = { OPTIONS: JSON.stringify({ tls: { caFile: "/ca/ca.crt" } }) };
  const ca = [{ name: "ca", secret: { secretName: "ca" } }];
  const witness = await Witness.start(
    namespace,
    { PUBLISH: AT(0), SUBSCRIBE: AT(1), ROAM: SERVICE, ...options },
    ca,
  );
  const daysLeft = async (pod: string): Promise<number[]> => {
    interface Varz {
      tls_cert_not_after: string;
      cluster: { tls_cert_not_after: string };
    }
    const { tls_cert_not_after: client, cluster } = await namespace.monitor<Varz>(pod, "/varz");
    return [client, cluster.tls_cert_not_after].map((time) =>
      Math.round((Date.parse(time) - Date.now()) / 86_400_000),
    );
  };
  expect(await daysLeft(PODS[0]!)).toEqual([10, 10]);
  await apply(20);
  for (const pod of PODS)
    await eventually(async () => expect(await daysLeft(pod)).toEqual([20, 20]), 240_000);
  expectUnmoved(await witness.stop());
  await namespace.helm("test", "nats");
});

it("is found and scraped by Prometheus, by the labels of the PodMonitor", async ({ namespace }) => {
  await namespace.install("nats");
  const rendered = await helm(
    "template",
    "nats",
    "helm/shoal",
    "--kube-version",
    "1.29.0",
    "--set",
    "promExporter.podMonitor.enabled=true",
  );
  interface PodMonitor {
    kind: string;
    spec: {
      selector: { matchLabels: Record<string, string> };
      podMetricsEndpoints: [{ port: string; path: string }];
    };
  }
  const documents = parseAllDocuments(rendered).map((document) => document.toJS() as PodMonitor | null);
  const { spec } = documents.find((document) => document?.kind === "PodMonitor")!;
  const [endpoint] = spec.podMetricsEndpoints;
  // as the operator makes it of a PodMonitor
  const labels = Object.entries(spec.selector.matchLabels).map(([label, value]) => ({
    source_labels: [`__meta_kubernetes_pod_label_${label.replaceAll(/[^a-zA-Z0-9_]/g, "_")}`],
    regex: value,
    action: "keep",
  }));
  const port = {
    source_labels: ["__meta_kubernetes_pod_container_port_name"],
    regex: endpoint.port,
    action: "keep",
  };
  const pod = { source_labels: ["__meta_kubernetes_pod_name"], target_label: "pod" };
  const config = {
    global: { scrape_interval: "1s" },
    scrape_configs: [
      {
        job_name: "nats",
        metrics_path: endpoint.path,
        kubernetes_sd_configs: [{ role: "pod", namespaces: { names: [namespace.name] } }],
        relabel_configs: [...labels, port, pod],
      },
    ],
  };
  await namespace.kubectl("create", "serviceaccount", "prometheus");
  await namespace.kubectl("create", "role", "prometheus", "--verb=get,list,watch", "--resource=pods");
  await namespace.kubectl(
    "create",
    "rolebinding",
    "prometheus",
    "--role=prometheus",
    `--serviceaccount=${namespace.name}:prometheus`,
  );
  const file = await manifestFile("prometheus", config);
  await namespace.kubectl("create", "configmap", "prometheus", `--from-file=prometheus.yml=${file}`);
  await namespace.kubectl("create", "--filename", await manifestFile("prometheus-pod", prometheusPod()));
  await eventually(async () => {
    const address = await namespace.kubectl(
      "get",
      "pod",
      "prometheus",
      "--output",
      "jsonpath={.status.podIP}",
    );
    const up = encodeURIComponent(`up{job="nats"} == 1`);
    const script = `fetch("http://${address}:9090/api/v1/query?query=${up}").then((r) => r.text()).then((t) => process.stdout.write(t))`;
    const text = await namespace.kubectl("exec", PODS[0]!, "--", "/nodejs/bin/node", "-e", script);
    const { data } = JSON.parse(text) as { data: { result: { metric: { pod: string } }[] } };
    expect(data.result.map(({ metric }) => metric.pod).sort()).toEqual(PODS);
  });
});

it("stays together while the DNS of the cluster is restarted, and grows after it", async ({ namespace }) => {
  const restart =
    process.env["SHOAL_TEST_RESTART_DNS"] ?? "kubectl -n kube-system rollout restart deployment/coredns";
  await namespace.install("nats");
  await namespace.meshed(PODS);
  const witness = await Witness.start(namespace, { PUBLISH: AT(0), SUBSCRIBE: AT(1), ROAM: SERVICE });
  await run("sh", ["-c", restart]);
  await namespace.kubectl("scale", "statefulset/nats-shoal", "--replicas=4");
  await namespace.kubectl("rollout", "status", "statefulset/nats-shoal", "--timeout=120s");
  await namespace.meshed([...PODS, "nats-shoal-3"]);
  expectUnmoved(await witness.stop());
});

it.for(["base", "overlays/single", "overlays/tls", "overlays/zones"])(
  "is taken from k8s/%s by the API server, strictly",
  async (folder, { namespace }) => {
    await namespace.kubectl("apply", "--kustomize", `k8s/${folder}`, ...STRICTLY);
  },
);

it.for(readdirSync(SNAPSHOTS))(
  "is taken from the chart by the API server, strictly: %s",
  async (file, { namespace }) => {
    const known = (await kubectl("api-versions")).split("\n");
    const documents = parseAllDocuments(readFileSync(new URL(file, SNAPSHOTS), "utf8"));
    const items = documents
      .map((document) => document.toJS() as Manifest | null)
      .filter((one) => one !== null);
    // kinds of operators, such as PodMonitor, are known where those are installed
    const own = items.filter(({ apiVersion }) => known.includes(apiVersion));
    expect(own.map(({ kind }) => kind)).toContain("Service");
    for (const { metadata } of own) metadata.namespace = namespace.name;
    const list = { apiVersion: "v1", kind: "List", items: own };
    const taken = await namespace.kubectl(
      "create",
      "--filename",
      await manifestFile("chart", list),
      ...STRICTLY,
    );
    expect(taken.split("\n")).toHaveLength(own.length);
  },
);

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { namespace?: string };
}

function prometheusPod(): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "prometheus" },
    spec: {
      serviceAccountName: "prometheus",
      securityContext: { runAsNonRoot: true, runAsUser: 65534, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "prometheus",
          image: "prom/prometheus:v3.5.0",
          imagePullPolicy: "IfNotPresent",
          args: ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/data"],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
          volumeMounts: [
            { name: "config", mountPath: "/etc/prometheus" },
            { name: "data", mountPath: "/data" },
          ],
        },
      ],
      volumes: [
        { name: "config", configMap: { name: "prometheus" } },
        { name: "data", emptyDir: {} },
      ],
    },
  };
}
