/** The state of a client's connection at one moment, as plain values. */
import type { Subscription } from "../../core/subscription.ts";
import type { Security } from "../../transport/wire.ts";
import { connectionSnapshot, signedSnapshot, type AdmittedSnapshot } from "../trunk/snapshot.ts";
import type { ClientSession } from "./session.ts";

export interface ClientSnapshot extends AdmittedSnapshot {
  readonly clientType: "nats" | "websocket";
  readonly stalls: number;
  readonly subscriptions: number;
  /** Public nkey of the trusted proxy that it came through; "": none. */
  readonly proxyKey: string;
  /** null: plaintext. */
  readonly tls: Pick<Security, "version" | "cipherSuite" | "isFirst"> | null;
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
    ...connectionSnapshot(session),
    cid: session.cid,
    clientType: session.arrival.entrance.clientType,
    stalls: session.stalls,
    subscriptions: session.subscriptions.size,
    name: hello.name,
    lang: hello.lang,
    version: hello.version,
    user: session.user,
    account: session.account.name,
    accountTag: session.account.nameTag || session.account.name,
    signed: signedSnapshot(session.grant),
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
