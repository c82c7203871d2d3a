/** Rendered manifests without what only Helm needs. */

interface Metadata {
  name?: string;
  namespace?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export interface PlainManifest {
  kind: string;
  metadata: Metadata;
  spec?: { template?: { metadata?: Metadata } };
}

/** Sorted by kind and name. Tests of the release, which are hooks, are left out. */
export function plainManifests(documents: readonly unknown[]): PlainManifest[] {
  return documents
    .filter((document): document is PlainManifest => document !== null)
    .map((document) => structuredClone(document))
    .filter(({ metadata }) => metadata.annotations?.["helm.sh/hook"] === undefined)
    .map((manifest) => {
      delete manifest.metadata.namespace;
      for (const metadata of [manifest.metadata, manifest.spec?.template?.metadata]) {
        delete metadata?.labels?.["helm.sh/chart"];
        delete metadata?.labels?.["app.kubernetes.io/managed-by"];
      }
      return manifest;
    })
    .sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
}

function sortKey({ kind, metadata }: PlainManifest): string {
  return `${kind}/${metadata.name}`;
}
