/** Values of the chart for JetStream: those of the NATS chart, what they become, and what cannot work. */
import { describe, expect, it } from "vitest";
import { podSpec, render } from "../support/helm.ts";
import { renderedConfig } from "../support/rendered-config.ts";

const SINGLE = ["config.cluster.enabled=false", "config.jetstream.enabled=true"];

interface Workload {
  readonly spec: {
    readonly volumeClaimTemplates?: readonly {
      readonly metadata: { readonly name: string };
      readonly spec: Readonly<Record<string, unknown>>;
    }[];
  };
}

async function single(...sets: string[]): Promise<Awaited<ReturnType<typeof render>>> {
  return render(...SINGLE, ...sets);
}

async function configOf(...sets: string[]): Promise<string> {
  return (await renderedConfig(...SINGLE, ...sets)).text;
}

describe("config.jetstream", () => {
  it("gives each pod a volume, which decides how much is kept", async () => {
    const { manifests } = await single(
      `config.jetstream.fileStore.pvc={"size":"20Gi","storageClassName":"fast"}`,
    );
    const workload = manifests.get("StatefulSet/release-shoal") as unknown as Workload;
    expect(workload.spec.volumeClaimTemplates).toEqual([
      {
        metadata: { name: "release-shoal-js" },
        spec: {
          accessModes: ["ReadWriteOnce"],
          resources: { requests: { storage: "20Gi" } },
          storageClassName: "fast",
        },
      },
    ]);
    const spec = podSpec(manifests.get("StatefulSet/release-shoal"))!;
    expect(spec.containers[0]!.volumeMounts).toContainEqual({ name: "release-shoal-js", mountPath: "/data" });
    expect(spec.securityContext).toMatchObject({ fsGroup: 65532, fsGroupChangePolicy: "OnRootMismatch" });
    const config = await configOf();
    expect(config).toContain('"store_dir": "/data"');
    expect(config).toContain('"max_memory_store": 0');
    expect(config).not.toContain("max_file_store");
  });

  it("sets limits by the sizes of Kubernetes, which the server reads", async () => {
    const { text, verdict } = await renderedConfig(
      ...SINGLE,
      `config.jetstream.fileStore.maxSize="8Gi"`,
      `config.jetstream.memoryStore={"enabled":true,"maxSize":"256Mi"}`,
    );
    expect(text).toContain('"max_file_store": 8Gi');
    expect(text).toContain('"max_memory_store": 256Mi');
    expect(verdict).toContain("is valid");
  });

  it("keeps files in the pod where no claim is wanted, and none where files are off", async () => {
    const inPod = await single("config.jetstream.fileStore.pvc.enabled=false", `workload.kind="Deployment"`);
    const spec = podSpec(inPod.manifests.get("Deployment/release-shoal"))!;
    expect(spec.volumes).toContainEqual({ name: "streams", emptyDir: {} });
    expect(spec.containers[0]!.volumeMounts).toContainEqual({ name: "streams", mountPath: "/data" });
    const inMemory = await single("config.jetstream.fileStore.enabled=false");
    expect(inMemory.text).not.toContain("volumeClaimTemplates");
    expect(inMemory.text).not.toContain("/data");
    expect(await configOf("config.jetstream.fileStore.enabled=false")).toContain('"max_file_store": 0');
  });

  it("merges and patches the block and the claim", async () => {
    const merged = [
      `config.jetstream.merge={"domain":"hub","sync_interval":"2m"}`,
      `config.jetstream.fileStore.pvc={"name":"store","patch":[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]}`,
    ];
    expect(await configOf(...merged)).toContain('"domain": "hub"');
    const { manifests } = await single(...merged);
    const workload = manifests.get("StatefulSet/release-shoal") as unknown as Workload;
    expect(workload.spec.volumeClaimTemplates![0]!.metadata).toEqual({ name: "store", labels: { a: "b" } });
  });

  it("is refused where it cannot work, with what to do", async () => {
    await expect(single(`workload.kind="Deployment"`)).rejects.toThrow(
      "config.jetstream.fileStore.pvc.enabled: a Deployment has no volume claims for its pods",
    );
  });
});
