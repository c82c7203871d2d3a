/** The chart, rendered by the helm command. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse, parseAllDocuments } from "yaml";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");

/** Runs `helm ARGS` in the folder of the project. Rejects with its messages. */
export async function helm(...args: readonly string[]): Promise<string> {
  const { stdout } = await run("helm", [...args], { cwd: root, maxBuffer: 64 << 20 });
  return stdout;
}

interface Container {
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports?: readonly object[];
  readonly securityContext: object;
  readonly volumeMounts: readonly object[];
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly securityContext: object;
  readonly volumes: readonly object[];
  readonly terminationGracePeriodSeconds: number;
  readonly automountServiceAccountToken: boolean;
}

/** What the tests read of a manifest. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels: Record<string, string>;
    readonly annotations?: Record<string, string>;
  };
  readonly data?: Record<string, string>;
  readonly stringData?: Record<string, string>;
  readonly rules?: readonly object[];
  readonly spec?: Partial<PodSpec> & {
    readonly ports?: readonly object[];
    readonly template?: { readonly spec: PodSpec };
  };
}

/** Spec of a Pod, or of what makes pods; undefined of others. */
export function podSpec(manifest: Manifest | undefined): PodSpec | undefined {
  return manifest?.kind === "Pod" ? (manifest.spec as PodSpec) : manifest?.spec?.template?.spec;
}

/** The release's manifests by `Kind/name`, as text too. `sets` are for --set-json, as `key=JSON`. */
export async function render(
  ...sets: readonly string[]
): Promise<{ text: string; manifests: Map<string, Manifest> }> {
  const flags = sets.flatMap((set) => ["--set-json", set]);
  const text = await helm(
    "template",
    "release",
    "helm/shoal",
    "--namespace",
    "ns",
    "--kube-version",
    "1.29.0",
    ...flags,
  );
  const all = parseAllDocuments(text).map((document) => document.toJS() as Manifest | null);
  const manifests = all.filter((manifest) => manifest !== null);
  return {
    text,
    manifests: new Map(manifests.map((manifest) => [`${manifest.kind}/${manifest.metadata.name}`, manifest])),
  };
}

/** What the chart says at the end of an installation. `flags` are those of helm template, which does not show it. */
export async function renderNotes(...flags: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "shoal-chart-"));
  try {
    await cp(join(root, "helm/shoal"), folder, { recursive: true });
    await rename(join(folder, "templates/NOTES.txt"), join(folder, "NOTES.tpl"));
    const template = `{{ dict "notes" (tpl (.Files.Get "NOTES.tpl") .) | toJson }}\n`;
    await writeFile(join(folder, "templates/notes.yaml"), template);
    const only = ["--show-only", "templates/notes.yaml", "--kube-version", "1.29.0"];
    const text = await helm("template", "release", folder, ...only, ...flags);
    return (parse(text) as { notes: string }).notes;
  } finally {
    await rm(folder, { recursive: true });
  }
}
