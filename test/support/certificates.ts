/**
 * Certificates made by openssl for one test: an authority, and whatever it is asked to sign. On a person's machine a missing
 * openssl skips tests, loudly; where CI=true it fails them.
 */
import { execFileSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** What `pinned_certs` takes. */
  readonly pin: string;
}

export interface CertificateWish {
  /** As openssl writes it: "/CN=localhost/O=example". */
  readonly subject?: string;
  /** As openssl writes it: "DNS:localhost,IP:127.0.0.1". */
  readonly names?: string;
  /** 1 by default, negative: it ended so long ago. */
  readonly days?: number;
  readonly usage?: "serverAuth" | "clientAuth" | "serverAuth,clientAuth";
  /** By an authority between, which is not sent along. */
  readonly isMissingIntermediate?: boolean;
  readonly isSelfSigned?: boolean;
}

export function missingOpenssl(): boolean {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return false;
  } catch {
    const complaint = "no openssl on PATH (Debian: openssl): TLS";
    if (process.env["CI"] === "true") throw new Error(`${complaint} must be tested in CI`);
    process.stderr.write(`\n***** SKIPPING TESTS: ${complaint} is NOT tested *****\n`);
    return true;
  }
}

const LOCAL_NAMES = "DNS:localhost,IP:127.0.0.1";

export class Authority implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "shoal-certificates-"));
  readonly caFile: string;
  private readonly root: Certificate;
  private between: Certificate | null = null;
  private count = 0;

  constructor(name = "authority") {
    this.root = this.make({ subject: `/CN=${name}`, days: 3650 }, null, true);
    this.caFile = this.root.certFile;
  }

  /** A certificate for this machine, unless something else is wished. */
  issue(wish: CertificateWish = {}): Certificate {
    if (wish.isSelfSigned === true) return this.make(wish, null, false);
    if (wish.isMissingIntermediate === true) {
      this.between ??= this.make({ subject: "/CN=between" }, this.root, true);
      return this.make(wish, this.between, false);
    }
    return this.make(wish, this.root, false);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private make(wish: CertificateWish, signer: Certificate | null, isAuthority: boolean): Certificate {
    const base = join(this.folder, `${++this.count}`);
    const files = { certFile: `${base}.pem`, keyFile: `${base}-key.pem` };
    const extensions = isAuthority
      ? ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"]
      : [
          "basicConstraints=CA:FALSE",
          `subjectAltName=${wish.names ?? LOCAL_NAMES}`,
          `extendedKeyUsage=${wish.usage ?? "serverAuth,clientAuth"}`,
        ].filter((line) => line !== "subjectAltName=");
    writeFileSync(`${base}.ext`, extensions.join("\n"));
    const subject = wish.subject ?? "/CN=localhost";
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", files.keyFile];
    openssl(["req", "-new", ...key, "-out", `${base}.csr`, "-subj", subject, "-multivalue-rdn", "-utf8"]);
    const signed =
      signer === null
        ? ["-signkey", files.keyFile]
        : ["-CA", signer.certFile, "-CAkey", signer.keyFile, "-set_serial", String(1000 + this.count)];
    const options = ["-req", "-in", `${base}.csr`, "-out", files.certFile, "-extfile", `${base}.ext`];
    openssl(["x509", ...options, ...signed, "-days", String(wish.days ?? 1)]);
    return { ...files, pin: pinOf(files.certFile) };
  }
}

function openssl(args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
}

function pinOf(certFile: string): string {
  const { publicKey } = new X509Certificate(readFileSync(certFile));
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");
}
