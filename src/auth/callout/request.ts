/** The claims of a callout request: what the service is told of a client, in nats-server's form. */
import type { X509Certificate } from "node:crypto";
import type { Attempt } from "../attempt.ts";

/** The server that asks. */
export interface AskingServer {
  readonly id: string;
  readonly name: string;
  readonly host: string;
  readonly version: string;
  /** "": none. */
  readonly cluster: string;
  readonly tags: readonly string[];
}

/** Longest chain of certificates in a request; the rest is left out. */
const CHAIN_MAX = 10;

/** `nats` of the request. `xkey`: the key to encrypt the answer for; null: it is not encrypted. */
export function requestClaims(
  attempt: Attempt,
  about: { readonly server: AskingServer; readonly xkey: string | null; readonly userNkey: string },
): object {
  const { server, xkey, userNkey } = about;
  const { credentials, tls } = attempt;
  const { id, name, host, version, cluster, tags } = server;
  return {
    server_id: withoutBlanks({ name, host, id, version, cluster, tags, xkey }),
    user_nkey: userNkey,
    client_info: withoutBlanks({
      host: attempt.address,
      id: attempt.cid,
      user: shownUser(attempt),
      name: credentials.name,
      kind: "Client",
      type: "nats",
      nonce: credentials.sig === "" ? "" : attempt.nonce,
    }),
    connect_opts: {
      ...withoutBlanks({
        jwt: credentials.jwt,
        nkey: credentials.nkey,
        sig: credentials.sig,
        auth_token: credentials.authToken,
        user: credentials.user,
        pass: credentials.pass,
        name: credentials.name,
        lang: credentials.lang,
        version: credentials.version,
      }),
      protocol: credentials.protocol ?? 0,
    },
    ...(tls === undefined ? {} : { client_tls: tlsClaims(attempt) }),
  };
}

/** The name that the client claims, without secrets; "": none. */
export function shownUser({ credentials: { nkey, user, jwt, authToken } }: Attempt): string {
  if (nkey !== "" || user !== "") return nkey || user;
  return authToken === "" || (jwt ?? "") !== "" ? "" : "[REDACTED]";
}

/** A certificate of a client is always a verified one. */
function tlsClaims({ tls, certificate }: Attempt): object {
  const chain: string[] = [];
  for (let next = certificate; next !== undefined && chain.length < CHAIN_MAX; next = issuerOf(next))
    chain.push(next.toString());
  return withoutBlanks({
    version: tls?.version,
    cipher: tls?.cipherSuite,
    verified_chains: chain.length === 0 ? [] : [chain],
  });
}

/** A self-signed authority ends the chain. */
function issuerOf(certificate: X509Certificate): X509Certificate | undefined {
  const { issuerCertificate } = certificate;
  return issuerCertificate?.fingerprint256 === certificate.fingerprint256 ? undefined : issuerCertificate;
}

function withoutBlanks(fields: Readonly<Record<string, unknown>>): object {
  const isBlank = (value: unknown): boolean =>
    value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isBlank(value)));
}
