/** By what servers know each other: the names that certificates of dialled ones may have, and what is asked of diallers. */
import { alternativeNames, mappedUser } from "../auth/certificate.ts";
import { equalSecrets } from "../auth/authenticator.ts";
import { isIP } from "node:net";
import type { PeerAddress } from "../cluster/mesh-types.ts";
import type { ConnectVerdict } from "../links/route/host.ts";
import type { RouteConnect } from "../protocol/route-info.ts";
import type { Security } from "../transport/wire.ts";
import type { CertificateRule } from "./cluster-port-options.ts";
import type { Credentials, DialTarget } from "./peer-discovery.ts";

interface Named {
  readonly host: string;
}

/**
 * Where an address came by gossip, certificates seldom have it: then the name of a configured route counts as well, as in
 * nats-server. A source of addresses may say which name is meant.
 */
export function certificateNames(address: PeerAddress, routes: readonly Named[]): string[] {
  const { host, verifyName } = address as DialTarget;
  const stated = verifyName === undefined ? [] : [verifyName];
  if (isIP(host) === 0) return [...stated, host];
  const seeds = routes.map((route) => route.host).filter((name) => isIP(name) === 0);
  return [...new Set([...stated, ...seeds, host])];
}

export interface RouteAdmission {
  readonly credentials: Credentials | null;
  readonly certificateRule: CertificateRule | null;
  readonly routes: readonly Named[];
}

/** null: the server that dials may go on. */
export function refusalOf(
  connect: RouteConnect,
  security: Security | null,
  admission: RouteAdmission,
): ConnectVerdict | null {
  const { credentials, certificateRule } = admission;
  if (certificateRule !== null) {
    return isNamed(security, admission, certificateRule) ? null : refused("by its certificate");
  }
  if (credentials === null) return null;
  const isRight =
    equalSecrets(connect.user, credentials.user) && equalSecrets(connect.pass, credentials.pass);
  if (isRight) return null;
  return refused(connect.user === "" ? "no credentials" : `User ${JSON.stringify(connect.user)}`);
}

/** Any one of the two ways that are configured suffices, as in nats-server. */
function isNamed(security: Security | null, admission: RouteAdmission, rule: CertificateRule): boolean {
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
