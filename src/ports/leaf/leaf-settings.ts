/** What the port for leaf nodes is configured to do. */
import type { LeafLimits } from "../../links/leaf/host.ts";
import type { CompressionTerms } from "../../links/trunk/compression.ts";
import type { LeafTarget, LeafWebSocketTerms } from "./dial.ts";

/** By what this server says who it is. */
export type LeafCredentials =
  | { readonly kind: "none" }
  /** A user of the URL. */
  | { readonly kind: "user"; readonly user: string; readonly pass: string | null }
  /** A file with a user JWT and its seed, read for each connection. */
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "nkey"; readonly seed: string };

export interface LeafAddress extends LeafTarget {
  readonly user: string | null;
  readonly pass: string | null;
}

/** One entry of `remotes`. Subjects are byte strings. */
export interface LeafRemoteSettings {
  readonly addresses: readonly LeafAddress[];
  readonly account: string;
  readonly credentials: LeafCredentials;
  readonly isHub: boolean;
  readonly denyImports: readonly string[];
  readonly denyExports: readonly string[];
  readonly isIsolated: boolean;
  readonly asksForIsolation: boolean;
  readonly keepsOrder: boolean;
  readonly ignoresDiscovered: boolean;
  readonly hasTls: boolean;
  readonly isTlsFirst: boolean;
  /** For each address of a name. */
  readonly dialTimeoutMs: number;
  readonly infoTimeoutMs: number;
  readonly isDisabled: boolean;
  readonly compression: CompressionTerms;
  readonly webSocket: LeafWebSocketTerms;
}

/** What a reload can change. */
export interface LeafSettings {
  readonly limits: LeafLimits;
  readonly isIsolated: boolean;
  readonly versionMin: string;
  /** Accounts whose requests to JetStream cross as they are. */
  readonly sharingJetStream: readonly string[];
  /** Leaf nodes are not told of the other servers. */
  readonly noAdvertise: boolean;
  readonly advertise: { readonly host: string; readonly port: number | null } | null;
  readonly reconnectMs: number;
  /** Of connections that are accepted. */
  readonly compression: CompressionTerms;
  readonly remotes: readonly LeafRemoteSettings[];
}
