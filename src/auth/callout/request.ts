/** What a callout tells of the client that wants to connect: the claims of the request, as nats-server has them. */
import type { X509Certificate } from "node:crypto";
import type { Attempt } from "../authenticator.ts";

/** The server that asks. */
export interface AskingServer {
  readonly id: string;
  readonly name: string;
  readonly host: string;
  readonly version: string;
  /** "": it is in none. */
  readonly cluster: string;
  readonly tags: readonly string[];
}

/** Certificates of a chain; more are left out. */
const CHAIN_MAX = 10;

/** `nats` of the request. `xkey`: the key to which the answer may be sealed; null: in the open. */
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

/** Whom the client says it is, without secrets; "": nobody. */
export function shownUser({ credentials: { nkey, user, jwt, authToken } }: Attempt): string {
  if (nkey !== "" || user !== "") return nkey || user;
  return authToken === "" || (jwt ?? "") !== "" ? "" : "[REDACTED]";
}

/** Certificates of clients are verified or not asked for. */
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

/** An authority that signs itself is the last one. */
function issuerOf(certificate: X509Certificate): X509Certificate | undefined {
  const { issuerCertificate } = certificate;
  return issuerCertificate?.fingerprint256 === certificate.fingerprint256 ? undefined : issuerCertificate;
}

function withoutBlanks(fields: Readonly<Record<string, unknown>>): object {
  const isBlank = (value: unknown): boolean =>
    value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isBlank(value)));
}
