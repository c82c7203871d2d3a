/**
 * What a configuration amounts to: every option with its value, defaults filled in, in slices that the rooms of the
 * server receive. Durations are in milliseconds, sizes in bytes; `null` means "none" or "no limit", as each field says.
 *
 * Invariant: two levels deep, section and field; schema.ts has one row or more for every field.
 */
import type { ConnectionType } from "../base/connection-type.ts";
import type { AccountJetStream, JetStreamConfig } from "./jetstream.ts";

export interface Config {
  readonly server: ServerConfig;
  readonly client: ClientConfig;
  readonly authorization: AuthorizationConfig;
  readonly accounts: AccountsConfig;
  readonly log: LogConfig;
  readonly monitor: MonitorConfig;
  readonly metrics: MetricsConfig;
  readonly cluster: ClusterConfig;
  readonly jetStream: JetStreamConfig;
}

interface ServerConfig {
  /** null: that of the pod or container, else the server's id. */
  readonly name: string | null;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly pidFile: string | null;
  readonly portsFileDir: string | null;
  /** Whether a change of the files of the configuration reloads it. */
  readonly watchFiles: WatchMode;
  readonly lameDuckDurationMs: number;
  readonly lameDuckGracePeriodMs: number;
  readonly maxClosedClients: number;
  /** The first of this many failed dials of a route is logged, then every that-many-th. */
  readonly connectErrorReports: number;
  readonly reconnectErrorReports: number;
}

/** `auto`: where Kubernetes has mounted them. */
type WatchMode = "auto" | "always" | "never";

interface ClientConfig {
  readonly host: string;
  /** 0: the system picks a free port (-1 in a configuration). */
  readonly port: number;
  readonly advertise: Address | null;
  /** Of the second listener, for clients outside. null: as the first. */
  readonly externalHost: string | null;
  /** null: there is none; 0: the system picks a free port. */
  readonly externalPort: number | null;
  /** null: clients outside are told of no address here. */
  readonly externalAdvertise: Address | null;
  /** null: no limit. */
  readonly maxConnections: number | null;
  /** Per connection. null: no limit. */
  readonly maxSubscriptions: number | null;
  /** null: no limit. */
  readonly maxSubscriptionTokens: number | null;
  readonly maxPayloadBytes: number;
  readonly maxPendingBytes: number;
  readonly maxControlLineBytes: number;
  readonly writeDeadlineMs: number;
  readonly pingIntervalMs: number;
  readonly pingMax: number;
  /** Messages have no headers. */
  readonly noHeaders: boolean;
  /** Clients that send are not made to wait for those that receive. */
  readonly noProducerStall: boolean;
  /** null: clients connect in the open. */
  readonly tls: TlsConfig | null;
  /** With TLS, clients may do without. */
  readonly allowNonTls: boolean;
}

/** One `tls` block; ciphers and curves as OpenSSL names them. */
/** Whether who connects has to present a certificate; "optional": one that is presented is verified. */
export type ClientVerification = "none" | "optional" | "required";

export interface TlsConfig {
  /** None: TLS ends at a proxy, and clients come in the open; only where they may (`allow_non_tls`). */
  readonly certificates: readonly { readonly certFile: string; readonly keyFile: string }[];
  /** null: those that the system trusts. */
  readonly caFile: string | null;
  readonly verify: ClientVerification;
  /** The certificate says which user it is. */
  readonly map: boolean;
  /** Of routes: a name in the certificate has to be one of the configured routes. */
  readonly checksKnownUrls: boolean;
  /** Certificates of servers that are dialled are not verified. */
  readonly insecure: boolean;
  readonly ciphers: string;
  readonly curves: string;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** SHA-256 of the public keys that are let in, in lower case hexadecimal. null: all. */
  readonly pinnedKeys: readonly string[] | null;
  readonly timeoutMs: number;
  /** TLS begins at once, before INFO. */
  readonly handshakeFirst: boolean;
  /** Who is silent for this long gets INFO in the open. null: nobody does. */
  readonly fallbackMs: number | null;
  /** null: no limit. */
  readonly connectionsPerSecondMax: number | null;
}

export interface MappingConfig {
  readonly source: string;
  readonly destinations: readonly {
    readonly subject: string;
    /** From 0 to 100. */
    readonly weight: number;
    /** null: all. */
    readonly cluster: string | null;
  }[];
}

interface AuthorizationConfig {
  readonly user: string | null;
  /** Plain, or a bcrypt hash ("$2a$…"). */
  readonly password: string | null;
  readonly token: string | null;
  readonly users: readonly User[];
  /** A directory with a file for each user that holds the password. */
  readonly usersDir: string | null;
  /** For users without permissions of their own. */
  readonly defaultPermissions: UserPermissions | null;
  readonly timeoutMs: number;
  /** The single user and holders of the token have to come through a trusted proxy. */
  readonly needsProxy: boolean;
  /** Public nkeys of trusted proxies. */
  readonly proxies: readonly string[];
  /** The user that a client without credentials becomes. */
  readonly noAuthUser: string | null;
  /** null: the configuration alone decides. */
  readonly callout: CalloutConfig | null;
}

/** A service decides who may connect. */
export interface CalloutConfig {
  /** Public nkey of the account that signs answers. */
  readonly issuer: string;
  readonly account: string;
  /** Names or public nkeys of those who are not asked about. */
  readonly authUsers: readonly string[];
  /** Public curve key; null: nothing is encrypted. */
  readonly xkey: string | null;
  /** Accounts whose configured users are asked about; empty: all. */
  readonly allowedAccounts: readonly string[];
}

export interface User {
  /** A name, or a public nkey. */
  readonly user: string;
  /** Plain or a bcrypt hash; null: has an nkey. */
  readonly password: string | null;
  /** null or left out: the default permissions. */
  readonly permissions?: UserPermissions | null;
  /** Empty or left out: all. */
  readonly connectionTypes?: readonly ConnectionType[];
  /** Has to come through a trusted proxy. */
  readonly needsProxy?: boolean;
}

export interface UserPermissions {
  /** null: everything. */
  readonly publish: SubjectRules | null;
  /** null: everything. A queue group stands behind its subject and a blank. */
  readonly subscribe: SubjectRules | null;
  /** Answers to what was received, besides `publish`. */
  readonly responses: ResponseRules | null;
}

export interface ResponseRules {
  /** Answers to each request; below 0: any number. */
  readonly max: number;
  /** Below 0: never. */
  readonly expiresMs: number;
}

interface AccountsConfig {
  /** Of the global account. */
  readonly mappings: readonly MappingConfig[];
  readonly list: readonly AccountConfig[];
  /** null: `$SYS`. */
  readonly system: string | null;
  readonly noSystem: boolean;
}

export interface AccountConfig {
  readonly name: string;
  readonly users: readonly User[];
  readonly limits: AccountLimits;
  readonly exports: readonly AccountExport[];
  readonly imports: readonly AccountImport[];
  readonly mappings: readonly MappingConfig[];
  /** null: the account does not use JetStream. */
  readonly jetStream: AccountJetStream | null;
  /** null: messages with a `traceparent` alone are not traced. */
  readonly trace: AccountTrace | null;
}

/** Where traces of messages with a `traceparent` go, and for how many of a hundred. */
export interface AccountTrace {
  readonly destination: string;
  readonly sampling: number;
}

/** How many messages answer a request. */
export type ResponseType = "singleton" | "stream" | "chunked";

export interface LatencyConfig {
  readonly subject: string;
  /** Percent; null: by the headers of requests. */
  readonly sampling: number | null;
}

interface Exported {
  readonly subject: string;
  /** null: all. */
  readonly accounts: readonly string[] | null;
  /** Which token of the subject has to be the importing account, from 1; 0: none. */
  readonly tokenPosition: number;
}

export type AccountExport =
  | ({ readonly kind: "stream" } & Exported)
  | ({
      readonly kind: "service";
      readonly responseType: ResponseType;
      readonly responseThresholdMs: number;
      readonly latency: LatencyConfig | null;
      readonly allowTrace: boolean;
    } & Exported);

interface Imported {
  readonly account: string;
  /** There. */
  readonly subject: string;
  /** Here. */
  readonly to: string;
}

export type AccountImport =
  | ({ readonly kind: "stream"; readonly allowTrace: boolean } & Imported)
  | ({ readonly kind: "service"; readonly share: boolean } & Imported);

/** null: no limit. */
export interface AccountLimits {
  readonly maxConnections: number | null;
  /** Per connection. */
  readonly maxSubscriptions: number | null;
  readonly maxPayloadBytes: number | null;
}

interface LogConfig {
  readonly debug: boolean;
  readonly trace: boolean;
  /** Trace the system account too. */
  readonly traceVerbose: boolean;
  /** Trace headers only, not what follows them. */
  readonly traceHeaders: boolean;
  /** Longest printed part of a traced message. null: no limit. */
  readonly maxTracedMsgBytes: number | null;
  readonly time: boolean;
  readonly timeUtc: boolean;
  readonly format: LogFormat;
  /** null: standard error. */
  readonly file: string | null;
  /** Without a file, to a syslog server: to `remoteSyslog`, or to this machine's by UDP. */
  readonly syslog: boolean;
  /** udp://host:port or tcp://host:port. Without a file, lines go there. null: nowhere, unless `syslog`. */
  readonly remoteSyslog: string | null;
  /** The file is rotated at this size. null: never. */
  readonly fileSizeMaxBytes: number | null;
  /** Rotated files kept. null: all. */
  readonly filesMax: number | null;
}

type LogFormat = "auto" | "json" | "classic";

interface MonitorConfig {
  readonly host: string;
  /** null: off; 0: the system picks a free port. */
  readonly port: number | null;
  /** null: off; 0: the system picks a free port. With TLS, by the certificate of the clients' port. */
  readonly httpsPort: number | null;
  readonly basePath: string;
  /** What requests have to present, but for those of probes: as "Basic", or as "Bearer". null: nothing. */
  readonly user: string | null;
  readonly password: string | null;
  readonly token: string | null;
}

interface MetricsConfig {
  readonly host: string;
  /** Of their own. null: only on the monitoring port; 0: the system picks a free port. */
  readonly port: number | null;
  readonly path: string;
  /** Of their names, without the "_" behind it. */
  readonly prefix: string;
}

interface ClusterConfig {
  /** null: one is made up. */
  readonly name: string | null;
  readonly host: string;
  /** null: no cluster; 0: the system picks a free port. */
  readonly port: number | null;
  readonly user: string | null;
  readonly password: string | null;
  readonly authTimeoutMs: number;
  readonly routes: readonly RouteUrl[];
  /** How often the names in `routes` are looked up. */
  readonly discoveryIntervalMs: number;
  readonly advertise: Address | null;
  readonly noAdvertise: boolean;
  readonly readinessWaitMs: number;
  readonly rebalances: boolean;
  /** Clients a second, at most. */
  readonly rebalanceRate: number;
  /** Percent over the mean. */
  readonly rebalanceTolerance: number;
  readonly rebalanceIntervalMs: number;
  readonly rebalanceCalmMs: number;
  readonly connectRetries: number;
  readonly connectBackoff: boolean;
  readonly permissions: RoutePermissions | null;
  /** -1: no pool, one connection as before nats-server 2.10. */
  readonly poolSize: number;
  /** Accounts with a connection of their own. */
  readonly accounts: readonly string[];
  readonly compression: Compression;
  readonly pingIntervalMs: number;
  readonly pingMax: number;
  readonly writeDeadlineMs: number;
  /** The service whose EndpointSlices show the other servers. null: Kubernetes is not asked. */
  readonly kubernetesService: string | null;
  /** null: the one that the server runs in. */
  readonly kubernetesNamespace: string | null;
  readonly kubernetesPortName: string;
  /** null: not known. */
  readonly zone: string | null;
  readonly queuePreference: QueuePreference;
  /** null: routes are in the open. */
  readonly tls: TlsConfig | null;
}

/** Whose members of a queue group come first: those here, those here and then in the same zone, or nobody's. */
type QueuePreference = "server" | "zone" | "none";

export interface Address {
  readonly host: string;
  /** null: the port listened on. */
  readonly port: number | null;
}

export interface RouteUrl {
  readonly host: string;
  /** null: whatever the SRV records say. */
  readonly port: number | null;
  /** Absent: a name in `host` is looked up for its addresses. */
  readonly records?: "srv";
  readonly user: string | null;
  readonly password: string | null;
}

export interface RoutePermissions {
  /** Subjects asked for from other servers. null: all. */
  readonly import: SubjectRules | null;
  /** Subjects given to other servers. null: all. */
  readonly export: SubjectRules | null;
}

export interface SubjectRules {
  /** null: all. */
  readonly allow: readonly string[] | null;
  readonly deny: readonly string[];
}

export interface Compression {
  readonly mode: CompressionMode;
  /** For s2_auto: the round-trip times at which the next stronger level begins. */
  readonly rttThresholdsMs: readonly number[];
}

export type CompressionMode =
  "not supported" | "off" | "accept" | "s2_auto" | "s2_fast" | "s2_better" | "s2_best";

/** "section.field" of every field. */
export type Field = {
  [S in keyof Config]: `${S}.${keyof Config[S] & string}`;
}[keyof Config];

/** The type of one field. */
export type ValueAt<F extends Field> = F extends `${infer S extends keyof Config}.${infer N}`
  ? N extends keyof Config[S]
    ? Config[S][N]
    : never
  : never;

/** Overrides for a program that starts a server itself. */
export type ConfigOverrides = {
  readonly [S in keyof Config]?: { readonly [N in keyof Config[S]]?: Config[S][N] | undefined } | undefined;
};
