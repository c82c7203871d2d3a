/** Values of the chart for leaf nodes: those of the NATS chart, hubs that are dialled, and what cannot work. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import { podSpec, render, renderNotes } from "../support/helm.ts";
import { renderedConfig, verdictOn } from "../support/rendered-config.ts";

const ON = "config.leafnodes.enabled=true";
const URL_VARIABLE = "SHOAL_LEAF_0_URL";
const NKEY_VARIABLE = "SHOAL_LEAF_1_NKEY";
const SEED = "SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU";

afterEach(() => {
  delete process.env[URL_VARIABLE];
  delete process.env[NKEY_VARIABLE];
});

const remotes = (...list: object[]): string => `config.leafnodes.remotes=${JSON.stringify(list)}`;

describe("config.leafnodes", () => {
  it("opens the port: in the pods, in both Services, and for leaf nodes alone", async () => {
    const from = [{ ipBlock: { cidr: "192.0.2.0/24" } }];
    const { manifests } = await render(ON, `networkPolicy.leafnodesFrom=${JSON.stringify(from)}`);
    const [container] = podSpec(manifests.get("StatefulSet/release-shoal"))!.containers;
    expect(container!.ports).toContainEqual({ name: "leafnodes", containerPort: 7422 });
    const port = { name: "leafnodes", appProtocol: "tcp", port: 7422, targetPort: "leafnodes" };
    for (const service of ["release-shoal", "release-shoal-headless"])
      expect(manifests.get(`Service/${service}`)!.spec!.ports).toContainEqual(port);
    const policy = manifests.get("NetworkPolicy/release-shoal")!.spec as unknown as { ingress: object[] };
    expect(policy.ingress).toContainEqual({ ports: [{ port: "leafnodes" }], from });
    expect(await renderNotes("--set-json", ON)).toContain("nats-leaf://release-shoal.default:7422");
  });

  it("gives a configuration that the server takes", async () => {
    const config = await renderedConfig(
      ON,
      `config.leafnodes.merge={"compression":"s2_fast","authorization":{"user":"edge","password":"<< secret >>"}}`,
    );
    expect(config.text).toMatch(
      /"leafnodes": \{\s+"authorization": \{\s+"password": secret,\s+"user": "edge"\s+\},\s+"compression": "s2_fast",\s+"no_advertise": true,\s+"port": 7422\s+\}/,
    );
    expect(config.verdict).toContain("is valid");
  });

  it("encrypts by a Secret of its own, or by one that cert-manager is asked for", async () => {
    const tls = `config.leafnodes.tls={"enabled":true,"secretName":"leaf-cert","merge":{"verify":true}}`;
    const { manifests, text } = await render(ON, tls);
    const spec = podSpec(manifests.get("StatefulSet/release-shoal"))!;
    expect(spec.volumes).toContainEqual({ name: "leafnodes-tls", secret: { secretName: "leaf-cert" } });
    expect(spec.containers[0]!.volumeMounts).toContainEqual({
      name: "leafnodes-tls",
      mountPath: "/etc/nats-certs/leafnodes",
      readOnly: true,
    });
    expect(text).toContain('"cert_file": "/etc/nats-certs/leafnodes/tls.crt"');
    expect(text).toContain('"verify": true');
    const asked = await render(
      ON,
      `config.leafnodes.tls={"enabled":true}`,
      `certManager={"enabled":true,"issuerRef":{"name":"ca"}}`,
    );
    expect(asked.manifests.get("Certificate/release-shoal-leafnodes")!.spec).toMatchObject({
      secretName: "release-shoal-leafnodes-tls",
    });
    await expect(render(ON, `config.leafnodes.tls={"enabled":true}`)).rejects.toThrow(
      "config.leafnodes.tls.enabled needs config.leafnodes.tls.secretName, or certManager.enabled",
    );
  });

  it("leaves nothing behind when it is off", async () => {
    const off = await render(
      `config.leafnodes={"enabled":false,"tls":{"enabled":true},"merge":{"compression":"off"}}`,
    );
    expect([...off.manifests.keys()]).toEqual([...(await render()).manifests.keys()]);
    expect(off.text).not.toContain("leafnodes");
  });
});

describe("config.leafnodes.remotes", () => {
  it("gives the servers hubs to connect to, with what Secrets hold, and a port for nobody", async () => {
    process.env[URL_VARIABLE] = '"nats-leaf://edge:secret@hub.example.com:7422"';
    process.env[NKEY_VARIABLE] = SEED;
    const list = [
      { urlSecret: { name: "hub" }, account: "$G" },
      { urls: ["tls://a.example.com", "tls://b.example.com:7423"], nkey: { secretName: "key" } },
      {
        url: "wss://hub.example.com/nats",
        credentials: { secretName: "creds" },
        merge: { deny_imports: ["a.>"] },
      },
    ];
    const { text, verdict } = await renderedConfig(remotes(...list));
    expect(verdict).toContain("is valid");
    expect(text).toContain('"credentials": "/etc/shoal/leafnodes/2/credentials/nats.creds"');
    expect(text).not.toContain('"port": 7422');
    const { manifests } = await render(remotes(...list));
    const spec = podSpec(manifests.get("StatefulSet/release-shoal"))!;
    const [container] = spec.containers;
    expect(container!.env).toContainEqual({
      name: URL_VARIABLE,
      valueFrom: { secretKeyRef: { name: "hub", key: "url" } },
    });
    expect(container!.env).toContainEqual({
      name: NKEY_VARIABLE,
      valueFrom: { secretKeyRef: { name: "key", key: "nats.nk" } },
    });
    expect(spec.volumes).toContainEqual({ name: "leaf-2-credentials", secret: { secretName: "creds" } });
    expect(container!.volumeMounts).toContainEqual({
      name: "leaf-2-credentials",
      mountPath: "/etc/shoal/leafnodes/2/credentials",
      readOnly: true,
    });
    expect(container!.ports).not.toContainEqual(expect.objectContaining({ name: "leafnodes" }));
    const { egress } = manifests.get("NetworkPolicy/release-shoal")!.spec as unknown as { egress: object[] };
    expect(egress).toContainEqual({ ports: [{ port: 7422 }, { port: 7423 }, { port: 443 }] });
  });

  it("shows a certificate of a Secret, and verifies by an authority of it", async () => {
    const tls = { secretName: "hub-tls", cert: "tls.crt", ca: "ca.crt", merge: { handshake_first: true } };
    const { text, manifests } = await render(remotes({ url: "tls://hub.example.com", tls }));
    const block = /"tls": (\{[^}]*\})/.exec(text)![1]!;
    expect(JSON.parse(block)).toEqual({
      ca_file: "/etc/shoal/leafnodes/0/tls/ca.crt",
      cert_file: "/etc/shoal/leafnodes/0/tls/tls.crt",
      key_file: "/etc/shoal/leafnodes/0/tls/tls.key",
      handshake_first: true,
    });
    expect(podSpec(manifests.get("StatefulSet/release-shoal"))!.volumes).toContainEqual({
      name: "leaf-0-tls",
      secret: { secretName: "hub-tls" },
    });
    const authorityAlone = await render(
      remotes({ url: "tls://hub.example.com", tls: { secretName: "ca", ca: "ca.crt" } }),
    );
    expect(authorityAlone.text).not.toContain("cert_file");
  });

  it("makes a cluster at the edge of the example of the documentation", async () => {
    const page = readFileSync(join(import.meta.dirname, "../../docs/leafnodes.md"), "utf8");
    const [, example = ""] = /A cluster at the edge[^`]*```yaml\n([^`]*)```/.exec(page) ?? [];
    const { config } = parse(example) as { config: object };
    const { text, manifests } = await render(`config=${JSON.stringify(config)}`);
    const server = manifests.get("ConfigMap/release-shoal-config")!.data!["shoal.conf"]!;
    expect(server).toContain('"url": "tls://hub.example.com:7422"');
    expect(server).toContain('"credentials": "/etc/shoal/leafnodes/0/credentials/nats.creds"');
    const spec = podSpec(manifests.get("StatefulSet/release-shoal"))!;
    for (const [name, secretName] of [
      ["leaf-0-credentials", "edge-user"],
      ["leaf-0-tls", "hub-authority"],
    ])
      expect(spec.volumes).toContainEqual({ name, secret: { secretName } });
    expect(text).toMatch(/"?name"?: "?edge"?/);
    if (missingOpenssl()) return;
    using authority = new Authority();
    expect(await verdictOn(server.replace("/etc/shoal/leafnodes/0/tls/ca.crt", authority.caFile))).toContain(
      "is valid",
    );
  });

  it("is refused where it leads nowhere", async () => {
    await expect(render(remotes({ account: "A" }))).rejects.toThrow(
      "config.leafnodes.remotes[0] needs a url, urls or urlSecret",
    );
    await expect(render(remotes({ url: "nats://a", credentials: {} }))).rejects.toThrow(
      "config.leafnodes.remotes[0].credentials needs a secretName",
    );
  });
});
