/**
 * How a pod with streams ends. One that its StatefulSet no longer wants leaves the cluster of streams for good, so that nothing is lost with
 * it. One that comes back waits while a group would have no majority without it, since another pod is not back yet.
 */
import { systemClock } from "../base/clock.ts";
import type { LiveCell } from "../base/live.ts";
import type { Logger } from "../base/logger.ts";
import { fateOf, type PodFate, type StatefulPod } from "../discovery/stateful-set.ts";
import type { JetStreamCluster } from "../jetstream/cluster.ts";
import type { ServerIdentity } from "../protocol/info.ts";
import { GonePods } from "./gone-pods.ts";
import type { JetStreamPart } from "./jetstream.ts";
import type { ConfigInForce } from "./reload.ts";

/** Another pod takes less to come back; one that is gone for longer must not hold up the rest. */
const NEEDED_MS = 60_000;

export interface PartingPodOptions {
  readonly jetStream: LiveCell<JetStreamPart | null>;
  /** null: this server runs in no pod of a StatefulSet. */
  readonly pod: StatefulPod | null;
  readonly logger: Logger;
  /** null: it is not to. */
  readonly withinMs: number | null;
}

/** Resolves when this server may end, or when nothing more can be done about it. Never rejects. */
export async function partWithStreams(options: PartingPodOptions): Promise<void> {
  const { jetStream, pod, logger, withinMs } = options;
  const cluster = jetStream.current?.cluster ?? null;
  if (pod === null || withinMs === null || cluster === null) return;
  const fate = await askedFate(pod, logger);
  if (fate === "scaled away") return leave(cluster, { pod, withinMs, logger });
  if (fate !== "returns") return;
  const { count: groups, some } = await cluster.untilNotNeeded(Math.min(NEEDED_MS, withinMs));
  if (groups > 0)
    logger.warn(
      "Groups of streams have no majority without this server: other members of them have not come back",
      {
        groups,
        some,
      },
    );
}

async function askedFate(pod: StatefulPod, logger: Logger): Promise<PodFate | "unknown"> {
  try {
    const { readStatefulSet } = await import("../discovery/kubernetes.ts");
    return fateOf(await readStatefulSet(pod), pod.ordinal);
  } catch (error) {
    logger.warn("Kubernetes does not tell whether this pod is to come back: it keeps its streams", {
      statefulSet: pod.statefulSet,
      error: error instanceof Error ? error.message.slice(0, 200) : String(error),
      hint: "the service account needs get of this StatefulSet: see docs/kubernetes.md",
    });
    return "unknown";
  }
}

interface LeavingPod {
  readonly pod: StatefulPod;
  readonly withinMs: number;
  readonly logger: Logger;
}

async function leave(
  cluster: JetStreamCluster,
  { pod: { statefulSet, ordinal }, withinMs, logger }: LeavingPod,
): Promise<void> {
  logger.info("The StatefulSet is to be without this pod: it leaves the cluster", {
    event: "leaving",
    statefulSet,
    ordinal,
    withinMs,
  });
  const result = await cluster.leave(withinMs);
  if (result === "left")
    logger.info("This server has left the cluster: it keeps no streams", { event: "left" });
  else
    logger.warn(
      result === "stuck"
        ? "No other server can take the streams that this one keeps: they stay in its volume, and come back with it"
        : "The time to move streams to other servers is over: the rest stays in the volume of this server, and comes back with it",
      { event: "leaving", withinMs },
    );
}

/** null: there is nothing to watch. */
export function watchGonePods(
  options: Pick<PartingPodOptions, "jetStream" | "pod" | "logger"> & {
    readonly inForce: LiveCell<ConfigInForce>;
    readonly identity: ServerIdentity;
  },
): Disposable | null {
  const { jetStream, pod, logger, inForce, identity } = options;
  const cluster = jetStream.current?.cluster ?? null;
  if (pod === null || cluster === null || inForce.current.config.jetStream.leaveWithinMs === null)
    return null;
  return new GonePods({
    pod,
    serverName: identity.name,
    clock: systemClock,
    logger,
    missing: () => cluster.missing,
    remove: (peer) => cluster.remove(peer),
    read: async (one) => (await import("../discovery/kubernetes.ts")).readStatefulSet(one),
  });
}
