/**
 * The value type of the `tls` blocks. Names of suites and curves are checked here and turned into OpenSSL's; the files are read in
 * `transport/tls-context.ts`.
 */
import { durationFromText } from "../../base/duration.ts";
import { ConfError, type ConfNode, type Origin } from "../formats/nats-conf/node.ts";
import {
  CIPHER_SUITES,
  CURVE_PREFERENCES,
  isInsecureSuite,
  isMissingSuite,
  opensslCiphers,
  opensslCurves,
} from "./tls-names.ts";
import { field, listOf, record, type NodeReader } from "./record.ts";
import { bool, formatNode, integerOf, mismatch, stringOf, type ValueType } from "./value-type.ts";

/** Whether clients must present a certificate; "optional": a certificate that is presented is verified. */
export type ClientVerification = "none" | "optional" | "required";

/** One `tls` block; ciphers and curves have OpenSSL's names. */
export interface TlsConfig {
  /** Empty: TLS ends at a proxy and clients connect in plaintext, which requires `allow_non_tls`. */
  readonly certificates: readonly { readonly certFile: string; readonly keyFile: string }[];
  /** null: the certificates that the system trusts. */
  readonly caFile: string | null;
  readonly verify: ClientVerification;
  /** The certificate names the user. */
  readonly map: boolean;
  /** Routes only: a name in the certificate must be one of the configured routes. */
  readonly checksKnownUrls: boolean;
  /** Certificates of dialled servers are not verified. */
  readonly insecure: boolean;
  readonly ciphers: string;
  readonly curves: string;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** SHA-256 of the accepted public keys, in lower case hexadecimal. null: all. */
  readonly pinnedKeys: readonly string[] | null;
  readonly timeoutMs: number;
  /** The TLS handshake comes before INFO. */
  readonly handshakeFirst: boolean;
  /** A client that is silent for this long gets INFO in plaintext. null: never. */
  readonly fallbackMs: number | null;
  /** null: no limit. */
  readonly connectionsPerSecondMax: number | null;
}

const DEFAULT_TIMEOUT_MS = 2000;
const TIMEOUT_MAX_MS = 24 * 3600 * 1000;
/** How long a client may be silent before it gets INFO in plaintext, with `handshake_first: auto`. */
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

const certificateBlock = record(
  { certFile: field("cert_file", fileOf, null), keyFile: field("key_file", fileOf, null) },
  { expected: "a pair, as in {cert_file: cert.pem, key_file: key.pem}" },
);

const certificatesOf: NodeReader<Certificates> = listOf((node, notes) => {
  const { certFile, keyFile } = certificateBlock(node, notes);
  if (certFile !== null && keyFile !== null) return { certFile, keyFile };
  throw new ConfError(node.at, "expected both cert_file and key_file");
}, "a list, as in [{cert_file: cert.pem, key_file: key.pem}]");

const readTls = record(
  {
    certFile: field("cert_file", fileOf, null),
    keyFile: field("key_file", fileOf, null),
    caFile: field("ca_file", fileOf, null),
    certificates: field("certs certificates", certificatesOf, []),
    verify: field("verify", verificationOf, false),
    map: field("verify_and_map", flagOf, false),
    checksKnownUrls: field("verify_cert_and_check_known_urls", flagOf, false),
    insecure: field("insecure", flagOf, false),
    allowsInsecureSuites: field("allow_insecure_cipher_suites", flagOf, false),
    suites: field("cipher_suites", namesOf(CIPHER_SUITES, "cipher suite"), null),
    curves: field("curve_preferences", namesOf(CURVE_PREFERENCES, "curve"), null),
    minVersion: field("min_version", versionOf, "TLSv1.2"),
    pinned: field("pinned_certs", pinsOf, null),
    timeoutMs: field("timeout", timeoutOf, DEFAULT_TIMEOUT_MS),
    first: field("handshake_first first immediate", handshakeFirstOf, { isOn: false, fallbackMs: null }),
    rate: field(
      "connection_rate_limit",
      (node) => integerOf(node, 0, 1_000_000_000, "a number of connections in a second") || null,
      null,
    ),
  },
  {
    expected: "a block, as in {cert_file: cert.pem, key_file: key.pem}",
    unsupported: UNSUPPORTED_KEYS,
  },
);

type Draft = ReturnType<typeof readTls>;
type Certificates = TlsConfig["certificates"];

/** The blocks of the port for clients and of the port for routes. */
export const clientTls = tlsBlock((draft, node) => {
  if (draft.checksKnownUrls)
    throw new ConfError(node.at, "verify_cert_and_check_known_urls is for routes only");
});
export const routeTls = tlsBlock(() => undefined);

function tlsBlock(check: (draft: Draft, node: ConfNode) => void): ValueType<TlsConfig> {
  return {
    name: "block",
    fromNode(node, notes) {
      const draft = readTls(node, notes);
      check(draft, node);
      return finishBlock(draft, node);
    },
    nodeFromText: formatNode,
    show: ({ certificates }) => certificates.map(({ certFile }) => certFile).join(", "),
  };
}

/** The block that the flags --tlscert and so on describe. */
export function tlsFromFlags(flags: {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly verify: ClientVerification;
}): TlsConfig {
  if (flags.cert === "") throw new ConfError(null, "flag --tlscert: TLS needs a server certificate");
  if (flags.key === "")
    throw new ConfError(null, "flag --tlskey: TLS needs the private key of the certificate");
  const at: Origin = { kind: "flag", name: "tls" };
  const empty = readTls({ kind: "map", entries: new Map(), size: 1, at }, { warn: () => undefined });
  const verify = flags.verify === "optional" ? flags.verify : flags.verify === "required";
  const certificates = [{ certFile: flags.cert, keyFile: flags.key }];
  return toConfig({ ...empty, caFile: flags.ca || null, verify }, certificates);
}

function finishBlock(draft: Draft, node: ConfNode): TlsConfig {
  const { certFile, keyFile, certificates, suites } = draft;
  if (certificates.length > 0 && certFile !== null)
    throw new ConfError(node.at, "cert_file and certs exclude each other: keep one of them");
  if (draft.verify === "optional" && (draft.map || draft.checksKnownUrls)) {
    const reason = "verify: optional excludes options that require certificates of clients: keep one of them";
    throw new ConfError(node.at, reason);
  }
  const insecure = suites?.filter(isInsecureSuite) ?? [];
  if (insecure.length > 0 && !draft.allowsInsecureSuites) {
    const reason = `insecure cipher suites configured without allow_insecure_cipher_suites: ${insecure.join(", ")}`;
    throw new ConfError(node.at, reason);
  }
  if (certificates.length > 0) return toConfig(draft, certificates);
  // Such a block serves nobody by itself: the section checks that it need not.
  if (certFile === null && keyFile === null) return toConfig(draft, []);
  if (certFile === null) throw new ConfError(node.at, "missing cert_file in TLS configuration");
  if (keyFile === null) throw new ConfError(node.at, "missing key_file in TLS configuration");
  return toConfig(draft, [{ certFile, keyFile }]);
}

function toConfig(draft: Draft, certificates: Certificates): TlsConfig {
  const { verify, map, checksKnownUrls } = draft;
  const isRequired = verify === true || map || checksKnownUrls;
  return {
    certificates,
    caFile: draft.caFile,
    verify: isRequired ? "required" : verify === "optional" ? "optional" : "none",
    map,
    checksKnownUrls,
    insecure: draft.insecure,
    ciphers: opensslCiphers(draft.suites),
    curves: opensslCurves(draft.curves),
    minVersion: draft.minVersion,
    pinnedKeys: draft.pinned,
    timeoutMs: draft.timeoutMs,
    handshakeFirst: draft.first.isOn,
    fallbackMs: draft.first.fallbackMs,
    connectionsPerSecondMax: draft.rate,
  };
}

function fileOf(node: ConfNode): string | null {
  return stringOf(node, "a file name") || null;
}

function flagOf(node: ConfNode): boolean {
  return bool.fromNode(node, { warn: () => undefined }) === true;
}

function verificationOf(node: ConfNode): boolean | "optional" {
  return node.kind === "string" && node.value.toLowerCase() === "optional" ? "optional" : flagOf(node);
}

function namesOf(known: readonly string[], what: string): NodeReader<readonly string[]> {
  return (node) => {
    if (node.kind !== "array" || node.items.length === 0) mismatch(node, `a list of at least one ${what}`);
    return node.items.map((item) => {
      const name = stringOf(item, `the name of a ${what}`);
      if (!known.includes(name))
        throw new ConfError(item.at, `expected a ${what} that --help_tls lists, got another one`);
      if (isMissingSuite(name)) throw new ConfError(item.at, `${name} is not supported by shoal`);
      return name;
    });
  };
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

interface HandshakeFirst {
  readonly isOn: boolean;
  /** null: INFO never comes before the handshake. */
  readonly fallbackMs: number | null;
}

function handshakeFirstOf(node: ConfNode): HandshakeFirst {
  if (node.kind === "bool") return { isOn: node.value, fallbackMs: null };
  const word = stringOf(node, EXPECTED_FIRST).toLowerCase();
  const isOn = word !== "false" && word !== "off";
  if (!isOn || word === "true" || word === "on") return { isOn, fallbackMs: null };
  const ms = word === "auto" || word === "auto_fallback" ? AUTO_FALLBACK_MS : durationFromText(word);
  if (ms === null || ms > TIMEOUT_MAX_MS) throw new ConfError(node.at, `expected ${EXPECTED_FIRST}`);
  return { isOn, fallbackMs: ms > 0 ? ms : null };
}
