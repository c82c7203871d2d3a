/**
 * Volumes for the claims of a test. Where the cluster has a default StorageClass, that one makes them. Else the only node has to be this
 * machine: volumes are then folders of it, of a class of their own, all made beforehand.
 */
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kubectl, manifestFile } from "./kubernetes.ts";

const DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class";

interface Listed {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  }[];
}

export class Volumes implements AsyncDisposable {
  /** null: the default. */
  readonly storageClass: string | null;
  private readonly folder: string;

  private constructor(storageClass: string | null, folder: string) {
    this.storageClass = storageClass;
    this.folder = folder;
  }

  /** `name`: of the class, where one is needed. */
  static async create(name: string, count: number): Promise<Volumes> {
    const classes = await list("storageclasses");
    const isDefault = ({ metadata }: Listed["items"][number]): boolean =>
      metadata.annotations?.[DEFAULT_CLASS] === "true";
    if (classes.items.some(isDefault)) return new Volumes(null, "");
    const nodes = await list("nodes");
    if (nodes.items.length !== 1)
      throw new Error(
        `volumes are needed: the cluster has no default StorageClass, and ${nodes.items.length} nodes instead of one that is this machine`,
      );
    const folder = await mkdtemp(join(tmpdir(), "shoal-volumes-"));
    await chmod(folder, 0o755);
    const paths = Array.from({ length: count }, (_, n) => join(folder, `${n}`));
    for (const path of paths) await mkdir(path);
    const node = nodes.items[0]!.metadata.name;
    const volumes = paths.map((path, n) => localVolume({ name: `${name}-${n}`, of: name, path, node }));
    const items = [storageClass(name), ...volumes];
    await kubectl(
      "create",
      "--filename",
      await manifestFile("volumes", { apiVersion: "v1", kind: "List", items }),
    );
    return new Volumes(name, folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.storageClass === null) return;
    await kubectl(
      "delete",
      "persistentvolumes",
      "--selector",
      `shoal-test=${this.storageClass}`,
      "--wait=false",
    );
    await kubectl("delete", "storageclass", this.storageClass);
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function list(kind: string): Promise<Listed> {
  return JSON.parse(await kubectl("get", kind, "--output", "json")) as Listed;
}

function storageClass(name: string): object {
  return {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name },
    provisioner: "kubernetes.io/no-provisioner",
    volumeBindingMode: "WaitForFirstConsumer",
  };
}

function localVolume(volume: { name: string; of: string; path: string; node: string }): object {
  const { name, of, path, node } = volume;
  const matchExpressions = [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }];
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name, labels: { "shoal-test": of } },
    spec: {
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteOnce"],
      persistentVolumeReclaimPolicy: "Retain",
      storageClassName: of,
      local: { path },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
    },
  };
}
