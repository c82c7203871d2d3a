/** Names the troubles of what this server keeps of a stream for its cluster. */
import type { StreamAssets } from "./assets.ts";
import type { ConsumerReplica } from "./group/consumer-replica.ts";
import type { ClusterTrouble } from "./group/shared.ts";
import type { StreamReplica } from "./group/stream-replica.ts";
import type { StreamAssignment } from "./meta/assignments.ts";

interface KeptCopies {
  readonly assets: StreamAssets;
  /** null: this server keeps it alone. */
  readonly replica: StreamReplica | null;
  readonly consumers: ReadonlyMap<string, { readonly replica: ConsumerReplica | null }>;
}

/** `consumers`: the names of those that this server is assigned. */
export function* troublesOf(
  kept: KeptCopies | undefined,
  { assignment, consumers }: { readonly assignment: StreamAssignment; readonly consumers: readonly string[] },
): Generator<ClusterTrouble, void> {
  const { account, config } = assignment;
  const about = { account, stream: config.name, consumer: "", behind: 0 };
  if (kept === undefined) {
    yield { ...about, error: "stream not found" };
    return;
  }
  const { problem } = kept.assets.stream;
  if (problem !== "") yield { ...about, error: `stream write error: ${problem}` };
  else if (kept.replica !== null) {
    const { error, behind } = kept.replica.trouble;
    if (error !== "") yield { ...about, error, behind };
  }
  for (const consumer of consumers) {
    const one = kept.consumers.get(consumer);
    if (one === undefined) yield { ...about, consumer, error: "consumer not found" };
    else if (one.replica !== null && one.replica.trouble.error !== "")
      yield { ...about, consumer, ...one.replica.trouble };
  }
}
