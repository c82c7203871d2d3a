/** What monitoring needs of the server; `app` hands it in. Everything is read when it is asked for, nothing is changed. */
import type { AccountInForce } from "../auth/operator/accounts.ts";
import type { LeafSnapshot } from "../links/leaf/snapshot.ts";
import type { MeshSnapshot } from "../cluster/mesh-types.ts";
import type { Accounts } from "../core/accounts.ts";
import type { JetStreamReport } from "../jetstream/report.ts";
import type { ClientCounters } from "../links/client/host.ts";
import type { RoutePermissions } from "../links/route/permissions.ts";
import type { OpenRoute } from "../ports/cluster/cluster-port.ts";
import type { ClosedConnection } from "./closed-connections.ts";
import type { ConnectionHost } from "../links/trunk/host.ts";
import type { Traffic } from "../links/trunk/traffic.ts";
import type { Readiness, StreamsRule } from "../health/readiness.ts";
import type { OpenConnection } from "../ports/client/open-connection.ts";

export interface AccountTraffic extends Readonly<Traffic> {
  readonly slowConsumers: number;
}

/** What does not change while the server listens, but for a reload. */
export interface ServerFacts {
  readonly id: string;
  readonly name: string;
  /** The level of nats-server. */
  readonly version: string;
  /** What runs the server, such as "node v26.1.0". */
  readonly runtime: string;
  readonly startedMs: number;
  readonly host: string;
  readonly port: number;
  readonly isAuthRequired: boolean;
  readonly tls: TlsFacts;
  readonly authTimeoutMs: number;
  /** null: no limit. */
  readonly maxConnections: number | null;
  /** Per connection; null: no limit. */
  readonly maxSubscriptions: number | null;
  readonly maxPayloadBytes: number;
  readonly maxPendingBytes: number;
  readonly maxControlLineBytes: number;
  readonly writeDeadlineMs: number;
  readonly pingIntervalMs: number;
  readonly pingMax: number;
  readonly monitorHost: string;
  readonly monitorPort: number;
  /** The monitoring port speaks HTTPS. */
  readonly isMonitorSecure: boolean;
  /** "/" or "/prefix". */
  readonly basePath: string;
  /** "" without a file. */
  readonly configDigest: string;
  readonly configLoadedMs: number;
  readonly tags: readonly string[];
  /** Public nkeys of trusted proxies. */
  readonly proxies: readonly string[];
  /** Tokens of the operators that sign accounts. */
  readonly operators: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** null: plaintext. */
export type TlsFacts = {
  /** Nobody does without. */
  readonly isRequired: boolean;
  readonly verifies: boolean;
  readonly timeoutMs: number;
  readonly notAfterMs: number | null;
} | null;

export interface ClusterFacts {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly authTimeoutMs: number;
  readonly tls: TlsFacts;
  /** Configured routes, as `host:port`. */
  readonly urls: readonly string[];
  readonly poolSize: number;
  /** null: that of clients. */
  readonly writeDeadlineMs: number | null;
  readonly permissions: RoutePermissions;
}

export interface WebSocketFacts {
  readonly host: string;
  readonly port: number;
  /** "": none. */
  readonly advertise: string;
  readonly noAuthUser: string;
  /** 0: none. */
  readonly handshakeTimeoutMs: number;
  readonly authTimeoutMs: number;
  readonly noTls: boolean;
  readonly mapsCertificates: boolean;
  readonly pinnedKeys: readonly string[];
  readonly sameOrigin: boolean;
  readonly allowedOrigins: readonly string[];
  readonly compression: boolean;
  readonly notAfterMs: number | null;
}

/** What connections carried, also those that are gone. */
interface TrafficSource {
  total(): Traffic;
  ofAccount(account: string): Traffic;
  /** The counts of every account that ever had a connection, in one pass. */
  byAccount(): ReadonlyMap<string, AccountTraffic>;
  slowConsumersOf(account: string): number;
}

/** What happened to this server. */
interface RecentEvent {
  readonly timeMs: number;
  readonly event: string;
  readonly level: string;
  readonly text: string;
  readonly about: string;
  readonly count: number;
}

type Told = Readonly<Record<string, unknown>>;

/** The answer of a member. */
interface ToldBy {
  readonly id: string;
  readonly name: string;
  /** null: it has refused. */
  readonly data: Told | null;
  /** Why; "": it has not. */
  readonly error: string;
}

/** How other members are asked: through the system account. An answer is what they say of themselves, unchecked. */
export interface ClusterView {
  /** All that know this kind: MEMBERZ, VARZ and the like; `expected` of them, or those that answer in time. */
  everybody(kind: string, expected: number): Promise<readonly Told[]>;
  /** The same with options, and who has answered. */
  answers(kind: string, options: object, expected: number): Promise<readonly ToldBy[]>;
  /** What `/accstatz` of `expected` servers tells, or of those that answer in time. */
  accounts(expected: number): Promise<readonly Told[]>;
  /** One server, by its id. null: no answer in time. */
  one(serverId: string, kind: string, options: Told): Promise<Told | null>;
}

/** An open connection of a client. */
export type OpenClient = OpenConnection;

interface ClientsSource {
  connections(): Iterable<OpenConnection>;
  find(cid: number): OpenConnection | undefined;
  /** Open connections. */
  readonly count: number;
  readonly counters: ClientCounters;
  readonly traffic: TrafficSource;
  /** Since the start. */
  readonly totalConnections: number;
}

export interface ClusterSource {
  connections(): Iterable<OpenRoute>;
  readonly counters: Pick<ConnectionHost["counters"], "slowConsumers" | "staleConnections">;
  readonly traffic: TrafficSource;
  /** null: the route port does not listen yet. */
  snapshot(): MeshSnapshot | null;
}

export interface LeafBlockFacts {
  readonly host: string;
  /** 0: none are taken. */
  readonly port: number;
  readonly authTimeoutMs: number;
  readonly tls: TlsFacts;
  readonly writeDeadlineMs: number;
  readonly remotes: readonly {
    readonly account: string;
    /** As `scheme://host:port`, without credentials. */
    readonly urls: readonly string[];
    readonly denyImports: readonly string[];
    readonly denyExports: readonly string[];
    /** null: the usual one. */
    readonly tlsTimeoutMs: number | null;
  }[];
}

interface LeafNodesSource {
  connections(): Iterable<LeafSnapshot>;
  /** Over which messages cross. */
  readonly count: number;
  readonly counters: Pick<ConnectionHost["counters"], "slowConsumers" | "staleConnections">;
  readonly traffic: TrafficSource;
}

/** JetStream of this server. */
export interface JetStreamSource {
  readonly report: JetStreamReport;
  readonly settings: {
    readonly maxMemoryBytes: number;
    /** With what is stored already: the volume may decide, which can grow. */
    readonly maxStorageBytes: (storedBytes: number) => number;
    readonly storeFolder: string;
    /** null: what is acknowledged is on the disk. */
    readonly syncIntervalMs: number | null;
    /** "": none. */
    readonly domain: string;
    readonly isStrict: boolean;
    /** Of clusters; "": none. */
    readonly uniqueTag: string;
  };
  /** Bytes that streams in files can still take. */
  storageLeft(this: void): number;
  /** Groups of streams that would have no majority without this server, while others are missing; the names of some. */
  neededBy(this: void): Promise<{ readonly count: number; readonly some: readonly string[] }>;
  /** Syncs of files to the disk since the start. */
  readonly syncs: {
    readonly syncs: number;
    readonly slow: number;
    readonly failed: number;
    readonly ms: number;
  };
  /** What the scrub has read and found; null: it is off. */
  scrub(this: void): {
    readonly passes: number;
    readonly bytes: number;
    readonly damaged: number;
    readonly mended: number;
    readonly progress: number;
    readonly finishedMs: number;
  } | null;
  readonly shownLimits: ShownLimits;
}

/** Limits of JetStream on the server that were written; null: not written. */
export interface ShownLimits {
  readonly maxRequestBatch: number | null;
  readonly maxAckPending: number | null;
  readonly maxHaAssets: number | null;
  readonly duplicateWindowMs: number | null;
  readonly maxBatchInflightPerStream: number | null;
  readonly maxBatchInflightTotal: number | null;
  readonly maxBatchMessages: number | null;
  readonly maxBatchTimeoutMs: number | null;
  /** 0: no limit. */
  readonly defaultMaxConsumers: number;
}

export interface MonitorSource {
  nowMs(): number;
  /** Why the server takes no clients yet; null: it does. */
  whyNotReady(): string | null;
  /** `expect`: servers that have to be connected, this one included; 0: whatever there is. */
  readiness(expect: number, streamsRule?: StreamsRule): Readiness;
  facts(): ServerFacts;
  /** Where clients can connect, here and elsewhere in the cluster, as `host:port`. */
  connectUrls(): readonly string[];
  /** The same over WebSocket. */
  webSocketUrls(): readonly string[];
  readonly accounts: Accounts;
  /** The account as an operator has signed it; null: none has, or nobody has needed it. */
  signed(account: string): AccountInForce | null;
  /** Tokens of accounts that are kept here, by their names; null: no operator signs accounts. */
  readonly tokens: { kept(account: string): string | null } | null;
  readonly clients: ClientsSource;
  readonly closed: Iterable<ClosedConnection>;
  readonly cluster: ClusterSource | null;
  readonly leafNodes: LeafNodesSource;
  /** null: it takes none, and connects to no hub. */
  leafFacts(): LeafBlockFacts | null;
  /** Hubs to which there should be a connection, and is none; URLs without passwords. */
  unconnectedRemotes(): readonly { readonly account: string; readonly urls: readonly string[] }[];
  /** null: it keeps no streams. */
  jetStream(): JetStreamSource | null;
  /** Whether operators may look at messages of streams. */
  showsMessages(): boolean;
  /** null: it has no port for WebSocket. */
  webSocketFacts(): WebSocketFacts | null;
  /** null without a cluster. */
  clusterFacts(): ClusterFacts | null;
  /** Where this server is; "": not known. */
  zone(): string;
  /** The latest last. */
  recentEvents(): readonly RecentEvent[];
  readonly view: ClusterView;
}
