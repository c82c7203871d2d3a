/** Which servers may join: judges the CONNECT of those that dial, and what those that were dialled may be told. */
import { isDeepStrictEqual } from "node:util";
import { alternativeNames, mappedUser } from "../../auth/methods/certificate.ts";
import { equalSecrets } from "../../base/equal-secrets.ts";
import type { Live } from "../../base/live.ts";
import type { ConnectVerdict } from "../../links/route/host.ts";
import { readRouteConnect, type RouteConnect } from "../../protocol/route-info.ts";
import type { TlsTerms } from "../../transport/tls.ts";
import type { Endpoint, Security } from "../../transport/wire.ts";
import type { CertificateRule, ClusterSettings } from "./cluster-port-options.ts";
import type { RouteCredentials } from "./peer-discovery.ts";

/** The name of a cluster, as one of its servers says it in CONNECT. */
interface ClusterNameSaid {
  readonly peerId: string;
  readonly cluster: string;
  readonly clusterDynamic: boolean;
}

export interface AdmissionHost {
  /** What secures routes from now on; null: plaintext. */
  tls(): TlsTerms | null;
  readonly clusterName: () => string;
  /** A dialling server says another name: the mesh may take it on. */
  onOtherName(connId: number, said: ClusterNameSaid): void;
}

/** What the judgement reads of a connection. */
interface Arriving {
  readonly rid: number;
  readonly wire: { readonly remote: Endpoint; readonly security: Security | null };
}

export class Admission {
  private readonly settings: Live<ClusterSettings>;
  private readonly host: AdmissionHost;

  constructor(settings: Live<ClusterSettings>, host: AdmissionHost) {
    this.settings = settings;
    this.host = host;
  }

  /** CONNECT of a server that dialled; null admits it. */
  judge({ rid, wire }: Arriving, json: string): ConnectVerdict | null {
    const connect = readRouteConnect(json);
    if (connect === null)
      return { text: null, reason: "Parse Error", detail: "CONNECT is not the JSON it should be" };
    return (
      strangerRefusal(connect) ??
      this.refusalOf(connect, wire.security) ??
      this.nameRefusal(rid, wire, connect)
    );
  }

  /**
   * Whether a server that was dialled may be told, and may tell others of, what the cluster's own credentials open: there are none, it
   * was presented them because the configuration says so, or its certificate was verified.
   */
  isTrusted(security: Security | null, presented: RouteCredentials | null): boolean {
    const own = this.settings.current.credentials;
    if (own === null || isDeepStrictEqual(own, presented)) return true;
    return security !== null && this.host.tls()?.isInsecure === false;
  }

  private refusalOf(connect: RouteConnect, security: Security | null): ConnectVerdict | null {
    const { credentials, certificateRule } = this.settings.current;
    if (certificateRule !== null) {
      return isNamed(security, this.settings.current, certificateRule) ? null : refused("by its certificate");
    }
    if (credentials === null) return null;
    const isRight =
      equalSecrets(connect.user, credentials.user) && equalSecrets(connect.pass, credentials.pass);
    if (isRight) return null;
    return refused(connect.user === "" ? "no credentials" : `User ${JSON.stringify(connect.user)}`);
  }

  private nameRefusal(rid: number, wire: Arriving["wire"], connect: RouteConnect): ConnectVerdict | null {
    const { serverId: peerId, cluster, clusterDynamic } = connect;
    const { host } = this;
    if (cluster === "" || cluster === host.clusterName()) return null;
    host.onOtherName(rid, { peerId, cluster, clusterDynamic });
    // A dialler that adopts our name says so in its INFO.
    if (cluster === host.clusterName() || clusterDynamic) return null;
    const text = `Rejecting connection, cluster name "${cluster}" does not match "${host.clusterName()}"`;
    return { text, reason: "Cluster Name Conflict", detail: `from ${wire.remote.address}` };
  }
}

/** The problem of a CONNECT that no server sends to a route port; null: a server may have sent it. */
function strangerRefusal({ lang, gateway }: { lang: string; gateway: string }): ConnectVerdict | null {
  if (lang !== "") {
    return {
      text: "attempted to connect to route port",
      reason: "Incorrect Port",
      detail: `a client (${lang})`,
    };
  }
  if (gateway === "") return null;
  const text = `Rejecting connection from gateway "${gateway}" on the Route port`;
  return { text, reason: "Incorrect Port", detail: "a gateway" };
}

/** Any one of the two ways that are configured suffices, as in nats-server. */
function isNamed(security: Security | null, settings: ClusterSettings, rule: CertificateRule): boolean {
  const certificate = security?.certificate;
  if (certificate === undefined) return false;
  const known = settings.routes.map(({ host }) => host.toLowerCase());
  const { dnsNames } = alternativeNames(certificate);
  if (rule.checksKnownUrls && dnsNames.some((name) => known.some((host) => isFor(name, host)))) return true;
  const user = settings.credentials?.user ?? "";
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
