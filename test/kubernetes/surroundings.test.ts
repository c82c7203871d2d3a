/** What stands around the servers on a real cluster: certificates, DNS, Prometheus. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { beforeAll, expect } from "vitest";
import { parseAllDocuments } from "yaml";
import { Authority } from "../support/certificates.ts";
import { eventually, kubectl, manifestFile, Witness } from "../support/kubernetes.ts";
import { loadTestImages } from "./images.ts";
import { scrapedPods, startPrometheus } from "./prometheus.ts";
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
  await startPrometheus(namespace, []);
  await eventually(async () => expect((await scrapedPods(namespace, PODS[0]!)).up).toEqual(PODS));
});

it("is scraped over HTTPS where its certificate has the expected name, and not where it has another", async ({
  namespace,
}) => {
  using authority = new Authority();
  const sets = [
    `config.nats.tls={"enabled":true,"secretName":"nats-tls"}`,
    "config.monitor.tls.enabled=true",
    `tlsCA={"enabled":true,"secretName":"ca"}`,
  ];
  const certify = async (names: string): Promise<void> => {
    const { certFile, keyFile } = authority.issue({ subject: "/CN=nats", days: 10, names });
    const files = [`--cert=${certFile}`, `--key=${keyFile}`, "--dry-run=client", "--output=json"];
    const json = await namespace.kubectl("create", "secret", "tls", "nats-tls", ...files);
    await namespace.kubectl("apply", "--filename", await manifestFile("tls", JSON.parse(json) as object));
  };
  await namespace.kubectl("create", "secret", "generic", "ca", `--from-file=ca.crt=${authority.caFile}`);
  await certify(`DNS:nats-shoal-headless.${namespace.name}.svc`);
  await namespace.install("nats", sets);
  await startPrometheus(namespace, sets, "ca");
  await eventually(async () => expect((await scrapedPods(namespace, PODS[0]!)).up).toEqual(PODS));
  await certify("DNS:somebody-else");
  await namespace.kubectl("rollout", "restart", "statefulset/nats-shoal");
  await eventually(async () => expect((await scrapedPods(namespace, PODS[0]!)).down).toEqual(PODS), 240_000);
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
