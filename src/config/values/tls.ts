/**
 * The value type of the `tls` blocks. Names of suites and curves are checked and turned into OpenSSL's here; files are read
 * by who uses them (`transport/tls-context.ts`).
 */

import { readBlock } from "./block.ts";
import type { ClientVerification, TlsConfig } from "../config.ts";
import { durationFromText } from "../../base/duration.ts";
import { ConfError, type ConfNode } from "../formats/nats-conf/node.ts";
import {
  CIPHER_SUITES,
  CURVE_PREFERENCES,
  isInsecureSuite,
  isMissingSuite,
  opensslCiphers,
  opensslCurves,
} from "./tls-names.ts";
import { bool, formatNode, integerOf, mismatch, stringOf, type ValueType } from "./value-type.ts";

const DEFAULT_TIMEOUT_MS = 2000;
const TIMEOUT_MAX_MS = 24 * 3600 * 1000;
/** How long a client may keep silent before it gets INFO in the open, with `handshake_first: auto`. */
const AUTO_FALLBACK_MS = 50;
const SHA256_HEX = /^[\da-f]{64}$/i;
const EXPECTED_FIRST = 'true, false, "auto" or a duration such as "300ms"';

const UNSUPPORTED_KEYS = [
  "ocsp_peer",
  "cert_store",
  "cert_match_by",
  "cert_match",
  "ca_certs_match",
  "cert_match_skip_invalid",
];

interface Draft {
  certFile: string | null;
  keyFile: string | null;
  caFile: string | null;
  certificates: TlsConfig["certificates"] | null;
  verify: boolean;
  /** Certificates of clients are verified where they present one. */
  isOptional: boolean;
  map: boolean;
  checksKnownUrls: boolean;
  insecure: boolean;
  allowsInsecureSuites: boolean;
  suites: readonly string[] | null;
  curves: readonly string[] | null;
  minVersion: TlsConfig["minVersion"];
  pinned: readonly string[] | null;
  timeoutMs: number;
  first: boolean;
  fallbackMs: number | null;
  rate: number | null;
}

/** Of the port for clients, and (`routes`) of the one for routes. */
export const clientTls = tlsBlock("client");
export const routeTls = tlsBlock("routes");

function tlsBlock(port: "client" | "routes"): ValueType<TlsConfig> {
  return {
    name: "block",
    fromNode(node) {
      if (node.kind !== "map") mismatch(node, "a block, as in {cert_file: cert.pem, key_file: key.pem}");
      const draft = emptyDraft();
      readBlock(node, readersFor(draft, port), UNSUPPORTED_KEYS);
      return finishBlock(draft, node);
    },
    nodeFromText: formatNode,
    show: ({ certificates }) => certificates.map(({ certFile }) => certFile).join(", "),
  };
}

/** What the flags --tlscert and so on say. */
export function tlsFromFlags(flags: {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly verify: ClientVerification;
}): TlsConfig {
  if (flags.cert === "") throw new ConfError(null, "flag --tlscert: TLS needs a server certificate");
  if (flags.key === "")
    throw new ConfError(null, "flag --tlskey: TLS needs the private key of the certificate");
  const draft = emptyDraft();
  draft.certificates = [{ certFile: flags.cert, keyFile: flags.key }];
  draft.caFile = flags.ca || null;
  draft.verify = flags.verify === "required";
  draft.isOptional = flags.verify === "optional";
  return toConfig(draft, draft.certificates);
}

function emptyDraft(): Draft {
  return {
    certFile: null,
    keyFile: null,
    caFile: null,
    certificates: null,
    verify: false,
    isOptional: false,
    map: false,
    checksKnownUrls: false,
    insecure: false,
    allowsInsecureSuites: false,
    suites: null,
    curves: null,
    minVersion: "TLSv1.2",
    pinned: null,
    timeoutMs: DEFAULT_TIMEOUT_MS,
    first: false,
    fallbackMs: null,
    rate: null,
  };
}

function readersFor(draft: Draft, port: "client" | "routes"): Record<string, (node: ConfNode) => void> {
  const readFirst = (node: ConfNode): void => readHandshakeFirst(draft, node);
  const readCertificates = (node: ConfNode): void => void (draft.certificates = certificatesOf(node));
  return {
    cert_file: (node) => void (draft.certFile = fileOf(node)),
    key_file: (node) => void (draft.keyFile = fileOf(node)),
    ca_file: (node) => void (draft.caFile = fileOf(node)),
    verify: (node) => {
      if (node.kind === "string" && node.value.toLowerCase() === "optional") draft.isOptional = true;
      else draft.verify ||= flagOf(node);
    },
    verify_and_map: (node) => {
      draft.map = flagOf(node);
      draft.verify ||= draft.map;
    },
    verify_cert_and_check_known_urls: (node) => {
      draft.checksKnownUrls = flagOf(node);
      draft.verify ||= draft.checksKnownUrls;
      if (draft.checksKnownUrls && port === "client")
        throw new ConfError(node.at, "verify_cert_and_check_known_urls is for routes only");
    },
    insecure: (node) => void (draft.insecure = flagOf(node)),
    allow_insecure_cipher_suites: (node) => void (draft.allowsInsecureSuites = flagOf(node)),
    cipher_suites: (node) => void (draft.suites = namesOf(node, CIPHER_SUITES, "cipher suite")),
    curve_preferences: (node) => void (draft.curves = namesOf(node, CURVE_PREFERENCES, "curve")),
    min_version: (node) => void (draft.minVersion = versionOf(node)),
    pinned_certs: (node) => void (draft.pinned = pinsOf(node)),
    timeout: (node) => void (draft.timeoutMs = timeoutOf(node)),
    handshake_first: readFirst,
    first: readFirst,
    immediate: readFirst,
    connection_rate_limit: (node) => {
      draft.rate = integerOf(node, 0, 1_000_000_000, "a number of connections in a second") || null;
    },
    certs: readCertificates,
    certificates: readCertificates,
  };
}

function finishBlock(draft: Draft, node: ConfNode): TlsConfig {
  const { certFile, keyFile, certificates, suites } = draft;
  if (certificates !== null && certificates.length > 0 && certFile !== null)
    throw new ConfError(node.at, "cert_file and certs exclude each other: keep one of them");
  if (draft.verify && draft.isOptional) {
    const reason = "verify: optional excludes options that require certificates of clients: keep one of them";
    throw new ConfError(node.at, reason);
  }
  const insecure = suites?.filter(isInsecureSuite) ?? [];
  if (insecure.length > 0 && !draft.allowsInsecureSuites) {
    const reason = `insecure cipher suites configured without allow_insecure_cipher_suites: ${insecure.join(", ")}`;
    throw new ConfError(node.at, reason);
  }
  if (certificates !== null && certificates.length > 0) return toConfig(draft, certificates);
  // Such a block serves nobody by itself: finish.ts asks for allow_non_tls.
  if (certFile === null && keyFile === null) return toConfig(draft, []);
  if (certFile === null) throw new ConfError(node.at, "missing cert_file in TLS configuration");
  if (keyFile === null) throw new ConfError(node.at, "missing key_file in TLS configuration");
  return toConfig(draft, [{ certFile, keyFile }]);
}

function toConfig(draft: Draft, certificates: TlsConfig["certificates"]): TlsConfig {
  return {
    certificates,
    caFile: draft.caFile,
    verify: draft.verify ? "required" : draft.isOptional ? "optional" : "none",
    map: draft.map,
    checksKnownUrls: draft.checksKnownUrls,
    insecure: draft.insecure,
    ciphers: opensslCiphers(draft.suites),
    curves: opensslCurves(draft.curves),
    minVersion: draft.minVersion,
    pinnedKeys: draft.pinned,
    timeoutMs: draft.timeoutMs,
    handshakeFirst: draft.first,
    fallbackMs: draft.fallbackMs,
    connectionsPerSecondMax: draft.rate,
  };
}

const fileOf = (node: ConfNode): string | null => stringOf(node, "a file name") || null;

const flagOf = (node: ConfNode): boolean => bool.fromNode(node, { warn: () => undefined }) === true;

function namesOf(node: ConfNode, known: readonly string[], what: string): string[] {
  if (node.kind !== "array" || node.items.length === 0) mismatch(node, `a list of at least one ${what}`);
  return node.items.map((item) => {
    const name = stringOf(item, `the name of a ${what}`);
    if (!known.includes(name))
      throw new ConfError(item.at, `expected a ${what} that --help_tls lists, got another one`);
    if (isMissingSuite(name)) throw new ConfError(item.at, `${name} is not supported by shoal`);
    return name;
  });
}

function versionOf(node: ConfNode): TlsConfig["minVersion"] {
  const version = stringOf(node, 'a TLS version, "1.2" or "1.3"');
  if (version !== "1.2" && version !== "1.3") throw new ConfError(node.at, 'expected "1.2" or "1.3"');
  return `TLSv${version}`;
}

function pinsOf(node: ConfNode): string[] | null {
  if (node.kind !== "array") mismatch(node, "a list of SHA-256 digests in hexadecimal");
  const pins = node.items.map((item) => {
    const pin = stringOf(item, "a SHA-256 digest in hexadecimal");
    if (!SHA256_HEX.test(pin))
      throw new ConfError(
        item.at,
        "expected the SHA-256 digest of a certificate's public key in hexadecimal",
      );
    return pin.toLowerCase();
  });
  return pins.length === 0 ? null : pins;
}

function timeoutOf(node: ConfNode): number {
  const isNumber = node.kind === "int" || node.kind === "float";
  const ms = isNumber ? Number(node.value) * 1000 : durationFromText(stringOf(node, "seconds or a duration"));
  if (ms === null || ms < 0 || ms > TIMEOUT_MAX_MS)
    throw new ConfError(node.at, 'expected seconds or a duration such as "2s"');
  return ms || DEFAULT_TIMEOUT_MS;
}

function readHandshakeFirst(draft: Draft, node: ConfNode): void {
  draft.fallbackMs = null;
  if (node.kind === "bool") {
    draft.first = node.value;
    return;
  }
  const word = stringOf(node, EXPECTED_FIRST).toLowerCase();
  draft.first = word !== "false" && word !== "off";
  if (!draft.first || word === "true" || word === "on") return;
  const ms = word === "auto" || word === "auto_fallback" ? AUTO_FALLBACK_MS : durationFromText(word);
  if (ms === null || ms > TIMEOUT_MAX_MS) throw new ConfError(node.at, `expected ${EXPECTED_FIRST}`);
  draft.fallbackMs = ms > 0 ? ms : null;
}

function certificatesOf(node: ConfNode): TlsConfig["certificates"] {
  if (node.kind !== "array") mismatch(node, "a list, as in [{cert_file: cert.pem, key_file: key.pem}]");
  return node.items.map((item) => {
    if (item.kind !== "map") mismatch(item, "a pair, as in {cert_file: cert.pem, key_file: key.pem}");
    let certFile: string | null = null;
    let keyFile: string | null = null;
    readBlock(item, {
      cert_file: (value) => void (certFile = fileOf(value)),
      key_file: (value) => void (keyFile = fileOf(value)),
    });
    if (certFile === null || keyFile === null)
      throw new ConfError(item.at, "expected both cert_file and key_file");
    return { certFile, keyFile };
  });
}
