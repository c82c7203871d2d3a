/**
 * An open connection of a client as monitoring and operators see it: the names by which it is chosen, the rest as snapshots, which are
 * made when they are asked for, and what an operator may do to it. Nobody beyond `links` and `ports` sees the session.
 */
import type { X509Certificate } from "node:crypto";
import { printedSubject } from "../../auth/methods/certificate.ts";
import type { InfoContext } from "../../links/client/host.ts";
import type { ClientSession } from "../../links/client/session.ts";
import {
  clientSnapshot,
  type CertificateSnapshot,
  type ClientSnapshot,
  type SubscriptionSnapshot,
} from "../../links/client/snapshot.ts";
import type { CloseCause } from "../../protocol/close-cause.ts";
import { keyDigest } from "../../transport/tls-verify.ts";

/** Certificates of one client that are shown; the rest is left out. */
const CHAIN_MAX = 10;

export class OpenConnection {
  readonly stoppedMs = null;
  private readonly session: ClientSession;

  constructor(session: ClientSession) {
    this.session = session;
  }

  get cid(): number {
    return this.session.cid;
  }

  get user(): string {
    return this.session.user;
  }

  get account(): string {
    return this.session.account.name;
  }

  /** What people call the account. */
  get accountTag(): string {
    const { account } = this.session;
    return account.nameTag || account.name;
  }

  /** Whether INFO may come at any time. */
  get takesInfo(): boolean {
    return this.session.introduction.takesInfo;
  }

  /** Sends INFO, with the addresses to which the client should move. */
  sendInfo(moveTo: InfoContext["moveTo"]): void {
    this.session.introduction.sendInfo(moveTo);
  }

  close(cause: CloseCause): void {
    this.session.close(cause);
  }

  snapshot(): ClientSnapshot {
    return clientSnapshot(this.session);
  }

  get subscriptions(): { readonly count: number; all(): Iterable<SubscriptionSnapshot> } {
    const { subscriptions } = this.session;
    return { count: subscriptions.size, all: () => subscriptions.values() };
  }

  /** The client's own, then those that it sent along. */
  certificates(): readonly CertificateSnapshot[] {
    const chain: CertificateSnapshot[] = [];
    let next = this.session.wire.security?.certificate;
    for (; next !== undefined && chain.length < CHAIN_MAX; next = next.issuerCertificate)
      chain.push(certificateSnapshot(next));
    return chain;
  }
}

function certificateSnapshot(certificate: X509Certificate): CertificateSnapshot {
  return {
    subject: printedSubject(certificate),
    keySha256: keyDigest(certificate.publicKey),
    sha256: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
  };
}
