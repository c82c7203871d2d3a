/**
 * Runs the sources of addresses of other servers side by side. Each source reports the complete set that it sees whenever that set
 * changes; every report carries the name of its source, and the mesh takes the union. `cluster` decides when an address is dialled and
 * when it is given up.
 *
 * Invariant: a source that fails reports nothing rather than an empty set. Its problem is in `snapshot`.
 */
import { assert } from "../base/assert.ts";

/** An address at which a source sees a server. */
export interface DiscoveredPeer {
  /** An IP address if the source knows it, otherwise a name to resolve when dialling. */
  readonly host: string;
  readonly port: number;
  /** The name of the pod, for people; absent: unknown. */
  readonly name?: string;
  readonly node?: string;
  readonly zone?: string;
  /** Absent: the source does not know. */
  readonly isReady?: boolean;
  /** The name that the certificate of a TLS connection must carry; absent: `host`. */
  readonly verifyName?: string;
}

/** Whether a dial is for a route that is configured or for a server that was discovered. */
export type SourceOrigin = "explicit" | "discovered";

export interface DiscoverySource {
  /** Identifies the source in the mesh, in logs and metrics: "routes", "dns nats:6222", "kubernetes". */
  readonly name: string;
  /** Differs between two sources of the same name with different settings. */
  readonly settings?: string;
  /**
   * Starts watching; called once. `onPeers` gets the complete set as soon as there is one (maybe before `watch` returns) and again at
   * each change. After disposal nothing is reported.
   */
  watch(onPeers: (peers: readonly DiscoveredPeer[], origin: SourceOrigin) => void): Disposable;
  /** Called when members are missing: a source that polls does so sooner. Sources that are notified of changes need not have it. */
  hasten?(): void;
  snapshot(): SourceSnapshot;
}

export interface SourceSnapshot {
  readonly name: string;
  /** The last report. */
  readonly peers: readonly DiscoveredPeer[];
  /** Completed lookups or fetches. */
  readonly lookups: number;
  /** Lookups without an answer. "There is no such name" is an answer. */
  readonly failures: number;
  /** When the last answer came, in ms since the epoch; null: never. */
  readonly answeredMs: number | null;
  /** The error of the last lookup; null: it succeeded. */
  readonly lastError: string | null;
  /** Whether it has reported an address since it started, even one of this server. */
  readonly hasShown: boolean;
}

/** For monitoring and readiness. */
export interface DiscoverySnapshot extends Omit<SourceSnapshot, "answeredMs"> {
  /** Age of the last answer; null: there has been none. */
  readonly answerAgeMs: number | null;
}

export interface SourceReport {
  /** Its name. */
  readonly source: string;
  readonly origin: SourceOrigin;
  readonly peers: readonly DiscoveredPeer[];
}

/** Runs several sources at once and passes their reports on. */
export class Discovery implements Disposable {
  private readonly watched = new Map<
    string,
    { readonly source: DiscoverySource; readonly watch: Disposable }
  >();
  private readonly onReport: (report: SourceReport) => void;

  constructor(onReport: (report: SourceReport) => void) {
    this.onReport = onReport;
  }

  /**
   * Replaces the sources. A running source with the same name and settings continues; a source that is no longer listed ends, and its
   * addresses are withdrawn.
   */
  use(sources: readonly DiscoverySource[]): void {
    const names = new Set(sources.map(({ name }) => name));
    for (const [name, { watch }] of [...this.watched]) {
      if (names.has(name)) continue;
      watch[Symbol.dispose]();
      this.watched.delete(name);
      this.onReport({ source: name, origin: "discovered", peers: [] });
    }
    for (const source of sources) {
      const running = this.watched.get(source.name);
      if (running !== undefined && running.source.settings === source.settings) continue;
      running?.watch[Symbol.dispose]();
      const watch = source.watch((peers, origin) => {
        assert(
          peers.length > 0 || source.snapshot().lastError === null,
          "a source that fails reports nothing",
        );
        this.onReport({ source: source.name, origin, peers });
      });
      this.watched.set(source.name, { source, watch });
    }
  }

  hasten(): void {
    for (const { source } of this.watched.values()) source.hasten?.();
  }

  snapshot(nowMs: number): DiscoverySnapshot[] {
    return [...this.watched.values()].map(({ source }) => {
      const { answeredMs, ...rest } = source.snapshot();
      return { ...rest, answerAgeMs: answeredMs === null ? null : Math.max(0, nowMs - answeredMs) };
    });
  }

  [Symbol.dispose](): void {
    for (const { watch } of this.watched.values()) watch[Symbol.dispose]();
    this.watched.clear();
  }
}
