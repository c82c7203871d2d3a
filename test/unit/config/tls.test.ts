/** The tls blocks and the flags of TLS: what they amount to, what is refused and where. */
import { describe, expect, it } from "vitest";
import type { TlsConfig } from "../../../src/config/values/tls.ts";
import { configOf, errorsOf } from "./sources.ts";

const PIN = "0123456789abcdef".repeat(4);
const FILES = "cert_file: c.pem, key_file: k.pem";

const clientTls = (lines: string): TlsConfig | null =>
  configOf({ files: { "a.conf": `tls { ${FILES}, ${lines} }` } }).client.tls;

describe("a tls block", () => {
  it("has nats-server's defaults", () => {
    expect(configOf({ files: { "a.conf": `tls { ${FILES} }` } }).client.tls).toMatchObject({
      certificates: [{ certFile: "c.pem", keyFile: "k.pem" }],
      caFile: null,
      verify: "none",
      minVersion: "TLSv1.2",
      timeoutMs: 2000,
      handshakeFirst: false,
      pinnedKeys: null,
    });
  });

  it.each<[string, Partial<TlsConfig>]>([
    ["verify_and_map: true", { verify: "required", map: true }],
    ["verify: optional", { verify: "optional" }],
    ["verify_and_map: false", { verify: "none", map: false }],
    ["timeout: 0.5", { timeoutMs: 500 }],
    ["timeout: 0", { timeoutMs: 2000 }],
    ['timeout: "3s"', { timeoutMs: 3000 }],
    ['min_version: "1.3"', { minVersion: "TLSv1.3" }],
    ["handshake_first: true", { handshakeFirst: true, fallbackMs: null }],
    ["handshake_first: off", { handshakeFirst: false }],
    ["first: auto", { handshakeFirst: true, fallbackMs: 50 }],
    ['immediate: "300ms"', { handshakeFirst: true, fallbackMs: 300 }],
    [`pinned_certs: ["${PIN.toUpperCase()}"]`, { pinnedKeys: [PIN] }],
    ["connection_rate_limit: 5", { connectionsPerSecondMax: 5 }],
    ["curve_preferences: [X25519, CurveP384]", { curves: "X25519:P-384" }],
  ])("%s", (line, expected) => expect(clientTls(line)).toMatchObject(expected));

  it("offers the suites of TLS 1.3 whatever is chosen", () => {
    const { ciphers } = clientTls("cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]")!;
    expect(ciphers.split(":").at(-1)).toBe("ECDHE-RSA-AES256-GCM-SHA384");
    expect(ciphers).toContain("TLS_AES_128_GCM_SHA256");
  });

  it("gives a client a second more to say who it is", () => {
    expect(configOf({ files: { "a.conf": `tls { ${FILES}, timeout: 3 }` } }).authorization.timeoutMs).toBe(
      4000,
    );
    expect(
      configOf({ files: { "a.conf": `cluster { tls { ${FILES}, timeout: 3 } }` } }).cluster.authTimeoutMs,
    ).toBe(4000);
  });

  it.each([
    ["tls { }", "missing cert_file"],
    ["tls { cert_file: c.pem }", "missing key_file"],
    ["tls: true", "expected a block"],
    [`tls { ${FILES}, certs: [{${FILES}}] }`, "exclude each other"],
    ["tls { certs: [{cert_file: c.pem}] }", "expected both cert_file and key_file"],
    [`tls { ${FILES}, min_version: "1.1" }`, 'expected "1.2" or "1.3"'],
    [`tls { ${FILES}, min_version: 1.2 }`, "a TLS version"],
    [`tls { ${FILES}, pinned_certs: [ab] }`, "SHA-256 digest"],
    [`tls { ${FILES}, cipher_suites: [] }`, "a list of at least one cipher suite"],
    [`tls { ${FILES}, cipher_suites: [TLS_FOO] }`, "--help_tls"],
    [`tls { ${FILES}, cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA] }`, "allow_insecure_cipher_suites"],
    [`tls { ${FILES}, curve_preferences: [P-256] }`, "--help_tls"],
    [`tls { ${FILES}, handshake_first: "5x" }`, "a duration"],
    [`tls { ${FILES}, timeout: "abc" }`, "seconds or a duration"],
    [`tls { ${FILES}, verify_cert_and_check_known_urls: true }`, "for routes only"],
    [`tls { ${FILES}, ocsp_peer: true }`, "not supported"],
    [`tls { ${FILES}, verfy: true }`, 'expected "verify"'],
    ["https: 8443", "https needs a tls block"],
    [`http: 8222; https: 8443; tls { ${FILES} }`, "exclude each other"],
    ["monitor { authorization { user: a } }", "both user and password"],
  ])("%s is refused", (text, reason) => {
    const [error = ""] = errorsOf({ files: { "a.conf": text } });
    expect(error).toContain(reason);
  });
});

describe("flags", () => {
  const files = ["--tlscert", "c.pem", "--tlskey", "k.pem"];

  it("make up a block of their own, in place of the file's", () => {
    const { tls } = configOf({ args: [...files, "--tlsverify", "--tlscacert", "ca.pem"] }).client;
    expect(tls).toMatchObject({ certificates: [{ certFile: "c.pem", keyFile: "k.pem" }] });
    expect(tls).toMatchObject({ caFile: "ca.pem", verify: "required" });
    const text = `tls { cert_file: other.pem, key_file: other.key, timeout: 9 }`;
    expect(configOf({ files: { "a.conf": text }, args: files }).client.tls).toMatchObject({
      timeoutMs: 2000,
      verify: "none",
    });
  });

  it("turn it off", () => {
    const text = `tls { ${FILES} }`;
    expect(configOf({ files: { "a.conf": text }, args: ["--tls=false", ...files] }).client.tls).toBeNull();
  });

  it("need a certificate and its key", () => {
    expect(errorsOf({ args: ["--tls", "--tlskey", "k.pem"] })[0]).toContain("--tlscert");
    expect(errorsOf({ args: ["--tlsverify", "--tlscert", "c.pem"] })[0]).toContain("--tlskey");
  });
});

describe("permissions inside cluster.authorization", () => {
  const old = "authorization { user: a, password: b, permissions { import: [old] } }";

  it("count where cluster.permissions is not there", () => {
    const { permissions } = configOf({ files: { "a.conf": `cluster { port: 6222, ${old} }` } }).cluster;
    expect(permissions?.import?.allow).toEqual(["old"]);
    for (const text of [`permissions { import: [new] }, ${old}`, `${old}, permissions { import: [new] }`]) {
      const { cluster } = configOf({ files: { "a.conf": `cluster { port: 6222, ${text} }` } });
      expect(cluster.permissions?.import?.allow).toEqual(["new"]);
    }
  });
});
