/** A Prometheus in the namespace, configured as the operator does by the chart's PodMonitor. */
import { parseAllDocuments } from "yaml";
import { helm } from "../support/helm.ts";
import { manifestFile, type Namespace } from "../support/kubernetes.ts";

interface Endpoint {
  readonly port: string;
  readonly path: string;
  readonly scheme?: string;
  readonly tlsConfig?: { readonly serverName: string; readonly ca?: { readonly secret: { key: string } } };
}
interface PodMonitor {
  readonly kind: string;
  readonly spec: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly podMetricsEndpoints: readonly [Endpoint];
  };
}

/** Starts it with the PodMonitor that the chart renders of `sets`. `caSecret`: the Secret that the PodMonitor names, if it does. */
export async function startPrometheus(
  namespace: Namespace,
  sets: readonly string[],
  caSecret?: string,
): Promise<void> {
  const flags = [...sets, "promExporter.podMonitor.enabled=true"].flatMap((set) => ["--set-json", set]);
  const place = ["--namespace", namespace.name, "--kube-version", "1.29.0"];
  const text = await helm("template", "nats", "helm/shoal", ...place, ...flags);
  const documents = parseAllDocuments(text).map((document) => document.toJS() as PodMonitor | null);
  const { spec } = documents.find((document) => document?.kind === "PodMonitor")!;
  const file = await manifestFile("prometheus", scrapeConfig(spec, namespace.name));
  const role = ["role", "prometheus", "--verb=get,list,watch", "--resource=pods"];
  await namespace.kubectl("create", "serviceaccount", "prometheus");
  await namespace.kubectl("create", ...role);
  await namespace.kubectl(
    "create",
    "rolebinding",
    "prometheus",
    "--role=prometheus",
    `--serviceaccount=${namespace.name}:prometheus`,
  );
  await namespace.kubectl("create", "configmap", "prometheus", `--from-file=prometheus.yml=${file}`);
  const pod = prometheusPod(caSecret);
  await namespace.kubectl("create", "--filename", await manifestFile("prometheus-pod", pod));
}

/** Names of pods by what the last scrape of them gave, asked from inside one of the servers. */
export async function scrapedPods(
  namespace: Namespace,
  from: string,
): Promise<{ up: string[]; down: string[] }> {
  const address = await namespace.kubectl("get", "pod", "prometheus", "--output", "jsonpath={.status.podIP}");
  const query = encodeURIComponent(`up{job="nats"}`);
  const script = `fetch("http://${address}:9090/api/v1/query?query=${query}").then((r) => r.text()).then((t) => process.stdout.write(t))`;
  const text = await namespace.kubectl("exec", from, "--", "/nodejs/bin/node", "-e", script);
  interface Answer {
    data: { result: { metric: { pod: string }; value: [number, string] }[] };
  }
  const { data } = JSON.parse(text) as Answer;
  const names = (value: string): string[] =>
    data.result
      .filter((one) => one.value[1] === value)
      .map(({ metric }) => metric.pod)
      .sort();
  return { up: names("1"), down: names("0") };
}

function scrapeConfig(
  { selector, podMetricsEndpoints: [endpoint] }: PodMonitor["spec"],
  namespace: string,
): object {
  const labels = Object.entries(selector.matchLabels).map(([label, value]) => ({
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
  const { tlsConfig } = endpoint;
  const job = {
    job_name: "nats",
    metrics_path: endpoint.path,
    scheme: endpoint.scheme ?? "http",
    ...(tlsConfig !== undefined && {
      tls_config: { server_name: tlsConfig.serverName, ca_file: `/ca/${tlsConfig.ca!.secret.key}` },
    }),
    kubernetes_sd_configs: [{ role: "pod", namespaces: { names: [namespace] } }],
    relabel_configs: [...labels, port, pod],
  };
  return { global: { scrape_interval: "1s" }, scrape_configs: [job] };
}

function prometheusPod(caSecret: string | undefined): object {
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
            ...(caSecret === undefined ? [] : [{ name: "ca", mountPath: "/ca" }]),
          ],
        },
      ],
      volumes: [
        { name: "config", configMap: { name: "prometheus" } },
        { name: "data", emptyDir: {} },
        ...(caSecret === undefined ? [] : [{ name: "ca", secret: { secretName: caSecret } }]),
      ],
    },
  };
}
