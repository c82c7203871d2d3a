/** Values of the chart for WebSocket: those of the NATS chart, what they become, and what cannot work. */
import { describe, expect, it } from "vitest";
import { podSpec, render, renderNotes } from "../support/helm.ts";
import { renderedConfig } from "../support/rendered-config.ts";

const ON = "config.websocket.enabled=true";

interface Routing {
  readonly metadata: { readonly name: string; readonly annotations?: object };
  readonly spec: Readonly<Record<string, unknown>>;
}

async function rendered(
  ...sets: string[]
): Promise<{ text: string; get: (name: string) => Routing | undefined }> {
  const { text, manifests } = await render(ON, ...sets);
  return { text, get: (name) => manifests.get(name) as unknown as Routing | undefined };
}

describe("config.websocket", () => {
  it("opens the port behind what ends TLS: in the pods, in both Services, and for clients alone", async () => {
    const { manifests, text } = await render(ON, `networkPolicy.clientsFrom=[{"podSelector":{}}]`);
    const [container] = podSpec(manifests.get("StatefulSet/release-shoal"))!.containers;
    expect(container!.ports).toContainEqual({ name: "websocket", containerPort: 8080 });
    const port = { name: "websocket", appProtocol: "http", port: 8080, targetPort: "websocket" };
    for (const service of ["release-shoal", "release-shoal-headless"])
      expect(manifests.get(`Service/${service}`)!.spec!.ports).toContainEqual(port);
    const policy = manifests.get("NetworkPolicy/release-shoal")!.spec as unknown as {
      ingress: { ports: object[]; from: object[] }[];
    };
    expect(policy.ingress[0]!.ports).toEqual([{ port: "nats" }, { port: "websocket" }]);
    expect(policy.ingress[0]!.from).toContainEqual({ podSelector: {} });
    expect(text).not.toContain("kind: Ingress");
    expect(await renderNotes("--set-json", ON)).toContain("ws://release-shoal.default:8080");
  });

  it("gives a configuration that the server takes", async () => {
    const config = await renderedConfig(
      ON,
      `config.websocket.merge={"compression":true,"handshake_timeout":"<< 5s >>"}`,
    );
    expect(config.text).toMatch(
      /"websocket": \{\s+"compression": true,\s+"handshake_timeout": 5s,\s+"no_tls": true,\s+"port": 8080\s+\}/,
    );
    expect(config.verdict).toContain("is valid");
  });

  it("encrypts by a Secret of its own, or by one that cert-manager is asked for", async () => {
    const tls = `config.websocket.tls={"enabled":true,"secretName":"ws-cert","merge":{"min_version":"1.3"}}`;
    const { manifests, text } = await render(ON, tls);
    const spec = podSpec(manifests.get("StatefulSet/release-shoal"))!;
    expect(spec.volumes).toContainEqual({ name: "websocket-tls", secret: { secretName: "ws-cert" } });
    expect(spec.containers[0]!.volumeMounts).toContainEqual({
      name: "websocket-tls",
      mountPath: "/etc/nats-certs/websocket",
      readOnly: true,
    });
    expect(text).toContain('"cert_file": "/etc/nats-certs/websocket/tls.crt"');
    expect(text).toContain('"min_version": "1.3"');
    // the check before an upgrade leaves TLS out, since the Secret is not in a cluster here
    expect(manifests.get("ConfigMap/release-shoal-config")!.data!["shoal.conf"]).not.toContain("no_tls");
    const ports = manifests.get("Service/release-shoal")!.spec!.ports;
    expect(ports).toContainEqual(expect.objectContaining({ name: "websocket", appProtocol: "https" }));

    const asked = await rendered(
      `config.websocket.tls={"enabled":true}`,
      `certManager={"enabled":true,"issuerRef":{"name":"ca"}}`,
    );
    const certificate = asked.get("Certificate/release-shoal-websocket")!;
    expect(certificate.spec).toMatchObject({ secretName: "release-shoal-websocket-tls" });
    expect((certificate.spec["usages"] as string[]).includes("client auth")).toBe(false);
    await expect(render(ON, `config.websocket.tls={"enabled":true}`)).rejects.toThrow(
      "config.websocket.tls.enabled needs config.websocket.tls.secretName, or certManager.enabled",
    );
  });

  it("is reached by an Ingress as in the NATS chart", async () => {
    const values = {
      enabled: true,
      hosts: ["ws.example.com"],
      path: "/nats",
      className: "nginx",
      tlsSecretName: "cert",
      annotations: { "nginx.ingress.kubernetes.io/proxy-read-timeout": "3600" },
    };
    const { get } = await rendered(`config.websocket.ingress=${JSON.stringify(values)}`);
    const ingress = get("Ingress/release-shoal-ws")!;
    expect(ingress.metadata.annotations).toEqual(values.annotations);
    expect(ingress.spec).toEqual({
      ingressClassName: "nginx",
      rules: [
        {
          host: "ws.example.com",
          http: {
            paths: [
              {
                path: "/nats",
                pathType: "Exact",
                backend: { service: { name: "release-shoal", port: { name: "websocket" } } },
              },
            ],
          },
        },
      ],
      tls: [{ secretName: "cert", hosts: ["ws.example.com"] }],
    });
    const withoutHosts = await rendered(`config.websocket.ingress={"enabled":true}`);
    expect(withoutHosts.text).not.toContain("kind: Ingress");
  });

  it("is reached by a route of a gateway, beside that of the page", async () => {
    const { get } = await rendered(
      `config.websocket.httpRoute={"enabled":true,"parentRefs":[{"name":"edge"}],"hostnames":["ws.example.com"],"name":"browsers"}`,
      `httpRoute={"enabled":true,"parentRefs":[{"name":"edge"}]}`,
    );
    expect(get("HTTPRoute/browsers")!.spec).toEqual({
      parentRefs: [{ name: "edge" }],
      hostnames: ["ws.example.com"],
      rules: [{ backendRefs: [{ name: "release-shoal", port: 8080 }] }],
    });
    expect(get("HTTPRoute/release-shoal")!.spec).toMatchObject({
      rules: [{ backendRefs: [{ name: "release-shoal-headless", port: 8222 }] }],
    });
  });

  it("is refused where routing would lead nowhere", async () => {
    const ingress = `config.websocket.ingress={"enabled":true,"hosts":["a.example.com"]}`;
    await expect(render(ON, ingress, "service.ports.websocket.enabled=false")).rejects.toThrow(
      "config.websocket.ingress.enabled needs service.enabled and service.ports.websocket.enabled",
    );
    await expect(render(ON, "config.websocket.httpRoute.enabled=true")).rejects.toThrow(
      "config.websocket.httpRoute.enabled needs config.websocket.httpRoute.parentRefs",
    );
  });

  it("leaves nothing behind when it is off", async () => {
    const off = await render(
      `config.websocket={"enabled":false,"tls":{"enabled":true},"ingress":{"enabled":true,"hosts":["a.example.com"]},"httpRoute":{"enabled":true,"parentRefs":[{"name":"edge"}]}}`,
    );
    expect([...off.manifests.keys()]).toEqual([...(await render()).manifests.keys()]);
    expect(off.text).not.toContain("websocket");
  });
});
