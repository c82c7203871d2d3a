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
  /** Connections that made room for newer ones on a full port, by port, since the start. */
  /** null: there is no port for it. */
  readonly webSocket: {
    readonly upgraded: number;
    readonly refused: number;
    readonly abandoned: number;
    /** Clients that are connected. */
    readonly open: number;
  } | null;
  readonly crowdedOut: Readonly<Record<CrowdedPort, number>>;
  readonly clients: ClientsLook;
  readonly accounts: readonly AccountLook[];
  /** null without a cluster. */
  readonly cluster: ClusterLook | null;
  /** null: the server keeps no streams. */
  readonly jetStream: JetStreamLook | null;
  readonly discovery: readonly DiscoveryLook[];
  readonly certificates: readonly CertificateLook[];
  readonly openFiles: OpenFiles;
}

interface ReadinessLook {
  readonly isReady: boolean;
  /** One of a few fixed words; empty while the server is ready. */
  readonly reasons: readonly string[];
}

interface ConfigLook {
  /** "" without a file. */
  readonly digest: string;
  readonly loadedMs: number;
  /** Reloads since the start. */
  readonly succeeded: number;
  readonly refused: number;
  /** The failure of the last reload; null if it succeeded or there was none. */
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

/** Those of TLS are counted until the handshake is done. */
type CrowdedPort = "client" | "clientTls" | "route" | "routeTls" | "webSocketTls" | "monitor";

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
  /** Traffic of the open connections. */
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
  /** What people call it. */
  readonly tag: string;
  /** Of clients. */
  readonly connections: number;
  readonly leafNodes: number;
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
  /** The last period that has ended. null: none. */
  readonly completionMs: number | null;
  readonly incompleteMs: number;
  readonly changes: ReadonlyMap<string, number>;
  readonly dials: ReadonlyMap<string, number>;
}

/** What the scrub of the store has read and found. */
export interface ScrubLook {
  readonly passes: number;
  readonly bytes: number;
  readonly damaged: number;
  readonly mended: number;
  /** Progress of the present pass: 0 to 1. */
  readonly progress: number;
  /** Milliseconds since the epoch; 0: no pass has ended. */
  readonly finishedMs: number;
}

export interface JetStreamLook {
  readonly domain: string;
  readonly maxMemoryBytes: number;
  /** -1: no limit. */
  readonly maxStorageBytes: number;
  /** Bytes. */
  readonly storageLeft: number;
  readonly totals: {
    readonly streams: number;
    readonly consumers: number;
    readonly messages: number;
    readonly bytes: number;
  };
  /** To the API, since the start. */
  readonly requests: number;
  readonly errors: number;
  readonly syncs: {
    readonly syncs: number;
    readonly slow: number;
    readonly failed: number;
    readonly ms: number;
  };
  /** null: it is off. */
  readonly scrub: ScrubLook | null;
  readonly accounts: readonly JetStreamAccountLook[];
  /** The first of them, as of consumers. */
  readonly streams: readonly StreamLook[];
  readonly consumers: readonly ConsumerLook[];
  /** Of these streams. */
  readonly origins: readonly OriginLook[];
  readonly damaged: readonly {
    readonly account: string;
    readonly name: string;
    readonly lost: number;
    /** On the disk, as far as they are known. */
    readonly lostBytes: number;
  }[];
  /** They take no messages. */
  readonly refusing: readonly { readonly account: string; readonly name: string }[];
  /** null: there is no cluster, or its group has not begun. */
  readonly meta: MetaLook | null;
  /** Groups that this server belongs to. */
  readonly groups: number;
  /** Streams and consumers that are not current here, and what copies that catch up lack. */
  readonly notCurrent: { readonly count: number; readonly behind: number } | null;
  /** Consumers that have messages and deliver none, by reason. */
  readonly idle: ReadonlyMap<string, number>;
  /** How many are in none of the lists. */
  readonly leftOut: { readonly streams: number; readonly consumers: number };
}

/** Where a stream takes messages from. */
export interface OriginLook {
  readonly kind: "mirror" | "source";
  readonly account: string;
  readonly stream: string;
  readonly streamLeader: string;
  readonly streamGroup: string;
  readonly name: string;
  /** "": it is in the same account. */
  readonly apiPrefix: string;
  readonly deliverPrefix: string;
  /** Messages that it is ahead. */
  readonly lag: number;
  /** Since it was heard; -1: never. */
  readonly activeNs: number;
}

/** The group of all servers with JetStream. */
interface MetaLook {
  /** The name of the cluster. */
  readonly name: string;
  /** "": nobody leads it. */
  readonly leader: string;
  readonly leads: boolean;
  readonly size: number;
  readonly pending: number;
}

/** Limits: -1 is none. */
export interface JetStreamAccountLook {
  /** Since the start. */
  readonly deadLetters: {
    readonly exhausted: number;
    readonly terminated: number;
    readonly refused: number;
  };
  /** Since the start. */
  readonly stuckConsumers: number;
  readonly name: string;
  readonly maxMemoryBytes: number;
  readonly maxStorageBytes: number;
  readonly storageBytes: number;
  readonly memoryBytes: number;
  /** Folders. */
  readonly putAside: number;
}

export interface StreamLook {
  readonly account: string;
  readonly name: string;
  /** Name of the server that leads it; "": nobody does. */
  readonly leader: string;
  /** "": one server keeps it. */
  readonly group: string;
  readonly messages: number;
  readonly bytes: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly consumers: number;
  readonly subjects: number;
  /** -1: no limit. */
  readonly maxMessages: number;
  readonly maxBytes: number;
}

export interface ConsumerLook {
  readonly account: string;
  readonly stream: string;
  readonly streamLeader: string;
  readonly streamGroup: string;
  readonly name: string;
  /** Name of the server that leads it; "": nobody does. */
  readonly leader: string;
  readonly description: string;
  /** Deliveries, and the sequence of the last message that was delivered. */
  readonly delivered: number;
  readonly deliveredStream: number;
  /** null: never. */
  readonly deliveredAgoSeconds: number | null;
  readonly ackedAgoSeconds: number | null;
  readonly floor: number;
  readonly floorStream: number;
  readonly ackPending: number;
  readonly redelivered: number;
  readonly waiting: number;
  readonly pending: number;
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
