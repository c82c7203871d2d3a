/**
 * The certificates of a port, read from files and checked. It never changes: who wants the files read again makes another one;
 * connections that stand keep theirs. What a handshake looks like is in tls.ts.
 */
import { constants, randomBytes, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { SecureContext, SecureContextOptions } from "node:tls";
import { nodeTls } from "./node-tls.ts";

export interface TlsFiles {
  /** None: no peer that connects is served; servers can be dialled. */
  readonly certificates: readonly { readonly certFile: string; readonly keyFile: string }[];
  /** null: those that the system trusts. */
  readonly caFile: string | null;
  /** Certificates of peers are verified. */
  readonly verifies: boolean;
  /** OpenSSL's lists. */
  readonly ciphers: string;
  readonly curves: string;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
}

/** A certificate in use. */
export interface CertificateFacts {
  readonly file: string;
  readonly subject: string;
  readonly serialNumber: string;
  /** SHA-256 in hexadecimal with colons. */
  readonly fingerprint: string;
  readonly notAfterMs: number;
}

interface Pair {
  readonly leaf: X509Certificate;
  readonly facts: CertificateFacts;
  readonly options: SecureContextOptions;
  readonly context: SecureContext;
}

/** What servers answer for a name that a client asks for: the certificate that has it, else the first one. */
export type ChooseContext = (
  name: string,
  chosen: (error: Error | null, context?: SecureContext) => void,
) => void;

export class TlsContext {
  /** Only where there is a choice: it costs each handshake a little. */
  readonly choose: ChooseContext | undefined;
  private readonly pairs: readonly Pair[];
  /** Without a certificate. The context is made once it is needed: the system has many authorities. */
  private readonly bare: SecureContextOptions;
  private bareContext: SecureContext | null = null;
  private readonly files: TlsFiles;

  /** Throws with what is wrong with which file. */
  constructor(files: TlsFiles) {
    this.files = files;
    this.bare = { minVersion: files.minVersion };
    this.pairs = load(files);
    this.choose =
      files.certificates.length < 2 ? undefined : (name, chosen) => chosen(null, this.contextFor(name));
  }

  get current(): SecureContext {
    return this.pairs[0]?.context ?? (this.bareContext ??= this.withoutCertificate());
  }

  /** For a server of Node's own. */
  get options(): SecureContextOptions {
    return this.pairs[0]?.options ?? this.bare;
  }

  get certificates(): readonly CertificateFacts[] {
    return this.pairs.map(({ facts }) => facts);
  }

  private withoutCertificate(): SecureContext {
    const ca = readAuthorities(this.files);
    return nodeTls().createSecureContext({ ...this.bare, ...(ca === undefined ? {} : { ca }) });
  }

  private contextFor(name: string): SecureContext {
    const found = this.pairs.find(({ leaf }) => leaf.checkHost(name, { subject: "never" }) !== undefined);
    return found?.context ?? this.current;
  }
}

function load(files: TlsFiles): Pair[] {
  // The authorities of the system take a quarter of a second, and a server that dials nobody needs none.
  if (files.certificates.length === 0 && files.caFile === null) return [];
  const ca = readAuthorities(files);
  return files.certificates.map(({ certFile, keyFile }) => {
    const cert = readText(certFile);
    const leaf = parsed(certFile, () => new X509Certificate(cert));
    const options: SecureContextOptions = {
      cert,
      key: readText(keyFile),
      ...(ca === undefined ? {} : { ca }),
      minVersion: files.minVersion,
      ciphers: files.ciphers,
      ecdhCurve: files.curves,
      honorCipherOrder: true,
      // Without one, sessions of clients with certificates cannot be resumed.
      sessionIdContext: randomBytes(16).toString("hex"),
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
    };
    const context = parsed(`${certFile} with the key ${keyFile}`, () =>
      nodeTls().createSecureContext(options),
    );
    return { leaf, facts: factsOf(certFile, leaf), options, context };
  });
}

function readAuthorities({ caFile, verifies }: TlsFiles): string | string[] | undefined {
  if (caFile === null) return verifies ? nodeTls().getCACertificates("system") : undefined;
  const text = readText(caFile);
  parsed(caFile, () => new X509Certificate(text));
  return text;
}

function factsOf(file: string, leaf: X509Certificate): CertificateFacts {
  return {
    file,
    subject: leaf.subject.replaceAll("\n", ","),
    serialNumber: leaf.serialNumber,
    fingerprint: leaf.fingerprint256,
    notAfterMs: leaf.validToDate.getTime(),
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch (error) {
    throw new Error(`TLS: cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? "unknown error"}`, {
      cause: error,
    });
  }
}

function parsed<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new Error(`TLS: cannot use ${what}: ${reasonOf(error)}`, { cause: error });
  }
}

/** OpenSSL puts numbers and its own file names around what it has to say. */
function reasonOf(error: unknown): string {
  const { reason, message } = error as { reason?: string; message?: string };
  return reason ?? message ?? String(error);
}
