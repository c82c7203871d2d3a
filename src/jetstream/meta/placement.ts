/**
 * Which servers keep a new stream or consumer: pure. nats-server's order: online first, then fewer replicas, then more room. Copies are
 * spread over zones before that, which servers name by a tag: where `unique_tag` is configured no two are in one, else as far as it goes.
 */
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
  /** How the tag begins by which any two copies have to differ; "": none is configured. */
  readonly uniqueTag: string;
}

export interface Candidate extends KnownServer {
  /** Streams that are placed there. */
  readonly streams: number;
}

type Tagged = Pick<KnownServer, "tags">;

export interface PlacementServers {
  readonly candidates: readonly Candidate[];
  /** Those that keep it already. */
  readonly kept: readonly Tagged[];
}

/** Tags that name the zone of a server begin so, where `unique_tag` does not say how. */
const ZONE_TAGS = ["zone:", "az:"];

/** A text: why there are not enough. */
export function place(
  wish: PlacementWish,
  { candidates, kept }: PlacementServers,
  random: Random,
): readonly PeerId[] | string {
  const { replicas } = wish;
  const fit = candidates.filter((one) => fits(wish, one));
  const online = fit.filter(({ isOnline }) => isOnline);
  if (fit.length < replicas || online.length < Math.floor(replicas / 2) + 1)
    return `no suitable peers for placement: ${online.length} of ${candidates.length} servers would do, ${replicas} are needed`;
  const dice = new Map(fit.map(({ peer }) => [peer, randomInt(random, 1 << 20)]));
  const sorted = fit.toSorted(
    (a, b) =>
      Number(b.isOnline) - Number(a.isOnline) ||
      a.haAssets - b.haAssets ||
      a.streams - b.streams ||
      dice.get(a.peer)! - dice.get(b.peer)!,
  );
  const found = spread(wish, sorted, kept);
  return found.length < replicas
    ? `no suitable peers for placement: server tag not unique: ${found.length} of ${fit.length} servers differ in ${wish.uniqueTag}, ${replicas} are needed`
    : found;
}

/** `sorted`: the best first. Fewer than wished where tags have to differ. */
function spread(wish: PlacementWish, sorted: readonly Candidate[], kept: readonly Tagged[]): PeerId[] {
  // as in nats-server: who asks for such a tag has chosen one zone
  const isStrict = wish.uniqueTag !== "" && !wish.tags.some((tag) => tag.startsWith(wish.uniqueTag));
  const prefixes = isStrict ? [wish.uniqueTag] : ZONE_TAGS;
  const counts = new Map<string, number>();
  const take = (zone: string): void => void counts.set(zone, (counts.get(zone) ?? 0) + 1);
  for (const one of kept) take(zoneOf(one, prefixes));
  const left = new Set(sorted);
  const found: PeerId[] = [];
  while (found.length < wish.replicas) {
    let best: Candidate | null = null;
    let fewest = Infinity;
    for (const one of left) {
      const zone = zoneOf(one, prefixes);
      const count = zone === "" ? 0 : (counts.get(zone) ?? 0);
      if (isStrict && (zone === "" || count > 0)) continue;
      // one that is there is better than one in a zone of its own that is not
      if (best !== null && (count >= fewest || one.isOnline !== best.isOnline)) continue;
      best = one;
      fewest = count;
    }
    if (best === null) break;
    left.delete(best);
    found.push(best.peer);
    take(zoneOf(best, prefixes));
  }
  return found;
}

/** "": it names none, and counts as one by itself. */
function zoneOf({ tags }: Tagged, prefixes: readonly string[]): string {
  return tags.find((tag) => prefixes.some((prefix) => tag.startsWith(prefix))) ?? "";
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
