/** Values of the chart for operator mode: those of the NATS chart, where tokens come from, and what cannot work. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { podSpec, render } from "../support/helm.ts";
import { accountToken, newAccount, OperatorKit } from "../support/operator-kit.ts";

const BINARY = join(import.meta.dirname, "../../bin/shoal");
const OPERATOR = `config.operator={"configMapName":"acme","preloadKey":"preload.conf"}`;
const RESOLVER = "config.resolver.enabled=true";

interface Workload {
  readonly spec: {
    readonly volumeClaimTemplates?: readonly { readonly metadata: object; readonly spec: object }[];
  };
}

async function configOf(...sets: string[]): Promise<string> {
  const { manifests } = await render(...sets);
  return manifests.get("ConfigMap/release-shoal-config")!.data!["shoal.conf"]!;
}

/** What the server says of the configuration where the operator's files are in a folder. */
async function judged(text: string, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "shoal-chart-"));
  try {
    for (const name of ["operator", "resolver"]) mkdirSync(join(folder, name));
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(folder, "operator", name), content);
    const config = text
      .replaceAll("/etc/shoal/operator", join(folder, "operator"))
      .replaceAll("/data/resolver", join(folder, "resolver"));
    writeFileSync(join(folder, "shoal.conf"), config);
    const { stdout, stderr } = await promisify(execFile)(BINARY, ["-t", "-c", join(folder, "shoal.conf")]);
    return `${stdout}${stderr}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe("config.operator and config.resolver", () => {
  const kit = new OperatorKit();
  const account = newAccount();
  const files = {
    "operator.jwt": kit.jwt,
    "preload.conf": [kit.system, account]
      .map((one) => `${one.publicKey}: ${accountToken(one, kit.operator)}`)
      .join("\n"),
  };

  it("give a configuration that the server takes, with tokens from a ConfigMap in memory", async () => {
    const text = await configOf(OPERATOR);
    expect(text).toContain('"operator": "/etc/shoal/operator/operator.jwt"');
    expect(text).toContain('"resolver": "MEMORY"');
    expect(text).toContain('include "/etc/shoal/operator/preload.conf";');
    expect(await judged(text, files)).toContain("is valid");
    await expect(judged(text, { ...files, "operator.jwt": "eyJx.y.z" })).rejects.toThrow("operator");
  });

  it("give a directory that the server takes, with further keys of its block", async () => {
    const text = await configOf(
      OPERATOR,
      RESOLVER,
      `config.resolver.merge={"allow_delete":true,"interval":"2m"}`,
    );
    expect(text).not.toContain("MEMORY");
    expect(text).toContain('"dir": "/data/resolver"');
    expect(await judged(text, files)).toContain("is valid");
    const cache = await configOf(OPERATOR, RESOLVER, `config.resolver.merge={"type":"cache","ttl":"1h"}`);
    expect(cache).toContain('"type": "cache"');
    expect(await judged(cache, files)).toContain("is valid");
  });

  it("take a Secret, the system account, and what config.merge says of an operator", async () => {
    const { manifests } = await render(
      `config.operator={"secretName":"acme","key":"op","systemAccount":"${kit.system.publicKey}"}`,
      RESOLVER,
    );
    const spec = podSpec(manifests.get("StatefulSet/release-shoal"))!;
    expect(spec.volumes).toContainEqual({ name: "operator", secret: { secretName: "acme" } });
    const { volumeMounts } = spec.containers[0]!;
    expect(volumeMounts).toContainEqual({
      ...{ name: "operator", mountPath: "/etc/shoal/operator", readOnly: true },
    });
    const merged = await configOf(RESOLVER, `config.merge={"operator":"${kit.jwt}"}`);
    expect(await judged(merged, {})).toContain("is valid");
  });

  it("give each pod a volume for its tokens, or a folder of its own", async () => {
    const { manifests } = await render(
      RESOLVER,
      `config.resolver.pvc={"size":"2Gi","storageClassName":"fast","merge":{"metadata":{"labels":{"a":"b"}}}}`,
    );
    const workload = manifests.get("StatefulSet/release-shoal") as unknown as Workload;
    expect(workload.spec.volumeClaimTemplates).toEqual([
      {
        metadata: { name: "release-shoal-resolver", labels: { a: "b" } },
        spec: {
          accessModes: ["ReadWriteOnce"],
          resources: { requests: { storage: "2Gi" } },
          storageClassName: "fast",
        },
      },
    ]);
    const spec = podSpec(manifests.get("StatefulSet/release-shoal"))!;
    expect(spec.containers[0]!.volumeMounts).toContainEqual({
      ...{ name: "release-shoal-resolver", mountPath: "/data/resolver" },
    });
    expect(spec.securityContext).toMatchObject({ fsGroup: 65532, fsGroupChangePolicy: "OnRootMismatch" });
    const inPod = await render(RESOLVER, "config.resolver.pvc.enabled=false", `workload.kind="Deployment"`);
    const other = podSpec(inPod.manifests.get("Deployment/release-shoal"))!;
    expect(other.volumes).toContainEqual({ name: "resolver", emptyDir: {} });
    expect(inPod.text).not.toContain("volumeClaimTemplates");
  });

  it("leave no mount of the check before an upgrade without a volume", async () => {
    const streams = ["config.cluster.enabled=false", "config.jetstream.enabled=true"];
    const { manifests } = await render("configCheck.enabled=true", OPERATOR, RESOLVER, ...streams);
    const spec = podSpec(manifests.get("Job/release-shoal-check"))!;
    const names = (list: readonly object[]): unknown[] => list.map((one) => (one as { name: string }).name);
    expect(names(spec.volumes)).toEqual(expect.arrayContaining(names(spec.containers[0]!.volumeMounts)));
    expect(spec.volumes).toContainEqual({ name: "release-shoal-resolver", emptyDir: {} });
  });

  it.each([
    [`config.operator={"configMapName":"a","secretName":"b"}`, "Set one of them"],
    [`auth.users={"ann":"secret"}`, "auth.users are not admitted beside them"],
    [`workload.kind="Deployment"`, "config.resolver.pvc.enabled: a Deployment has no volume claims"],
  ])("are refused where they cannot work: %s", async (set, why) => {
    await expect(render(OPERATOR, RESOLVER, set)).rejects.toThrow(why);
  });
});
