/** The pod of a StatefulSet that this server runs in, and what its StatefulSet has in mind with it. Pure; kubernetes.ts asks. */

export interface StatefulPod {
  readonly namespace: string;
  readonly statefulSet: string;
  readonly ordinal: number;
}

/** The fields of a StatefulSet (apps/v1) that are read. */
export interface StatefulSetFields {
  readonly metadata?: { readonly deletionTimestamp?: unknown };
  readonly spec?: { readonly replicas?: number; readonly ordinals?: { readonly start?: number } };
}

/** From the name in DNS that only such pods have: POD.SERVICE.NAMESPACE.svc.… null: it is none. */
export function podOfDnsName(name: string | null): StatefulPod | null {
  const found = /^([^.]+)-(\d+)\.[^.]+\.([^.]+)\.svc(?:\.|$)/.exec(name ?? "");
  if (found === null) return null;
  const [, statefulSet = "", ordinal = "", namespace = ""] = found;
  return { namespace, statefulSet, ordinal: Number(ordinal) };
}

/** What becomes of a pod that ends: it comes back, it does not, or none of its StatefulSet does before somebody wants it again. */
export type PodFate = "returns" | "scaled away" | "all go";

/** null: there is no StatefulSet any more. One that is deleted, or that is to have no pods at all, is no reason for its pods to give up what they keep. */
export function fateOf(fields: StatefulSetFields | null, ordinal: number): PodFate {
  if (fields === null) return "all go";
  const { metadata, spec } = fields;
  const replicas = spec?.replicas ?? 1;
  const start = spec?.ordinals?.start ?? 0;
  if (metadata?.deletionTimestamp !== undefined || replicas === 0) return "all go";
  return ordinal >= start && ordinal < start + replicas ? "returns" : "scaled away";
}
