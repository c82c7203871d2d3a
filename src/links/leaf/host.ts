/** What a leaf session needs of the server around it; `ports/leaf` hands it in. */
import type { Authenticator } from "../../auth/authenticator.ts";
import type { ConnectionType } from "../../base/connection-type.ts";
import type { Live } from "../../base/live.ts";
import type { Accounts } from "../../core/accounts.ts";
import type { LeafInfo, WireRules } from "../../protocol/leaf-info.ts";
import type { CompressionTerms } from "../trunk/compression.ts";
import type { ConnectionHost } from "../trunk/host.ts";
import type { LeafFeeds } from "./feed.ts";

export interface LeafLimits {
  readonly maxControlLineBytes: number;
  readonly maxPayloadBytes: number;
  readonly maxPendingBytes: number;
  readonly writeDeadlineMs: number;
  readonly pingIntervalMs: number;
  readonly pingMax: number;
  readonly authTimeoutMs: number;
  /** Per connection; null: no limit. */
  readonly maxSubscriptions: number | null;
}

/** What this server tells its peers about itself. */
export interface LeafFacts {
  readonly serverId: string;
  readonly serverName: string;
  /** The cluster; outside of a cluster, the name of the server. */
  readonly cluster: string;
  /** The JetStream domain; "": none. */
  readonly domain: string;
  readonly hasJetStream: boolean;
  readonly takesHeaders: boolean;
}

/** What this server says in answer to CONNECT. */
interface LeafAdmission {
  readonly account: string;
  readonly import: WireRules | null;
  readonly export: WireRules | null;
}

/** A configured connection to another server. */
export interface LeafRemote {
  /** Local account. */
  readonly account: string;
  /** This server is the hub. */
  readonly isHub: boolean;
  /** Subjects as byte strings. */
  readonly denyImports: readonly string[];
  readonly denyExports: readonly string[];
  /** The peer is not told of the interest of other leaf nodes; `asksForIsolation`: it is asked to do the same. */
  readonly isIsolated: boolean;
  readonly asksForIsolation: boolean;
  readonly compression: CompressionTerms;
  /** The CONNECT line in answer to this INFO. Throws if credentials cannot be read. */
  connectLine(info: LeafInfo, compression: string): string;
}

export interface LeafHost extends ConnectionHost {
  readonly accounts: Accounts;
  readonly authenticator: Authenticator;
  /** For one peer to sign. */
  newNonce(): string;
  readonly limits: Live<LeafLimits>;
  readonly feeds: LeafFeeds;
  /** Accepted connections are not told of the interest of other leaf nodes. */
  isIsolated(): boolean;
  /** Oldest version of nats-server that may connect; "": any. */
  versionMin(): string;
  facts(): LeafFacts;
  /** Whether requests to JetStream in this account cross leaf connections as they are: by default they do not. */
  sharesJetStream(account: string): boolean;
  /** Of accepted connections. */
  compression(): CompressionTerms;
  /** The INFO line, with CRLF; `admission`: in answer to CONNECT; `compression` "": not told. */
  infoLine(
    leaf: { readonly lid: number; readonly nonce: string },
    admission: LeafAdmission | null,
    compression: string,
  ): string;
  /** The kind of this connection: users may be restricted to some kinds. */
  connectionType(lid: number): ConnectionType;
  /** Whether an account is there; with an operator it may have to be looked up. The promise is never rejected. */
  hasAccount(name: string): boolean | Promise<boolean>;
  /** The time of an account is over, or it was deleted. */
  isAccountOver(name: string): boolean;
  /** Credentials were refused; the connection is about to end. */
  onRefused(): void;
  /** Messages and interest cross from now on. */
  onOpen(lid: number): void;
  /** A dialled peer has announced its other addresses. */
  onAddresses(lid: number, info: LeafInfo): void;
  onClosed(lid: number): void;
}
