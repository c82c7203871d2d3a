/** What metrics show of the server at one moment; `app` makes it for each scrape. Times are in milliseconds. */

export interface MetricsSource {
  look(): Look;
}

export interface Look {
  readonly nowMs: number;
  readonly serverId: string;
  readonly serverName: string;
  /** "" without a cluster. */
  readonly clusterName: string;
  /** The level of nats-server. */
  readonly natsVersion: string;
  readonly version: string;
  readonly startedMs: number;
  /** What `/varz` and `/subsz` answer. */
  readonly varz: object;
  readonly subsz: object;
  /** `status` of `/healthz`. */
  readonly health: string;
  readonly readiness: ReadinessLook;
  readonly config: ConfigLook;
  readonly losses: LossesLook;
  readonly clients: ClientsLook;
  readonly accounts: readonly AccountLook[];
  /** null without a cluster. */
  readonly cluster: ClusterLook | null;
  readonly discovery: readonly DiscoveryLook[];
  readonly certificates: readonly CertificateLook[];
  readonly openFiles: OpenFiles;
}

interface ReadinessLook {
  readonly isReady: boolean;
  /** Of a small set of words; empty while the server is ready. */
  readonly reasons: readonly string[];
}

interface ConfigLook {
  /** "" without a file. */
  readonly digest: string;
  readonly loadedMs: number;
  /** Reloads since the start. */
  readonly succeeded: number;
  readonly refused: number;
  /** Of the last reload; null where it was taken, or there was none. */
  readonly failure: { readonly position: FilePosition | null } | null;
  /** Options that wait for a restart. */
  readonly waiting: readonly string[];
}

/** Both numbers from 1. */
interface FilePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What found no room since the start. */
interface LossesLook {
  /** 0 without a system account. */
  readonly systemEvents: number;
  readonly systemRequests: number;
  readonly logLines: number;
  /** Connections, by faults of the server. */
  readonly faults: number;
}

export interface ClientsLook {
  /** Since the start. */
  readonly connects: number;
  readonly authFailures: number;
  readonly open: number;
  readonly subscriptions: number;
  /** Of the open connections. */
  readonly traffic: TrafficLook;
  /** Pending of each open connection. */
  readonly pendingBytes: readonly number[];
}

export interface TrafficLook {
  readonly inMessages: number;
  readonly inBytes: number;
  readonly outMessages: number;
  readonly outBytes: number;
}

export interface LossLook {
  readonly slowConsumers: number;
  readonly droppedMessages: number;
  readonly droppedBytes: number;
}

export interface AccountLook extends TrafficLook, LossLook {
  readonly name: string;
  readonly connections: number;
  readonly subscriptions: number;
}

/** Another server, by name; what crossed its routes, also those that are gone. */
export interface PeerLook extends TrafficLook, LossLook {
  readonly name: string;
  readonly connections: number;
  readonly pendingBytes: number;
  /** The longest of its connections; 0: not known yet. */
  readonly roundTripMs: number;
  readonly reconnects: number;
}

export interface ClusterLook {
  /** Registered connections to other servers. */
  readonly routes: number;
  readonly peers: readonly PeerLook[];
  /** Other servers. */
  readonly wanted: number;
  readonly connected: number;
  readonly isComplete: boolean;
  /** Of the last stretch that has ended. null: there was none. */
  readonly completionMs: number | null;
  readonly incompleteMs: number;
  readonly changes: ReadonlyMap<string, number>;
  readonly dials: ReadonlyMap<string, number>;
}

/** A source of addresses of other servers. */
export interface DiscoveryLook {
  readonly name: string;
  readonly peers: readonly unknown[];
  readonly lookups: number;
  readonly failures: number;
  /** null: there has been none. */
  readonly answerAgeMs: number | null;
}

/** That a port shows. */
interface CertificateLook {
  readonly port: string;
  readonly notAfterMs: number;
}

/** null where the system does not tell. */
export interface OpenFiles {
  readonly count: number | null;
  readonly max: number | null;
}
