/** A source of addresses that shows what it is told to show: one list for each of its parts, all together to who watches. */
import type { PeerAddress } from "../../src/cluster/mesh-types.ts";
import type { DiscoverySource, SourceSnapshot } from "../../src/discovery/discovery.ts";

export class ShownSource implements DiscoverySource {
  readonly name: string;
  private readonly parts = new Map<string, readonly PeerAddress[]>();
  private report: ((peers: readonly PeerAddress[], origin: "discovered") => void) | null = null;

  constructor(name: string) {
    this.name = name;
  }

  watch(onPeers: (peers: readonly PeerAddress[], origin: "discovered") => void): Disposable {
    this.report = onPeers;
    if (this.parts.size > 0) onPeers(this.peers, "discovered");
    return { [Symbol.dispose]: () => void (this.report = null) };
  }

  show(part: string, peers: readonly PeerAddress[]): void {
    this.parts.set(part, peers);
    this.report?.(this.peers, "discovered");
  }

  snapshot(): SourceSnapshot {
    return {
      name: this.name,
      peers: this.peers,
      lookups: 0,
      failures: 0,
      answeredMs: null,
      lastError: null,
      hasShown: this.parts.size > 0,
    };
  }

  private get peers(): readonly PeerAddress[] {
    return [...this.parts.values()].flat();
  }
}
