/** Addresses that somebody wrote down: literal ones, which no lookup could change. */
import type { DiscoveredPeer, DiscoverySource } from "./discovery.ts";

export function staticSource(name: string, peers: readonly DiscoveredPeer[]): DiscoverySource {
  return {
    name,
    settings: JSON.stringify(peers),
    watch(onPeers) {
      onPeers(peers, "explicit");
      return { [Symbol.dispose]: () => undefined };
    },
    snapshot: () => ({
      name,
      peers,
      lookups: 0,
      failures: 0,
      answeredMs: null,
      lastError: null,
      hasShown: peers.length > 0,
    }),
  };
}
