/**
 * The names of cipher suites and curves that nats-server takes (they are Go's) with those of OpenSSL, in the order in which
 * nats-server prefers them.
 */
import { assert } from "../../base/assert.ts";

/** TLS 1.3: always offered, whatever is configured, as Go does. */
const TLS13_SUITES: Readonly<Record<string, string>> = {
  TLS_AES_128_GCM_SHA256: "TLS_AES_128_GCM_SHA256",
  TLS_AES_256_GCM_SHA384: "TLS_AES_256_GCM_SHA384",
  TLS_CHACHA20_POLY1305_SHA256: "TLS_CHACHA20_POLY1305_SHA256",
};

const TLS12_SUITES: Readonly<Record<string, string>> = {
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "ECDHE-RSA-AES128-GCM-SHA256",
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "ECDHE-RSA-AES256-GCM-SHA384",
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-RSA-CHACHA20-POLY1305",
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: "ECDHE-ECDSA-AES128-SHA",
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: "ECDHE-RSA-AES128-SHA",
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: "ECDHE-ECDSA-AES256-SHA",
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: "ECDHE-RSA-AES256-SHA",
};

/** Only with `allow_insecure_cipher_suites`. "": OpenSSL as Node builds it has no such suite. */
const INSECURE_SUITES: Readonly<Record<string, string>> = {
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: "ECDHE-ECDSA-AES128-SHA256",
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: "ECDHE-RSA-AES128-SHA256",
  TLS_RSA_WITH_AES_128_GCM_SHA256: "AES128-GCM-SHA256",
  TLS_RSA_WITH_AES_256_GCM_SHA384: "AES256-GCM-SHA384",
  TLS_RSA_WITH_AES_128_CBC_SHA256: "AES128-SHA256",
  TLS_RSA_WITH_AES_128_CBC_SHA: "AES128-SHA",
  TLS_RSA_WITH_AES_256_CBC_SHA: "AES256-SHA",
  TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA: "",
  TLS_RSA_WITH_3DES_EDE_CBC_SHA: "",
  TLS_ECDHE_ECDSA_WITH_RC4_128_SHA: "",
  TLS_ECDHE_RSA_WITH_RC4_128_SHA: "",
  TLS_RSA_WITH_RC4_128_SHA: "",
};

const CURVES: Readonly<Record<string, string>> = {
  X25519MLKEM768: "X25519MLKEM768",
  SecP384r1MLKEM1024: "SecP384r1MLKEM1024",
  SecP256r1MLKEM768: "SecP256r1MLKEM768",
  X25519: "X25519",
  CurveP256: "P-256",
  CurveP384: "P-384",
  CurveP521: "P-521",
};

export const CIPHER_SUITES: readonly string[] = [TLS13_SUITES, TLS12_SUITES, INSECURE_SUITES].flatMap(
  Object.keys,
);
assert(new Set(CIPHER_SUITES).size === CIPHER_SUITES.length, "a suite is in one table");
export const CURVE_PREFERENCES: readonly string[] = Object.keys(CURVES);

export const isInsecureSuite = (name: string): boolean => Object.hasOwn(INSECURE_SUITES, name);

export const isMissingSuite = (name: string): boolean => INSECURE_SUITES[name] === "";

/** OpenSSL's list for suites in the order given; null: the default. */
export function opensslCiphers(names: readonly string[] | null): string {
  const wanted = (names ?? Object.keys(TLS12_SUITES)).map(
    (name) => TLS12_SUITES[name] ?? INSECURE_SUITES[name],
  );
  const tls12 = wanted.filter((name): name is string => name !== undefined && name !== "");
  return [...Object.values(TLS13_SUITES), ...tls12].join(":");
}

/** OpenSSL's list for curves in the order given; null: the default. */
export function opensslCurves(names: readonly string[] | null): string {
  return (names ?? CURVE_PREFERENCES).map((name) => CURVES[name]).join(":");
}
