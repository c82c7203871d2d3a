/** An attempt to connect: the credentials of a client, and what the server knows of their sender. */
import type { X509Certificate } from "node:crypto";
import type { ConnectionType } from "../base/connection-type.ts";

/** What a client presents in CONNECT; "" for what it does not present. */
export interface Credentials {
  readonly user: string;
  readonly pass: string;
  readonly authToken: string;
  readonly nkey: string;
  readonly sig: string;
  /** The rest only concerns callouts. */
  readonly jwt?: string;
  readonly name?: string;
  readonly lang?: string;
  readonly version?: string;
  readonly protocol?: number;
}

export interface Attempt {
  readonly credentials: Credentials;
  /** The text that the client was given to sign; "": none. */
  readonly nonce: string;
  readonly address: string;
  /** Whether the client is still connected. */
  isWanted(): boolean;
  readonly connectionType: ConnectionType;
  /** As a callout is told. Absent: "nats". */
  readonly clientType?: string;
  /** Public nkey of the trusted proxy that the client came through; "": none. */
  readonly proxyKey: string;
  /** The client's verified certificate; undefined: it has presented none. */
  readonly certificate?: X509Certificate | undefined;
  /** The number of the connection. */
  readonly cid?: number;
  /** Absent: plaintext. */
  readonly tls?: { readonly version: string; readonly cipherSuite: string } | undefined;
  /** The client as its token names it; absent: no token counts. `key`: "": the server has lent it the token. */
  readonly signed?: { readonly key: string; readonly name: string; readonly tags: readonly string[] };
  /** Called when a service is asked, whose answer has a time limit of its own. */
  onDelegated?(): void;
}

/** The client as logs name it, without secrets. */
export function describeAttempt({ credentials: { user, nkey, authToken }, certificate }: Attempt): string {
  if (nkey !== "") return `Nkey ${JSON.stringify(nkey)}`;
  if (user !== "") return `User ${JSON.stringify(user)}`;
  if (authToken !== "") return 'Token "[REDACTED]"';
  return certificate === undefined ? "no credentials" : `Certificate ${certificate.subject}`;
}
