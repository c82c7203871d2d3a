/** What every connection shows of itself at one moment, as plain values; each kind adds its own. */
import type { Grant } from "../../auth/grant.ts";
import type { Wire } from "../../transport/wire.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { Outbox } from "./outbox.ts";

export interface ConnectionSnapshot {
  readonly address: string;
  readonly port: number;
  readonly startedMs: number;
  readonly lastActivityMs: number;
  /** 0: not known yet. */
  readonly roundTripMs: number;
  readonly pendingBytes: number;
  readonly inMessages: number;
  readonly outMessages: number;
  readonly inBytes: number;
  readonly outBytes: number;
}

/** What events say of a connection: that of a client, or of a leaf node. "" and null: not known. */
export interface AdmittedSnapshot extends ConnectionSnapshot {
  readonly cid: number;
  /** "": a leaf node. */
  readonly clientType: "nats" | "websocket" | "";
  readonly name: string;
  readonly lang: string;
  readonly version: string;
  /** "" where clients need no credentials. */
  readonly user: string;
  readonly account: string;
  /** What people call the account. */
  readonly accountTag: string;
  /** What the token of the peer says; null: it has presented none that counts. */
  readonly signed: SignedSnapshot | null;
  /** "" while it is open. */
  readonly closedFor: string;
}

interface SignedSnapshot {
  /** "" where the token alone admits whoever has it. */
  readonly jwt: string;
  /** Public nkey of the key that signed it. */
  readonly issuer: string;
  readonly tags: readonly string[];
}

export function signedSnapshot(grant: Grant | null): SignedSnapshot | null {
  if (grant?.origin.kind !== "jwt") return null;
  const { jwt, token, terms } = grant.origin.user;
  const isHidden = terms.isBearer || grant.origin.how === "callout";
  return { jwt: isHidden ? "" : jwt, issuer: token.issuer, tags: token.tags };
}

type Counted = Pick<
  ConnectionSnapshot,
  "startedMs" | "lastActivityMs" | "inMessages" | "outMessages" | "inBytes" | "outBytes"
>;

interface Shown extends Counted {
  readonly wire: Pick<Wire, "remote">;
  readonly heartbeat: Heartbeat;
  readonly outbox: Outbox;
}

export function connectionSnapshot(connection: Shown): ConnectionSnapshot {
  const { address, port } = connection.wire.remote;
  return {
    address,
    port,
    startedMs: connection.startedMs,
    lastActivityMs: connection.lastActivityMs,
    roundTripMs: connection.heartbeat.roundTripMs,
    pendingBytes: connection.outbox.pendingBytes,
    inMessages: connection.inMessages,
    outMessages: connection.outMessages,
    inBytes: connection.inBytes,
    outBytes: connection.outBytes,
  };
}
