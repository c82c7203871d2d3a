/** A tls block that says nothing but which certificate to show. */
import type { TlsConfig } from "../../src/config/values/tls.ts";
import { opensslCiphers, opensslCurves } from "../../src/config/values/tls-names.ts";
import type { Certificate } from "./certificates.ts";

export function plainTls({ certFile, keyFile }: Certificate): TlsConfig {
  return {
    certificates: [{ certFile, keyFile }],
    caFile: null,
    verify: "none",
    map: false,
    checksKnownUrls: false,
    insecure: false,
    ciphers: opensslCiphers(null),
    curves: opensslCurves(null),
    minVersion: "TLSv1.2",
    pinnedKeys: null,
    timeoutMs: 30_000,
    handshakeFirst: false,
    fallbackMs: null,
    connectionsPerSecondMax: null,
  };
}
