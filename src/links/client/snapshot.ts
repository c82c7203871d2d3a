/** The state of a client's connection at one moment, as plain values. */
import type { Subscription } from "../../core/subscription.ts";
import type { Security } from "../../transport/wire.ts";
import type { ClientSession } from "./session.ts";

export interface ClientSnapshot {
  readonly cid: number;
  readonly clientType: "nats" | "websocket";
  readonly address: string;
  readonly port: number;
  readonly startedMs: number;
  readonly lastActivityMs: number;
  /** 0: not known yet. */
  readonly roundTripMs: number;
  readonly pendingBytes: number;
  readonly inMessages: number;
  readonly outMessages: number;
  readonly inBytes: number;
  readonly outBytes: number;
  readonly stalls: number;
  readonly subscriptions: number;
  readonly name: string;
  readonly lang: string;
  readonly version: string;
  /** "" where clients need no credentials. */
  readonly user: string;
  readonly account: string;
  /** Public nkey of the trusted proxy that it came through; "": none. */
  readonly proxyKey: string;
  /** null: plaintext. */
  readonly tls: Pick<Security, "version" | "cipherSuite" | "isFirst"> | null;
  /** "" while it is open. */
  readonly closedFor: string;
}

export interface CertificateSnapshot {
  readonly subject: string;
  /** Digests of the public key and of the whole, in lower case hexadecimal. */
  readonly keySha256: string;
  readonly sha256: string;
}

export type SubscriptionSnapshot = Pick<Subscription, "subject" | "queue" | "sid" | "delivered" | "max">;

export function clientSnapshot(session: ClientSession): ClientSnapshot {
  const { wire, hello } = session;
  return {
    cid: session.cid,
    clientType: session.arrival.entrance.clientType,
    address: wire.remote.address,
    port: wire.remote.port,
    startedMs: session.startedMs,
    lastActivityMs: session.lastActivityMs,
    roundTripMs: session.heartbeat.roundTripMs,
    pendingBytes: session.outbox.pendingBytes,
    inMessages: session.inMessages,
    outMessages: session.outMessages,
    inBytes: session.inBytes,
    outBytes: session.outBytes,
    stalls: session.stalls,
    subscriptions: session.subscriptions.size,
    name: hello.name,
    lang: hello.lang,
    version: hello.version,
    user: session.user,
    account: session.account.name,
    proxyKey: session.proxyKey,
    tls: agreedTls(wire.security),
    closedFor: session.closedFor,
  };
}

/** Without the certificate, which is large. */
function agreedTls(security: Security | null): ClientSnapshot["tls"] {
  if (security === null) return null;
  const { version, cipherSuite, isFirst } = security;
  return { version, cipherSuite, isFirst };
}
