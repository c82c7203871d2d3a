/** What OpenSSL and Node say about a handshake that failed, in the words that nats-server has for it in its log. */
import type { Alert } from "./tls-alert.ts";

export const UNVERIFIED = "tls: failed to verify certificate: x509: ";
const STRANGER = `${UNVERIFIED}certificate signed by unknown authority`;
const EXPIRED = `${UNVERIFIED}certificate has expired or is not yet valid`;
const NO_TLS = "tls: first record does not look like a TLS handshake";

const WORDS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: STRANGER,
  SELF_SIGNED_CERT_IN_CHAIN: STRANGER,
  UNABLE_TO_GET_ISSUER_CERT: STRANGER,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: STRANGER,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: STRANGER,
  CERT_SIGNATURE_FAILURE: STRANGER,
  CERT_UNTRUSTED: STRANGER,
  CERT_HAS_EXPIRED: EXPIRED,
  CERT_NOT_YET_VALID: EXPIRED,
  INVALID_PURPOSE: `${UNVERIFIED}certificate specifies an incompatible key usage`,
  INVALID_CA: `${UNVERIFIED}certificate is not authorized to sign other certificates`,
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "tls: client didn't provide a certificate",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "tls: client offered only unsupported versions",
  ERR_SSL_VERSION_TOO_LOW: "tls: client offered only unsupported versions",
  ERR_SSL_NO_SHARED_CIPHER: "tls: no cipher suite supported by both client and server",
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_HTTP_REQUEST: NO_TLS,
  ERR_SSL_HTTPS_PROXY_REQUEST: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  ERR_SSL_RECORD_LAYER_FAILURE: NO_TLS,
  ECONNRESET: "read: connection reset by peer",
  EPIPE: "write: broken pipe",
};

/** What OpenSSL would tell a client whose certificate is not taken, as nats-server does. */
export function alertFor(unverified: NodeJS.ErrnoException): Alert {
  const text = WORDS[unverified.code ?? ""];
  if (text === STRANGER) return "unknown ca";
  return text === EXPIRED ? "certificate expired" : "bad certificate";
}

export interface TlsProblem {
  readonly text: string;
  /** Nobody tried to speak TLS: a probe, or a plain client. Not worth an error in the log. */
  readonly isProbe: boolean;
}

export const EOF: TlsProblem = { text: "EOF", isProbe: false };
export const TIMED_OUT: TlsProblem = { text: "TLS handshake timeout", isProbe: true };
export const CROWDED_OUT: TlsProblem = { text: "too many handshakes under way", isProbe: false };
export const NOT_PINNED: TlsProblem = { text: "certificate not pinned", isProbe: false };

export function tlsProblem(error: {
  readonly code?: string | undefined;
  readonly reason?: string;
  readonly message?: string;
}): TlsProblem {
  const code = error.code ?? "";
  const text = WORDS[code] ?? alert(code) ?? error.reason ?? (code || (error.message ?? ""));
  return { text, isProbe: text === NO_TLS };
}

/** The peer's word for it: "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA". */
function alert(code: string): string | null {
  const match = /^ERR_SSL_(?:SSL|TLS)V[\d_]+_ALERT_(\w+)$/.exec(code);
  return match === null ? null : `remote error: tls: ${match[1]!.toLowerCase().replaceAll("_", " ")}`;
}
