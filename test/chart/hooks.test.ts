/** What Helm runs around the release: the check of the configuration before an upgrade, the test, and the notes. */
import { execFile } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { podSpec, render, renderNotes, type Manifest } from "../support/helm.ts";

const BINARY = join(import.meta.dirname, "../../bin/shoal");

interface Container {
  readonly args: readonly string[];
  readonly image: string;
  readonly env: readonly { readonly name: string; readonly value?: string }[];
}
interface Volume {
  readonly name: string;
  readonly configMap?: object;
  readonly secret?: object;
}

async function check(...sets: string[]): Promise<{
  job: Manifest;
  container: Container;
  volumes: readonly Volume[];
  config: string;
  manifests: Map<string, Manifest>;
}> {
  const { manifests } = await render(...sets);
  const job = manifests.get("Job/release-shoal-check")!;
  const spec = podSpec(job) as unknown as { containers: [Container]; volumes: readonly Volume[] };
  const config = manifests.get("ConfigMap/release-shoal-check")!.data!["shoal.conf"]!;
  return { job, container: spec.containers[0], volumes: spec.volumes, config, manifests };
}

async function verdict(config: string): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), "shoal-check-")), "shoal.conf");
  await writeFile(file, config);
  const { stdout, stderr } = await promisify(execFile)(BINARY, ["-t", "--config", file]);
  return stdout + stderr;
}

describe("the check before an upgrade", () => {
  it("runs the image of the servers with -t on the configuration that is to come", async () => {
    const { job, container, volumes, config, manifests } = await check(
      `config.merge={"max_payload":4096}`,
      `container.image.tag="next"`,
      `container.env={"MORE":"1"}`,
    );
    expect(job.metadata.annotations).toMatchObject({
      "helm.sh/hook": "pre-upgrade",
      "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    });
    expect(container.image).toBe("shoal:next");
    expect(container.args).toEqual(["--config", "/etc/shoal/config/shoal.conf", "-t"]);
    expect(container.env).toContainEqual({ name: "MORE", value: "1" });
    expect(volumes).toEqual([{ name: "config", configMap: { name: "release-shoal-check" } }]);
    expect(config).toBe(manifests.get("ConfigMap/release-shoal-config")!.data!["shoal.conf"]);
    expect(JSON.parse(config)).toMatchObject({ max_payload: 4096 });
  });

  it("fails by a configuration that makes no sense, and not by one that does", async () => {
    expect(await verdict((await check()).config)).toContain("is valid");
    const { config } = await check(`config.merge={"max_payload":"a lot"}`);
    await expect(verdict(config)).rejects.toThrow("max_payload");
  });

  it("needs nothing of what the upgrade itself makes", async () => {
    const { container, volumes, config, manifests } = await check(
      `auth.users={"ann":"secret"}`,
      "config.endpointSlices.enabled=true",
      "config.nats.tls.enabled=true",
      "config.cluster.tls.enabled=true",
      `certManager={"enabled":true,"issuerRef":{"name":"i"}}`,
    );
    expect(JSON.stringify(container.env)).not.toContain("secretKeyRef");
    expect(manifests.get("Secret/release-shoal-check")!.stringData).toEqual({ ann: "secret" });
    expect(volumes).toEqual([
      { name: "config", configMap: { name: "release-shoal-check" } },
      { name: "users", secret: { secretName: "release-shoal-check" } },
      { name: "nats-tls", secret: { secretName: "release-shoal-nats-tls", optional: true } },
      { name: "cluster-tls", secret: { secretName: "release-shoal-cluster-tls", optional: true } },
    ]);
    expect(config).not.toContain("tls");
    expect(manifests.get("ConfigMap/release-shoal-config")!.data!["shoal.conf"]).toContain("tls");
    const spec = podSpec(manifests.get("Job/release-shoal-check"));
    expect(spec).not.toHaveProperty("serviceAccountName");
    expect(spec!.automountServiceAccountToken).toBe(false);
  });

  it("is none of the servers to Services and policies, and has no proxy beside it", async () => {
    const { job } = await check();
    const { labels } = (job.spec as unknown as { template: { metadata: { labels: object } } }).template
      .metadata;
    expect(labels).toMatchObject({
      "app.kubernetes.io/component": "config-check",
      "sidecar.istio.io/inject": "false",
    });
  });

  it("can be switched off, and takes what every resource takes", async () => {
    const { manifests } = await render("configCheck.enabled=false");
    expect([...manifests.keys()].filter((id) => id.endsWith("-check"))).toEqual([]);
    const { job } = await check(
      `configCheck={"labels":{"mine":"1"},"merge":{"spec":{"activeDeadlineSeconds":7}}}`,
    );
    expect(job.metadata.labels).toMatchObject({ mine: "1" });
    expect(job.spec).toMatchObject({ activeDeadlineSeconds: 7 });
  });
});

it("the pod of helm test stays until its logs are read", async () => {
  const { manifests } = await render();
  expect(manifests.get("Pod/release-shoal-test")!.metadata.annotations).toEqual({
    "helm.sh/hook": "test",
    "helm.sh/hook-delete-policy": "before-hook-creation",
  });
});

it.each([`auth.users={"ann":"secret"}`, `auth.existingSecret="mine"`])(
  "the pod of helm test connects as one of the users of %s",
  async (set) => {
    const { manifests } = await render(set);
    const secretName = set.includes("mine") ? "mine" : "release-shoal-users";
    expect(manifests.get("Pod/release-shoal-test")!.spec).toMatchObject({
      volumes: [{ name: "users", secret: { secretName } }],
      containers: [{ volumeMounts: [{ name: "users", mountPath: "/users", readOnly: true }] }],
    });
  },
);

describe("the notes", () => {
  it("hold for an installation, an upgrade and a rollback, which shows them again", async () => {
    for (const flags of [[], ["--is-upgrade"]]) {
      const notes = await renderNotes("--namespace", "ns", ...flags);
      expect(notes).toContain("release-shoal: 3 server(s) of shoal");
      expect(notes).toContain("nats://release-shoal.ns:4222");
      expect(notes).toContain("helm -n ns test release --logs");
      expect(notes).not.toMatch(/install|upgrade/);
    }
  });

  it("name the Service that there is", async () => {
    expect(await renderNotes("--set", "service.enabled=false")).toContain("nats://release-shoal-headless.");
  });
});
