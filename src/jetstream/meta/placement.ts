/** Which servers keep a new stream or consumer: pure. nats-server's order: online first, then fewer replicas, then more room. */
import { randomInt, type Random } from "../../base/random.ts";
import type { PeerId } from "../../raft/messages.ts";
import type { KnownServer } from "./known-servers.ts";

export interface PlacementWish {
  readonly replicas: number;
  readonly storage: "file" | "memory";
  /** Bytes that the stream may take; 0 and less: no limit. */
  readonly maxBytes: number;
  readonly cluster: string;
  readonly tags: readonly string[];
}

export interface Candidate extends KnownServer {
  /** Streams that are placed there. */
  readonly streams: number;
}

/** A text: why there are not enough. */
export function place(
  wish: PlacementWish,
  candidates: readonly Candidate[],
  random: Random,
): readonly PeerId[] | string {
  const { replicas } = wish;
  const fit = candidates.filter((one) => fits(wish, one));
  const online = fit.filter(({ isOnline }) => isOnline);
  if (fit.length < replicas || online.length < Math.floor(replicas / 2) + 1)
    return `no suitable peers for placement: ${online.length} of ${candidates.length} servers would do, ${replicas} are needed`;
  const dice = new Map(fit.map(({ peer }) => [peer, randomInt(random, 1 << 20)]));
  return fit
    .toSorted(
      (a, b) =>
        Number(b.isOnline) - Number(a.isOnline) ||
        a.haAssets - b.haAssets ||
        a.streams - b.streams ||
        dice.get(a.peer)! - dice.get(b.peer)!,
    )
    .slice(0, replicas)
    .map(({ peer }) => peer);
}

/** Whether the server may keep the stream. */
export function fits({ storage, maxBytes, cluster, tags }: PlacementWish, one: Candidate): boolean {
  const bytesLeft = storage === "file" ? one.fileBytesLeft : one.memoryBytesLeft;
  return (
    (cluster === "" || one.cluster === cluster) &&
    !one.tags.includes("!jetstream") &&
    tags.every((tag) => (tag.startsWith("!") ? !one.tags.includes(tag.slice(1)) : one.tags.includes(tag))) &&
    (maxBytes <= 0 || bytesLeft >= maxBytes)
  );
}
