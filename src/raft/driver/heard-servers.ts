/** The servers that bundles come from: when the last one came, and from which process. Bounded: the one that was heard longest ago makes room. */
import type { PeerId } from "../messages.ts";
import { Timing, type ServerSigns } from "../state.ts";

const SERVERS_MAX = 1024;

interface Heard {
  readonly process: string;
  readonly atMs: number;
}

export class HeardServers implements ServerSigns {
  private readonly servers = new Map<PeerId, Heard>();
  private readonly silent = new Set<PeerId>();

  /** Whether it is another process than before, or had been silent. */
  hear(peer: PeerId, process: string, atMs: number): boolean {
    const before = this.servers.get(peer);
    this.silent.delete(peer);
    this.servers.delete(peer);
    this.servers.set(peer, { process, atMs });
    if (this.servers.size > SERVERS_MAX) {
      const oldest = this.servers.keys().next().value!;
      this.servers.delete(oldest);
      this.silent.delete(oldest);
    }
    return before?.process !== process || atMs - before.atMs > Timing.LIVE_MS;
  }

  /** Those that have fallen silent since the last call. */
  fallenSilent(nowMs: number): PeerId[] {
    const fallen: PeerId[] = [];
    for (const [peer, { atMs }] of this.servers)
      if (nowMs - atMs > Timing.LIVE_MS && !this.silent.has(peer)) fallen.push(peer);
    for (const peer of fallen) this.silent.add(peer);
    return fallen;
  }

  processOf(peer: PeerId): string {
    return this.servers.get(peer)?.process ?? "";
  }

  heardMs(peer: PeerId): number {
    return this.servers.get(peer)?.atMs ?? -Infinity;
  }
}
