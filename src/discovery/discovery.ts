/**
 * Who the other servers may be: the sources that see them, side by side. Each source reports the complete set that it sees,
 * whenever that changes; the mesh takes the union, since every report carries its source's name. What is made of an address
 * (when it is dialled, when it is given up) is decided in `cluster`, not here.
 *
 * Invariant: a source that fails goes on reporting nothing rather than an empty set. It shows its troubles in `snapshot`.
 */

/** An address at which a source sees a server. */
export interface DiscoveredPeer {
  /** An IP address where the source can tell, else a name for whoever dials. */
  readonly host: string;
  readonly port: number;
  /** Of the pod, where the source knows it: for people. */
  readonly name?: string;
  readonly node?: string;
  readonly zone?: string;
  /** Absent: the source does not know. */
  readonly isReady?: boolean;
  /** The name that the certificate of a TLS connection must carry; absent: `host`. */
  readonly verifyName?: string;
}

/** Decides how a dial counts: as one of a route that somebody wrote down, or of a server that was found. */
export type SourceOrigin = "explicit" | "discovered";

export interface DiscoverySource {
  /** Tells it apart from all others, in the mesh, in logs and metrics: "routes", "dns nats:6222", "kubernetes". */
  readonly name: string;
  /** Tells it from another one of the name that has other settings. */
  readonly settings?: string;
  /**
   * Begins to watch, once. `onPeers` gets the complete set, as soon as there is one (maybe before `watch` returns) and then
   * at each change. Disposing ends all work; nothing is reported after it.
   */
  watch(onPeers: (peers: readonly DiscoveredPeer[], origin: SourceOrigin) => void): Disposable;
  /** Members are missing: a source that asks at intervals asks sooner. One that is told of changes need not have it. */
  hasten?(): void;
  snapshot(): SourceSnapshot;
}

export interface SourceSnapshot {
  readonly name: string;
  /** What it reported last. */
  readonly peers: readonly DiscoveredPeer[];
  /** Questions asked, or lists fetched, that have come to an end. */
  readonly lookups: number;
  /** Those of them that brought no answer. "There is no such name" is an answer. */
  readonly failures: number;
  /** When the last answer came, in ms since the epoch; null: never. */
  readonly answeredMs: number | null;
  /** Of the last lookup; null: it went well. */
  readonly lastError: string | null;
  /** It has shown an address since it began, be it one of this server. */
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
   * These are the sources from now on. One that runs already under the same name, and with the same settings, goes on
   * undisturbed; one that is no longer listed ends, and what it saw counts as gone.
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
      const watch = source.watch((peers, origin) => this.onReport({ source: source.name, origin, peers }));
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
