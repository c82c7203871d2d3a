/** What a client session needs from the server; `app` hands it in. */
import type { Authenticator } from "../../auth/authenticator.ts";
import type { Live } from "../../base/live.ts";
import type { Accounts } from "../../core/accounts.ts";
import type { CloseCounters } from "../../protocol/close-cause.ts";
import type { PeerError } from "../../protocol/errors.ts";
import type { ConnectionHost } from "../trunk/host.ts";
import type { Side } from "./arrival.ts";

export interface ClientLimits {
  readonly maxPayloadBytes: number;
  readonly maxControlLineBytes: number;
  readonly maxPendingBytes: number;
  readonly writeDeadlineMs: number;
  /** Per connection; null: no limit. */
  readonly maxSubscriptions: number | null;
  readonly maxSubscriptionTokens: number | null;
  readonly pingIntervalMs: number;
  readonly pingMax: number;
  readonly authTimeoutMs: number;
  /** Clients have to do without headers. */
  readonly noHeaders: boolean;
  /** Publishers do not wait for a slow reader, which loses messages instead. */
  readonly dropsForSlow: boolean;
}

export interface InfoContext {
  readonly side: Side;
  /** Clients that come by its entrance have to say who they are. */
  readonly needsCredentials: boolean;
  readonly cid: number;
  readonly clientAddress: string;
  readonly maxPayloadBytes: number;
  /** For the client to sign; in its first INFO alone. */
  readonly nonce?: string;
  /** The connection began with TLS. */
  readonly isTlsFirst: boolean;
  /** The client is to move to one of these, by the listener that it came by; absent: it may stay. */
  readonly moveTo?: Readonly<Record<Side, readonly string[]>> | undefined;
  /** The name of the account once the client has said who it is. */
  readonly account?: string;
}

/** Counters of the server that outlive connections. */
export interface ClientCounters extends CloseCounters {
  authFailures: number;
  /** Connections whose TLS handshake failed. */
  tlsFailures: number;
  /** Publishers that were made to wait for a reader. */
  stalls: number;
}

/** `Session`: what the host is told of; a session itself does not care. */
export interface ClientHost<Session = unknown> extends ConnectionHost {
  readonly accounts: Accounts;
  readonly authenticator: Authenticator;
  readonly limits: Live<ClientLimits>;
  readonly counters: ClientCounters;
  /** The INFO line, with CRLF. */
  info(context: InfoContext): string;
  /** The server and its cluster, as other accounts are told of them. */
  serverDetails(): Readonly<Record<string, string>>;
  /** At each CONNECT that is accepted. */
  onAdmitted(session: Session): void;
  /** The credentials were refused; the connection is about to end. */
  onRefused(session: Session, error: PeerError): void;
  onClosed(session: Session): void;
}
