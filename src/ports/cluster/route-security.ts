/** By what servers know each other: the names that certificates of dialled ones may have, and what is asked of diallers. */
import { isIP, type Socket } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { alternativeNames, mappedUser } from "../../auth/certificate.ts";
import { equalSecrets } from "../../auth/authenticator.ts";
import type { Logger } from "../../base/logger.ts";
import type { PeerAddress } from "../../cluster/mesh-types.ts";
import type { ConnectVerdict } from "../../links/route/host.ts";
import type { RouteConnect } from "../../protocol/route-info.ts";
import type { OpenWires } from "../../transport/open-wires.ts";
import { tcpWire } from "../../transport/tcp.ts";
import { Handshakes, TlsWire, type TlsTerms } from "../../transport/tls.ts";
import type { Security, Wire } from "../../transport/wire.ts";
import type { CertificateRule } from "./cluster-port-options.ts";
import type { Credentials, DialTarget } from "./peer-discovery.ts";

interface Named {
  readonly host: string;
}

interface RouteSecurityOptions {
  /** What secures routes from now on; null: they are in the open. */
  tls(): TlsTerms | null;
  readonly credentials: Credentials | null;
  readonly certificateRule: CertificateRule | null;
  readonly routes: readonly Named[];
  readonly logger: Logger;
}

export class RouteSecurity {
  private readonly handshakes = new Handshakes();
  private readonly options: RouteSecurityOptions;
  private readonly wires: OpenWires;

  constructor(options: RouteSecurityOptions, wires: OpenWires) {
    this.options = options;
    this.wires = wires;
  }

  /** A server has connected: hands on its wire once it is secured. */
  welcome(socket: Socket, onWire: (wire: Wire) => void): void {
    const terms = this.options.tls();
    if (terms === null) return onWire(tcpWire(socket, this.wires));
    const wire = new TlsWire(socket, this.wires, terms, this.handshakes);
    const peer = `${wire.remote.address}:${wire.remote.port}`;
    wire.accept({
      sayHello: () => undefined,
      onOpen: () => onWire(wire),
      onThrottled: () => undefined,
      onFailed: ({ text }) => this.options.logger.error(`TLS route handshake error: ${text}`, { peer }),
    });
  }

  forDials(): { readonly terms: TlsTerms; readonly handshakes: Handshakes } | null {
    const terms = this.options.tls();
    return terms === null ? null : { terms, handshakes: this.handshakes };
  }

  /**
   * Where an address came by gossip, certificates seldom have it: then the name of a configured route counts as well, as in
   * nats-server. A source of addresses may say which name is meant.
   */
  namesOf(address: PeerAddress): string[] {
    const { host, verifyName } = address as DialTarget;
    const stated = verifyName === undefined ? [] : [verifyName];
    if (isIP(host) === 0) return [...stated, host];
    const seeds = this.options.routes.map((route) => route.host).filter((name) => isIP(name) === 0);
    return [...new Set([...stated, ...seeds, host])];
  }

  /**
   * Whether a server that was dialled may be told, and may tell others of, what the cluster's own credentials open: there are none, it
   * was presented them because the configuration says so, or its certificate was verified.
   */
  isTrusted(security: Security | null, presented: Credentials | null): boolean {
    const own = this.options.credentials;
    if (own === null || isDeepStrictEqual(own, presented)) return true;
    return security !== null && this.options.tls()?.isInsecure === false;
  }

  /** null: the server that dials may go on. */
  refusalOf(connect: RouteConnect, security: Security | null): ConnectVerdict | null {
    const { credentials, certificateRule } = this.options;
    if (certificateRule !== null) {
      return isNamed(security, this.options, certificateRule) ? null : refused("by its certificate");
    }
    if (credentials === null) return null;
    const isRight =
      equalSecrets(connect.user, credentials.user) && equalSecrets(connect.pass, credentials.pass);
    if (isRight) return null;
    return refused(connect.user === "" ? "no credentials" : `User ${JSON.stringify(connect.user)}`);
  }
}

/** Any one of the two ways that are configured suffices, as in nats-server. */
function isNamed(security: Security | null, admission: RouteSecurityOptions, rule: CertificateRule): boolean {
  const certificate = security?.certificate;
  if (certificate === undefined) return false;
  const known = admission.routes.map(({ host }) => host.toLowerCase());
  const { dnsNames } = alternativeNames(certificate);
  if (rule.checksKnownUrls && dnsNames.some((name) => known.some((host) => isFor(name, host)))) return true;
  const user = admission.credentials?.user ?? "";
  if (!rule.mapsToUser) return false;
  return (
    mappedUser(
      certificate,
      (name) => (name === user ? name : undefined),
      () => [],
    ) !== undefined
  );
}

/** A wildcard stands for the first label alone. */
function isFor(pattern: string, host: string): boolean {
  const labels = host.split(".");
  const wanted = pattern.toLowerCase().split(".");
  return (
    labels.length === wanted.length && wanted.every((one, i) => one === labels[i] || (i === 0 && one === "*"))
  );
}

function refused(detail: string): ConnectVerdict {
  return { text: "Authorization Violation", reason: "Authentication Failure", detail };
}
