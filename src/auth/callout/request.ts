/** The claims of a callout request: what the service is told of a client. */
import type { X509Certificate } from "node:crypto";
import { calloutRequestFields } from "../../protocol/json/callout-request.ts";
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
  const { credentials, tls, address, cid, nonce } = attempt;
  const user = shownUser(attempt);
  return calloutRequestFields({
    server: { ...server, xkey },
    userNkey,
    client: {
      address,
      cid,
      type: attempt.clientType ?? "nats",
      user,
      name: credentials.name,
      nameTag: attempt.signed?.name ?? "",
      tags: attempt.signed?.tags ?? [],
      nonce: credentials.sig === "" ? "" : nonce,
    },
    credentials,
    tls: tls === undefined ? null : { ...tls, chain: chainOf(attempt.certificate) },
  });
}

/** The name that the client claims, without secrets; "": none. */
export function shownUser({ credentials: { nkey, user, jwt, authToken }, signed }: Attempt): string {
  if (nkey !== "" || user !== "") return nkey || user;
  if (signed !== undefined && signed.key !== "") return signed.key;
  const hasToken = signed === undefined && (jwt ?? "") !== "";
  return authToken === "" || hasToken ? "" : "[REDACTED]";
}

/** A certificate of a client is always a verified one. In PEM, with those of its issuers. */
function chainOf(certificate: X509Certificate | undefined): readonly string[] {
  const chain: string[] = [];
  for (let next = certificate; next !== undefined && chain.length < CHAIN_MAX; next = issuerOf(next))
    chain.push(next.toString());
  return chain;
}

/** A self-signed authority ends the chain. */
function issuerOf(certificate: X509Certificate): X509Certificate | undefined {
  const { issuerCertificate } = certificate;
  return issuerCertificate?.fingerprint256 === certificate.fingerprint256 ? undefined : issuerCertificate;
}
