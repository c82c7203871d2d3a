/** Whether the certificate of a peer counts, once OpenSSL has looked at its chain. */
import { createHash, type KeyObject } from "node:crypto";
import type * as tls from "node:tls";
import { nodeTls } from "./node-tls.ts";
import { UNVERIFIED } from "./tls-problem.ts";

/** What chains are verified by; a Node that has lost it lets nobody in. */
export function verifyError(secured: tls.TLSSocket): Error | null {
  const { _handle: handle } = secured as unknown as { _handle: { verifyError?: () => Error | null } };
  return handle.verifyError === undefined ? new Error("cannot be verified") : handle.verifyError();
}

export function identityProblem(
  names: readonly string[],
  certificate: tls.PeerCertificate,
): Error | undefined {
  let problem: Error | undefined;
  // Alternative names alone count, as in nats-server; Node would take the common name where there is no DNS name.
  const named = { ...certificate, subject: { ...certificate.subject, CN: "" } };
  for (const name of names) {
    problem = nodeTls().checkServerIdentity(name, named);
    if (problem === undefined) return undefined;
  }
  const text = `certificate is valid for ${certificate.subjectaltname ?? "no name"}, not ${names.join(", ")}`;
  return Object.assign(problem ?? new Error(text), {
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
    reason: UNVERIFIED + text,
  });
}

/** SHA-256 of a public key (SubjectPublicKeyInfo) in lower case hexadecimal. */
export function keyDigest(key: KeyObject): string {
  return createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest("hex");
}
