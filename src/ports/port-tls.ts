/**
 * The certificates of the server's ports: made from the configuration, read again on request, and watched for the day on which
 * they are no longer valid. Handshakes are in `transport/tls.ts`.
 */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { askedBy } from "../base/option-refused.ts";
import type { Prepared } from "../base/prepared.ts";
import { TlsContext, type CertificateFacts, type TlsFiles } from "../transport/tls-context.ts";
import { HandshakeRate, type ClientTlsTerms, type TlsTerms } from "../transport/tls.ts";

const DAY_MS = 86_400_000;
const WARN_BEFORE_MS = 30 * DAY_MS;
const CHECK_MS = DAY_MS;
/** For TLS with servers that are dialled, where nothing is configured. */
const DIALLED_TIMEOUT_MS = 2000;

export type TlsPort = "client" | "cluster" | "websocket" | "leafnodes" | "resolver";

/** A certificate and the port that shows it. */
export interface ServedCertificate extends CertificateFacts {
  readonly port: TlsPort;
}

/** How a port is secured. */
interface TlsOptions extends Omit<TlsFiles, "verifies"> {
  readonly verify: TlsTerms["verify"];
  /** Certificates of servers that are dialled are not verified. */
  readonly insecure: boolean;
  readonly pinnedKeys: TlsTerms["pinnedKeys"];
  readonly timeoutMs: number;
  /** TLS begins at once, before INFO. */
  readonly handshakeFirst: boolean;
  readonly fallbackMs: number | null;
  /** null: no limit. */
  readonly connectionsPerSecondMax: number | null;
}

export interface PortTlsOptions {
  readonly client: TlsOptions | null;
  readonly cluster: TlsOptions | null;
  readonly websocket: TlsOptions | null;
  /** Absent, like `leafRemotes`: there are none. */
  readonly leafnodes?: TlsOptions | null;
  /** Of hubs that are dialled, one for each; null: TLS where the hub asks for it. */
  readonly leafRemotes?: readonly (TlsOptions | null)[];
  /** For the web server that is asked for accounts; absent or null: with the authorities of the system. */
  readonly resolver?: TlsOptions | null;
  readonly allowsPlain: boolean;
}

export class PortTls implements Disposable {
  client: ClientTlsTerms | null;
  cluster: TlsTerms | null;
  websocket: TlsTerms | null;
  leafnodes: ClientTlsTerms | null;
  leafRemotes: readonly TlsTerms[];
  resolver: TlsTerms;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private timer: Disposable | null = null;

  /** Throws with what is wrong with which file. */
  constructor(config: PortTlsOptions, clock: Clock, logger: Logger) {
    this.clock = clock;
    this.logger = logger;
    this.client = clientTerms(config);
    this.cluster = clusterTerms(config);
    this.websocket = webSocketTerms(config);
    this.leafnodes = leafTerms(config);
    this.leafRemotes = remoteTerms(config);
    this.resolver = dialledTerms(config.resolver ?? null);
  }

  /** Says which certificates expire soon, now and every day. */
  watchExpiry(): void {
    this.warnOfExpiry();
    this.timer = this.clock.setTimer(CHECK_MS, () => this.watchExpiry());
  }

  /** Reads all files again, for the handshakes to come. Throws if something is wrong with one of them. */
  prepare(config: PortTlsOptions): Prepared {
    const client = askedBy("client.tls", () => clientTerms(config));
    const cluster = askedBy("cluster.tls", () => clusterTerms(config));
    const websocket = askedBy("websocket.tls", () => webSocketTerms(config));
    const leafnodes = askedBy("leafnodes.tls", () => leafTerms(config));
    const leafRemotes = askedBy("leafnodes.remotes", () => remoteTerms(config));
    const resolver = askedBy("operator.resolverTls", () => dialledTerms(config.resolver ?? null));
    return {
      apply: () => {
        const before = fingerprint(this.certificates);
        this.client = client;
        this.cluster = cluster;
        this.websocket = websocket;
        this.leafnodes = leafnodes;
        this.leafRemotes = leafRemotes;
        this.resolver = resolver;
        if (fingerprint(this.certificates) === before) return;
        this.logger.info("TLS certificates reloaded", { event: "certificates_reloaded" });
        this.warnOfExpiry();
      },
    };
  }

  get certificates(): readonly ServedCertificate[] {
    const of = (port: TlsPort, terms: TlsTerms | null): ServedCertificate[] =>
      (terms?.context.certificates ?? []).map((facts) => ({ ...facts, port }));
    return [
      ...of("client", this.client),
      ...of("cluster", this.cluster),
      ...of("websocket", this.websocket),
      ...of("leafnodes", this.leafnodes),
      ...this.leafRemotes.flatMap((terms) => of("leafnodes", terms)),
      ...of("resolver", this.resolver),
    ];
  }

  /** Until when the certificate of a port is valid; null without one. */
  notAfterMs(port: TlsPort): number | null {
    return this[port]?.context.certificates[0]?.notAfterMs ?? null;
  }

  [Symbol.dispose](): void {
    this.timer?.[Symbol.dispose]();
    this.timer = null;
  }

  private warnOfExpiry(): void {
    const nowMs = this.clock.nowMs();
    for (const { port, file, subject, notAfterMs } of this.certificates) {
      const leftMs = notAfterMs - nowMs;
      if (leftMs > WARN_BEFORE_MS) continue;
      const fields = { event: "certificate_expiry", port, file, subject, notAfter: shownTime(notAfterMs) };
      if (leftMs <= 0) this.logger.error(`TLS certificate of the ${port} port has expired`, fields);
      else {
        const days = Math.floor(leftMs / DAY_MS);
        this.logger.warn(`TLS certificate of the ${port} port expires in ${days} days`, fields);
      }
    }
  }
}

/** Problems with the files that these blocks name. */
export function tlsFileProblems({
  client,
  cluster,
  websocket,
  leafnodes = null,
  leafRemotes = [],
  resolver = null,
}: Omit<PortTlsOptions, "allowsPlain">): string[] {
  const problemsOf = (read: () => unknown): string[] => {
    try {
      read();
      return [];
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)];
    }
  };
  const config: PortTlsOptions = {
    client,
    cluster,
    websocket,
    leafnodes,
    leafRemotes,
    resolver,
    allowsPlain: true,
  };
  return [
    ...problemsOf(() => clientTerms(config)),
    ...problemsOf(() => clusterTerms(config)),
    ...problemsOf(() => webSocketTerms(config)),
    ...problemsOf(() => leafTerms(config)),
    ...problemsOf(() => remoteTerms(config)),
    ...problemsOf(() => dialledTerms(resolver)),
  ];
}

function clientTerms({ client, allowsPlain }: PortTlsOptions): ClientTlsTerms | null {
  if (client === null) return null;
  const isFirstOnly = client.handshakeFirst && client.fallbackMs === null;
  return {
    ...termsOf(client, client.verify),
    isFirst: client.handshakeFirst,
    fallbackMs: client.fallbackMs,
    // If the handshake comes first, plaintext is impossible, as in nats-server.
    allowsPlain: allowsPlain && !isFirstOnly,
    rate: client.connectionsPerSecondMax === null ? null : new HandshakeRate(client.connectionsPerSecondMax),
  };
}

/** Both servers of a route show a certificate, whatever `verify` says. */
function clusterTerms({ cluster }: PortTlsOptions): TlsTerms | null {
  return cluster === null ? null : termsOf(cluster, "required");
}

/** The handshake comes before the request, whatever `handshake_first` says. */
function webSocketTerms({ websocket }: PortTlsOptions): TlsTerms | null {
  if (websocket === null) return null;
  const { connectionsPerSecondMax: most } = websocket;
  return { ...termsOf(websocket, websocket.verify), rate: most === null ? null : new HandshakeRate(most) };
}

/** Leaf nodes never continue in plaintext where TLS is configured. */
function leafTerms({ leafnodes = null }: PortTlsOptions): ClientTlsTerms | null {
  if (leafnodes === null) return null;
  const { handshakeFirst: isFirst, fallbackMs, connectionsPerSecondMax: most } = leafnodes;
  const rate = most === null ? null : new HandshakeRate(most);
  return { ...termsOf(leafnodes, leafnodes.verify), isFirst, fallbackMs, allowsPlain: false, rate };
}

function remoteTerms({ leafRemotes = [] }: PortTlsOptions): readonly TlsTerms[] {
  return leafRemotes.map(dialledTerms);
}

function dialledTerms(config: TlsOptions | null): TlsTerms {
  return config === null ? usualTerms() : termsOf(config, "required");
}

/** With the authorities of the system, and no certificate of this server's. */
function usualTerms(): TlsTerms {
  const files: TlsFiles = {
    ...{ certificates: [], caFile: null, verifies: true, ciphers: "", curves: "" },
    minVersion: "TLSv1.2",
  };
  const context = new TlsContext(files);
  return { context, verify: "required", isInsecure: false, pinnedKeys: null, timeoutMs: DIALLED_TIMEOUT_MS };
}

function termsOf(config: TlsOptions, verify: TlsTerms["verify"]): TlsTerms {
  const { certificates, caFile, ciphers, curves, minVersion, pinnedKeys, timeoutMs, insecure } = config;
  const verifies = verify !== "none";
  const files: TlsFiles = { certificates, caFile, verifies, ciphers, curves, minVersion };
  return { context: new TlsContext(files), verify, isInsecure: insecure, pinnedKeys, timeoutMs };
}

function fingerprint(certificates: readonly ServedCertificate[]): string {
  return certificates.map(({ port, fingerprint: one }) => `${port} ${one}`).join("\n");
}

function shownTime(ms: number): string {
  return new Date(ms).toISOString();
}
