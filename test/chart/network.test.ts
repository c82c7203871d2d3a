/** Network policies: the peers that reach the pods, those that the pods reach, and how Prometheus knows that it has reached them. */
import { describe, expect, it } from "vitest";
import { render, renderNotes, type Manifest } from "../support/helm.ts";

interface Rule {
  readonly ports?: readonly { readonly port: string | number; readonly protocol?: string }[];
  readonly from?: readonly object[];
  readonly to?: readonly object[];
}
interface Policy {
  readonly policyTypes: readonly string[];
  readonly ingress: readonly Rule[];
  readonly egress: readonly Rule[];
}

const MEMBERS = {
  podSelector: {
    matchLabels: {
      "app.kubernetes.io/name": "shoal",
      "app.kubernetes.io/instance": "release",
      "app.kubernetes.io/component": "server",
    },
  },
};
const OTHERS = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "old" } } };

async function policy(...sets: string[]): Promise<Policy> {
  const { manifests } = await render(...sets);
  return manifests.get("NetworkPolicy/release-shoal")!.spec as unknown as Policy;
}

/** The rule of a port of the server. */
function ruleOf({ ingress }: Policy, port: string): Rule | undefined {
  return ingress.find(({ ports }) => ports?.some((one) => one.port === port));
}

describe("the NetworkPolicy", () => {
  it("keeps monitoring to the namespace, routes to the members, and admits every client", async () => {
    const one = await policy("promExporter.enabled=true");
    expect(one.policyTypes).toEqual(["Ingress", "Egress"]);
    expect(ruleOf(one, "nats")).not.toHaveProperty("from");
    expect(ruleOf(one, "cluster")!.from).toEqual([MEMBERS]);
    expect(ruleOf(one, "monitor")!.from).toEqual([{ podSelector: {} }]);
    expect(ruleOf(one, "prom-metrics")!.from).toEqual([{ podSelector: {} }]);
  });

  it("lets the servers ask for names and connect to the members, and to nothing else", async () => {
    const { egress } = await policy();
    expect(egress).toHaveLength(2);
    expect(egress[0]!.ports!.map(({ port, protocol }) => `${port}/${protocol}`)).toEqual([
      "53/UDP",
      "53/TCP",
      "5353/UDP",
      "5353/TCP",
    ]);
    expect(egress[1]).toEqual({ ports: [{ port: 6222 }], to: [MEMBERS] });
    expect((await policy("config.cluster.enabled=false")).egress).toHaveLength(1);
  });

  it("closes monitoring to everybody where nobody is named", async () => {
    const one = await policy("networkPolicy.monitorFrom=[]");
    expect(ruleOf(one, "monitor")).toBeUndefined();
  });

  it("admits the pod of helm test where clients are named", async () => {
    const { manifests } = await render(`networkPolicy.clientsFrom=[${JSON.stringify(OTHERS)}]`);
    const one = manifests.get("NetworkPolicy/release-shoal")!.spec as unknown as Policy;
    const [first, second] = ruleOf(one, "nats")!.from as [object, typeof MEMBERS];
    expect(first).toEqual(OTHERS);
    const { labels } = manifests.get("Pod/release-shoal-test")!.metadata;
    expect(labels).toMatchObject(second.podSelector.matchLabels);
  });

  it("opens routes to further members in both directions", async () => {
    const one = await policy(`networkPolicy.routesFrom=[${JSON.stringify(OTHERS)}]`);
    expect(ruleOf(one, "cluster")!.from).toEqual([MEMBERS, OTHERS]);
    expect(one.egress).toContainEqual({ to: [OTHERS] });
  });

  it("opens the ports of routes that are configured, the API server's where it is watched, and what is added", async () => {
    const { egress } = await policy(
      `config.cluster.extraRoutes=["nats://a:b@old:7000","tls://old"]`,
      "config.endpointSlices.enabled=true",
      `networkPolicy.egress=[{"ports":[{"port":514}]}]`,
    );
    expect(egress.slice(2)).toEqual([
      { ports: [{ port: 7000 }, { port: 6222 }] },
      { ports: [{ port: 443 }, { port: 6443 }] },
      { ports: [{ port: 514 }] },
    ]);
  });

  it("is in the notes where others are meant to reach monitoring", async () => {
    const named = "Set networkPolicy.monitorFrom to allow them";
    expect(await renderNotes()).not.toContain(named);
    const on = ["--set", "promExporter.podMonitor.enabled=true"];
    expect(await renderNotes(...on)).toContain(named);
    const from = ["--set-json", `networkPolicy.monitorFrom=[${JSON.stringify(OTHERS)}]`];
    expect(await renderNotes(...on, ...from)).not.toContain(named);
  });
});

describe("Prometheus over HTTPS", () => {
  interface Endpoint {
    readonly scheme?: string;
    readonly tlsConfig?: { readonly serverName: string; readonly ca?: object };
  }
  const HTTPS = [
    `config.nats.tls={"enabled":true,"secretName":"nats-tls"}`,
    "config.monitor.tls.enabled=true",
    "promExporter.podMonitor.enabled=true",
    "promExporter.serviceMonitor.enabled=true",
  ];
  const endpoints = async (...sets: string[]): Promise<Endpoint[]> => {
    const { manifests, text } = await render(...HTTPS, ...sets);
    expect(text).not.toContain("insecureSkipVerify");
    const spec = (kind: string): Record<string, Endpoint[]> =>
      (manifests.get(`${kind}/release-shoal`) as Manifest).spec as unknown as Record<string, Endpoint[]>;
    return [spec("PodMonitor")["podMetricsEndpoints"]![0]!, spec("ServiceMonitor")["endpoints"]![0]!];
  };
  const serverName = "release-shoal-headless.ns.svc";

  it.each([
    ["an authority that everybody trusts", [], { serverName }],
    [
      "an authority in a Secret",
      [`tlsCA={"enabled":true,"secretName":"ca"}`],
      { serverName, ca: { secret: { name: "ca", key: "ca.crt" } } },
    ],
    [
      "an authority in a ConfigMap",
      [`tlsCA={"enabled":true,"configMapName":"ca","key":"a.pem"}`],
      { serverName, ca: { configMap: { name: "ca", key: "a.pem" } } },
    ],
    [
      "cert-manager",
      [`config.nats.tls.secretName=""`, `certManager={"enabled":true,"issuerRef":{"name":"i"}}`],
      { serverName, ca: { secret: { name: "release-shoal-nats-tls", key: "ca.crt" } } },
    ],
    [
      "a name of its own",
      [`promExporter.monitorDomain="nats.example.com"`],
      { serverName: "nats.example.com" },
    ],
    ["the NATS chart's default name", [`promExporter.monitorDomain="localhost"`], { serverName }],
  ])("verifies the certificate with %s", async (_name, sets, tlsConfig) => {
    for (const endpoint of await endpoints(...sets)) {
      expect(endpoint).toMatchObject({ scheme: "https" });
      expect(endpoint.tlsConfig).toEqual(tlsConfig);
    }
  });
});
