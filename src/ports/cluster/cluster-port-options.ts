/** What the port of the other servers is given: its part of the configuration, and the server around it. */
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Accounts } from "../../core/accounts.ts";
import type { CompressionTerms } from "../../links/trunk/compression.ts";
import type { FaultKeeper } from "../../links/trunk/faults.ts";
import type { RouteLimits } from "../../links/route/host.ts";
import type { RoutePermissions } from "../../links/route/permissions.ts";
import type { Turn } from "../../links/trunk/turn.ts";
import type { ServerIdentity } from "../../protocol/info.ts";
import type { S2Wires } from "../../transport/s2-wire.ts";
import type { TlsTerms } from "../../transport/tls.ts";
import type { ClientUrls } from "./member-words.ts";
import type { ConfiguredRoute, RouteCredentials, KubernetesService } from "./peer-discovery.ts";
import type { ClusterEdge } from "./route-network.ts";
import type { QueuePreference } from "./zones.ts";

/** `verify_and_map` and `verify_cert_and_check_known_urls` of the cluster. */
export interface CertificateRule {
  readonly mapsToUser: boolean;
  readonly checksKnownUrls: boolean;
}

/** What a reload can change. */
export interface ClusterSettings {
  readonly noAdvertise: boolean;
  readonly credentials: RouteCredentials | null;
  readonly routes: readonly ConfiguredRoute[];
  readonly discoveryIntervalMs: number;
  readonly permissions: RoutePermissions;
  readonly maxPayloadBytes: number;
  /** Names that the certificate of a dialling server must carry; null: it must present credentials. */
  readonly certificateRule: CertificateRule | null;
  readonly limits: RouteLimits;
  readonly compression: CompressionTerms;
}

export interface ClusterPortOptions {
  readonly identity: ServerIdentity;
  readonly name: string;
  /** The name is made up, and yields to a configured one. */
  readonly isNameDynamic: boolean;
  readonly host: string;
  readonly port: number;
  readonly advertise: { readonly host: string; readonly port: number | null } | null;
  /** Those at the start: see `reconfigure`. */
  readonly settings: ClusterSettings;
  /** How many clients this server has, where the others are to know; else null. */
  toldClients(): number | null;
  /** null: Kubernetes is not asked. */
  readonly kubernetes: KubernetesService | null;
  /** This server keeps streams together with others. */
  readonly keepsStreams: boolean;
  /** 0 or less: no pool. */
  readonly poolSize: number;
  readonly pinnedAccounts: readonly string[];
  readonly connectRetries: number;
  readonly connectBackoff: boolean;
  /** Messages go without headers. */
  readonly noHeaders: boolean;
  readonly authTimeoutMs: number;
  /** "": not known. */
  readonly zone: string;
  readonly queuePreference: QueuePreference;
  /** What secures routes from now on; null: plaintext. */
  tls(): TlsTerms | null;
  readonly accounts: Accounts;
  readonly turn: Turn;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly faults: FaultKeeper;
  readonly s2: S2Wires;
  /** Client URLs of this server, for clients in the cluster and outside. */
  ownConnectUrls(side: keyof ClientUrls): readonly string[];
  /** Numbers for connections, shared with clients. */
  nextConnectionId(): number;
  /** Members have come or gone, or the name of the cluster has changed: clients are told. */
  onMembersChanged(): void;
  /** Connections, sources of addresses, chance, the event loop. */
  readonly edge: ClusterEdge;
}
