/** What a connection is before anything is said on it: for its INFO, and for the log. */
import type { InfoContext } from "./host.ts";
import type { ClientSession } from "./session.ts";

export function infoContext({ cid, wire, limits, arrival, host }: ClientSession): InfoContext {
  return {
    side: arrival.entrance.side,
    needsCredentials: host.authenticator.hasSecrets,
    cid,
    clientAddress: wire.remote.address,
    maxPayloadBytes: limits.maxPayloadBytes,
    isTlsFirst: wire.security?.isFirst ?? false,
  };
}

export function logSecurity({ wire: { security }, log }: ClientSession): void {
  if (security === null) return;
  const { version, cipherSuite } = security;
  log.debug(`TLS handshake complete, version ${version}, cipher suite ${cipherSuite}`);
}
