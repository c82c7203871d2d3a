/** The Helm chart, rendered: what comes of values, and what is refused. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { helm, podSpec, render } from "../support/helm.ts";

const tls = `config.nats.tls={"enabled":true,"secretName":"nats-tls"}`;
const clusterTls = `config.cluster.tls={"enabled":true,"secretName":"cluster-tls"}`;
const ca = `tlsCA={"enabled":true,"secretName":"ca"}`;

const BINARY = join(import.meta.dirname, "../../bin/shoal");

/** The important sets of values; their renderings are kept beside this file. */
const VALUE_SETS: Record<string, readonly string[]> = {
  default: [],
  single: ["config.cluster.enabled=false"],
  jetstream: [
    "config.cluster.enabled=false",
    `config.jetstream={"enabled":true,"fileStore":{"maxSize":"8Gi"},"merge":{"sync_interval":"2m"}}`,
  ],
  "jetstream-cluster": ["config.jetstream.enabled=true"],
  resolver: [`config.operator={"configMapName":"acme"}`, "config.resolver.enabled=true"],
  deployment: [`workload.kind="Deployment"`],
  tls: [tls, clusterTls, ca],
  "cert-manager": [
    "config.nats.tls.enabled=true",
    "config.cluster.tls.enabled=true",
    `certManager={"enabled":true,"issuerRef":{"name":"ca","kind":"ClusterIssuer"}}`,
  ],
  users: [`auth.users={"ann":"secret of ann"}`],
  "endpoint-slices-and-zones": ["config.endpointSlices.enabled=true", "config.zoneAware=true"],
  monitoring: [
    "promExporter.enabled=true",
    "promExporter.podMonitor.enabled=true",
    "promExporter.serviceMonitor.enabled=true",
  ],
  outside: [
    `external={"enabled":true,"advertise":"$(POD_NAME).nats.example.com:4222"}`,
    `ingress={"enabled":true,"hosts":["nats.example.com"],"tlsSecretName":"page"}`,
    `httpRoute={"enabled":true,"parentRefs":[{"name":"gateway"}]}`,
    `autoscaling={"enabled":true,"targetConnections":1000}`,
  ],
};

it.each(Object.entries(VALUE_SETS))("renders %s as before", async (name, sets) => {
  const { text } = await render(...sets);
  const steady = text.replace(/^( +password: )[A-Za-z0-9]{32}$/m, "$1MADE-UP-AT-THE-INSTALL");
  await expect(steady).toMatchFileSnapshot(`snapshots/${name}.yaml`);
});

it.each(Object.entries(VALUE_SETS))("passes lint with %s", async (_name, sets) => {
  const flags = sets.flatMap((set) => ["--set-json", set]);
  const text = await helm("lint", "helm/shoal", "--strict", ...flags);
  expect(text).toContain("0 chart(s) failed");
  expect(text).not.toContain("[INFO]");
});

describe("values", () => {
  it.each([
    [`config.cluster.replcas=4`, "replcas"],
    [`conatiner={}`, "conatiner"],
    [`service.ports.nats.enabled="yes"`, "/service/ports/nats/enabled"],
    [`workload.kind="DaemonSet"`, "/workload/kind"],
    [`config.cluster.replicas=-1`, "/config/cluster/replicas"],
  ])("with %s are refused by name", async (set, name) => {
    await expect(render(set)).rejects.toThrow(name);
  });

  it.each([
    [`config.nats.tls.enabled=true`, "config.nats.tls.secretName"],
    [`certManager.enabled=true`, "config.nats.tls.enabled=true", "certManager.issuerRef"],
    [`tlsCA.enabled=true`, "tlsCA.configMapName or tlsCA.secretName"],
    [`external.enabled=true`, `workload.kind="Deployment"`, "StatefulSet"],
    [`ingress.enabled=true`, "ingress.hosts"],
    [`container.env={"SHOAL__CLUSTER__ROUTES":"nats://other:6222"}`, "config.cluster.extraRoutes"],
    [`config.cluster.merge={"routes":["nats://other:6222"]}`, "config.cluster.extraRoutes"],
    [`config.patch=[{"op":"add","path":"/cluster/routes","value":[]}]`, "config.cluster.extraRoutes"],
    [`container.env={"SHOAL__SERVER_NAME":"one"}`, "config.serverNamePrefix"],
    [`container.env={"POD_NAME":"one"}`, "POD_NAME is given twice"],
    [`container.env={"SHOAL__CLUSTER__NAME":"one"}`, "both set cluster.name"],
    [
      `container.patch=[{"op":"add","path":"/env/-","value":{"name":"SHOAL__CLUSTER__ROUTES"}}]`,
      "extraRoutes",
    ],
    [`config.merge={"max_payload":1}`, `container.env={"SHOAL__MAX_PAYLOAD":"2"}`, "both set max_payload"],
    [`config.cluster.extraRoutes=["nats://a:6222",3]`, "/config/cluster/extraRoutes"],
  ])("that leave something open say what is needed: %s", async (...parts) => {
    await expect(render(...parts.slice(0, -1))).rejects.toThrow(parts.at(-1));
  });
});

describe("routes", () => {
  const variables = async (...sets: string[]): Promise<readonly { name: string; value?: string }[]> => {
    const { manifests } = await render(...sets);
    return podSpec(manifests.get("StatefulSet/release-shoal"))!.containers[0]!.env!;
  };
  const routes = async (...sets: string[]): Promise<string | undefined> =>
    (await variables(...sets)).find(({ name }) => name === "SHOAL__CLUSTER__ROUTES")?.value;
  const own = "release-shoal-headless:6222";
  const secret = "$(SHOAL__CLUSTER__AUTHORIZATION__USER):$(SHOAL__CLUSTER__AUTHORIZATION__PASSWORD)@";

  it("lead to the other servers of the release, and to those of extraRoutes, once each", async () => {
    const extra = `config.cluster.extraRoutes=["nats://old:6222","$(USER):$(PASS)@older:6222","tls://oldest:6222"]`;
    expect(await routes()).toBe(`nats://${secret}${own}`);
    expect(await routes(extra)).toBe(
      `nats://${secret}${own},nats://${secret}old:6222,nats://$(USER):$(PASS)@older:6222,tls://${secret}oldest:6222`,
    );
    expect(await routes(extra, "config.cluster.authorization.enabled=false")).toBe(
      `nats://${own},nats://old:6222,nats://$(USER):$(PASS)@older:6222,tls://oldest:6222`,
    );
  });

  it("come after the variables that they may name, and stay where other variables come and go", async () => {
    const names = (await variables(`container.env={"ZZ":"1","AA":"2"}`)).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.at(-1)).toBe("SHOAL__CLUSTER__ROUTES");
  });
});

it("ships the alert rules and the dashboard of the product", async () => {
  const file = (name: string): string =>
    readFileSync(new URL(`../../monitoring/${name}`, import.meta.url), "utf8");
  const { manifests } = await render(
    "promExporter.rules.enabled=true",
    "promExporter.dashboard.enabled=true",
  );
  expect(manifests.get("PrometheusRule/release-shoal")!.spec).toEqual(parse(file("prometheus-rules.yaml")));
  const dashboard = manifests.get("ConfigMap/release-shoal-dashboard")!.data!["shoal.json"]!;
  expect(JSON.parse(dashboard)).toEqual(JSON.parse(file("grafana-dashboard.json")));
});

describe("every resource", () => {
  const kinds: Record<string, string> = {
    "StatefulSet/release-shoal": "statefulSet",
    "Service/release-shoal": "service",
    "Service/release-shoal-headless": "headlessService",
    "ConfigMap/release-shoal-config": "configMap",
    "Secret/release-shoal-routes": "secret",
    "PodDisruptionBudget/release-shoal": "podDisruptionBudget",
    "NetworkPolicy/release-shoal": "networkPolicy",
    "ServiceAccount/release-shoal": "serviceAccount",
    "HorizontalPodAutoscaler/release-shoal": "autoscaling",
    "PodMonitor/release-shoal": "promExporter.podMonitor",
    "Ingress/release-shoal": "ingress",
  };
  const on = [
    "serviceAccount.enabled=true",
    "autoscaling.enabled=true",
    "promExporter.podMonitor.enabled=true",
    `ingress={"enabled":true,"hosts":["a"]}`,
  ];

  it.each(Object.entries(kinds))("%s takes labels, annotations, a merge and a patch", async (id, path) => {
    const { manifests } = await render(
      ...on,
      `global.labels={"everywhere":"1"}`,
      `${path}.labels={"mine":"2"}`,
      `${path}.annotations={"noted/here":"3"}`,
      `${path}.merge={"metadata":{"annotations":{"merged":"4"}}}`,
      `${path}.patch=[{"op":"add","path":"/metadata/annotations/patched~1in","value":"5"},{"op":"remove","path":"/metadata/labels/mine"}]`,
    );
    const { metadata } = manifests.get(id)!;
    expect(metadata.labels).toMatchObject({ everywhere: "1", "app.kubernetes.io/instance": "release" });
    expect(metadata.labels).not.toHaveProperty("mine");
    expect(metadata.annotations).toEqual({ "noted/here": "3", merged: "4", "patched/in": "5" });
  });

  it("takes patches of lists: in front, in between, at the end, instead, and away", async () => {
    const env = async (patch: object[]): Promise<string[]> => {
      const { manifests } = await render(`container.patch=${JSON.stringify(patch)}`);
      const [container] = podSpec(manifests.get("StatefulSet/release-shoal"))!.containers;
      return container!.env!.map(({ name }) => name);
    };
    const before = await env([]);
    const value = { name: "NEW", value: "1" };
    expect(await env([{ op: "add", path: "/env/0", value }])).toEqual(["NEW", ...before]);
    expect(await env([{ op: "add", path: "/env/1", value }])).toEqual([before[0], "NEW", ...before.slice(1)]);
    expect(await env([{ op: "add", path: "/env/-", value }])).toEqual([...before, "NEW"]);
    expect(await env([{ op: "replace", path: "/env/0", value }])).toEqual(["NEW", ...before.slice(1)]);
    expect(await env([{ op: "remove", path: "/env/0" }])).toEqual(before.slice(1));
    await expect(env([{ op: "replace", path: "/evn/0", value }])).rejects.toThrow('there is no "evn"');
    await expect(env([{ op: "remove", path: "/env/99" }])).rejects.toThrow("there is no element 99");
    await expect(env([{ op: "move", path: "/env/0" }])).rejects.toThrow("move");
  });
});

describe("the configuration file", () => {
  const config = async (...sets: string[]): Promise<string> => {
    const { manifests } = await render(...sets);
    return manifests.get("ConfigMap/release-shoal-config")!.data!["shoal.conf"]!;
  };

  it("is JSON, with what is merged and patched", async () => {
    const text = await config(
      `config.merge={"max_payload":2048,"server_tags":["a","b"]}`,
      `config.patch=[{"op":"replace","path":"/port","value":4333}]`,
      `config.cluster.merge={"pool_size":5}`,
    );
    expect(JSON.parse(text)).toMatchObject({
      max_payload: 2048,
      server_tags: ["a", "b"],
      port: 4333,
      cluster: { pool_size: 5, port: 6222, name: "release-shoal" },
    });
  });

  // Others name files of a volume; resolver.test.ts judges "resolver" where they are.
  it.each(Object.entries(VALUE_SETS).filter(([name]) => !/tls|cert|users|resolver/.test(name)))(
    "is valid with %s",
    async (_name, sets) => {
      const file = join(await mkdtemp(join(tmpdir(), "shoal-chart-")), "shoal.conf");
      await writeFile(file, await config(...sets));
      const { stdout, stderr } = await promisify(execFile)(BINARY, ["-t", "--config", file]);
      expect(stdout + stderr).toContain("is valid");
    },
  );

  it("leaves variables without quotes, and characters as they are", async () => {
    const text = await config(
      `config.merge={"authorization":{"token":"<< $TOKEN >>"},"server_tags":["a<b>&c"]}`,
    );
    expect(text).toContain(`"token": $TOKEN\n`);
    expect(text).toContain(`"a<b>&c"`);
  });
});

describe("pods", () => {
  it.each(Object.entries(VALUE_SETS))("meet the restricted level with %s", async (_name, sets) => {
    const { manifests } = await render(...sets);
    for (const manifest of manifests.values()) {
      const spec = podSpec(manifest);
      if (spec === undefined) continue;
      expect(spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: "RuntimeDefault" },
      });
      expect(spec.containers).toHaveLength(1);
      for (const container of spec.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(container).not.toHaveProperty("lifecycle");
      }
    }
  });

  it("get the time to leave that the configuration takes", async () => {
    const { manifests } = await render(`config.lameDuck={"gracePeriodSeconds":7,"durationSeconds":60}`);
    expect(podSpec(manifests.get("StatefulSet/release-shoal"))!.terminationGracePeriodSeconds).toBe(77);
  });

  it("may talk to the API server only where they watch EndpointSlices, and read nothing else", async () => {
    const without = await render();
    expect(without.text).not.toContain("RoleBinding");
    expect(podSpec(without.manifests.get("StatefulSet/release-shoal"))!.automountServiceAccountToken).toBe(
      false,
    );
    const { manifests } = await render("config.endpointSlices.enabled=true");
    expect(manifests.get("Role/release-shoal")!.rules).toEqual([
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] },
    ]);
  });
});
