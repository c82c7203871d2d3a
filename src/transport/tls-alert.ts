/**
 * The alert that tells a client why its certificate is not taken. Node verifies certificates after OpenSSL has accepted them, and
 * has no way to send an alert: what OpenSSL would send is made here. That is possible at one moment: when the client's part
 * of the handshake has been read and nothing of the server's answer to it has been written.
 *
 * With TLS 1.2 the server has not begun to encrypt at that moment. With TLS 1.3 (RFC 8446, 5.2 and 7.3) the alert is the first record
 * under the key that the server's traffic secret gives.
 */
import { createCipheriv, createHmac, type CipherGCMTypes } from "node:crypto";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

export type Alert = keyof typeof ALERTS;

const ALERTS = { "bad certificate": 42, "certificate expired": 45, "unknown ca": 48 } as const;

const FATAL = 2;
const ALERT_RECORD = 21;
const DATA_RECORD = 23;
/** TLS 1.2, which records of TLS 1.3 name as well. */
const RECORD_VERSION = [3, 3] as const;
const IV_BYTES = 12;
const TAG_BYTES = 16;

interface Suite {
  readonly cipher: CipherGCMTypes | "chacha20-poly1305";
  readonly hash: "sha256" | "sha384";
  readonly keyBytes: number;
}

/** OpenSSL's default suites for TLS 1.3, by their standard names. */
const SUITES: Readonly<Record<string, Suite>> = {
  TLS_AES_128_GCM_SHA256: { cipher: "aes-128-gcm", hash: "sha256", keyBytes: 16 },
  TLS_AES_256_GCM_SHA384: { cipher: "aes-256-gcm", hash: "sha384", keyBytes: 32 },
  TLS_CHACHA20_POLY1305_SHA256: { cipher: "chacha20-poly1305", hash: "sha256", keyBytes: 32 },
};

/** Writes the alert of one handshake; `raw` carries the records of `secured`. Keeps a TLS 1.3 secret until it is disposed. */
export class AlertSender implements Disposable {
  private readonly raw: Socket;
  private readonly secured: TLSSocket;
  private secret: Buffer | null = null;

  constructor(raw: Socket, secured: TLSSocket) {
    this.raw = raw;
    this.secured = secured;
    secured.on("keylog", this.onKey);
  }

  /** Right when the handshake has succeeded, before anything is written. The connection has to be destroyed then. */
  send(alert: Alert): void {
    const record =
      this.secured.getProtocol() === "TLSv1.3"
        ? this.secret && sealedAlert(alert, this.secret, this.secured.getCipher().standardName)
        : openAlert(alert);
    if (record !== null) this.raw.write(record);
  }

  [Symbol.dispose](): void {
    this.secured.off("keylog", this.onKey);
    this.secret = null;
  }

  /** A line of a key log: a label, the client's random, the secret. */
  private readonly onKey = (line: Buffer): void => {
    const [label, , secret] = line.toString("latin1").trim().split(" ");
    if (label === "SERVER_TRAFFIC_SECRET_0") this.secret = Buffer.from(secret ?? "", "hex");
  };
}

/** The unencrypted record for a TLS 1.2 connection. */
function openAlert(alert: Alert): Buffer {
  return Buffer.from([ALERT_RECORD, ...RECORD_VERSION, 0, 2, FATAL, ALERTS[alert]]);
}

/** The first record that a server sends under `secret` with TLS 1.3; null: the suite is not known here. */
function sealedAlert(alert: Alert, secret: Buffer, suiteName: string): Buffer | null {
  const suite = SUITES[suiteName];
  if (suite === undefined) return null;
  const { cipher: name, hash, keyBytes } = suite;
  // The first record: its sequence number, 0, leaves the initialisation vector as it is.
  const key = expand(secret, "key", keyBytes, hash);
  const iv = expand(secret, "iv", IV_BYTES, hash);
  const plain = Buffer.from([FATAL, ALERTS[alert], ALERT_RECORD]);
  const head = Buffer.from([DATA_RECORD, ...RECORD_VERSION, 0, plain.length + TAG_BYTES]);
  const cipher = createCipheriv(name as CipherGCMTypes, key, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(head);
  return Buffer.concat([head, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** HKDF-Expand-Label with an empty context, for no more than one hash. */
function expand(secret: Buffer, label: string, length: number, hash: Suite["hash"]): Buffer {
  const fullLabel = `tls13 ${label}`;
  const info = Buffer.from([0, length, fullLabel.length, ...Buffer.from(fullLabel), 0, 1]);
  return createHmac(hash, secret).update(info).digest().subarray(0, length);
}
