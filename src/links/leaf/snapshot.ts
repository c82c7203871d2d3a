/** The state of a leaf connection at one moment, as plain values. */
import type { RemoteInterest } from "../../core/subscription.ts";
import type { LeafPeer } from "./handshake.ts";
import type { LeafSession } from "./session.ts";

export interface LeafSnapshot {
  readonly lid: number;
  readonly peer: LeafPeer;
  /** This server is the spoke. */
  readonly isSpoke: boolean;
  readonly isIsolated: boolean;
  /** This server has dialled. */
  readonly isSolicited: boolean;
  readonly account: string;
  readonly user: string;
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
  /** Subjects and queue groups that the peer is interested in. */
  readonly interests: number;
  readonly interest: () => Iterable<RemoteInterest>;
}

/** null: messages do not cross yet. */
export function leafSnapshot(session: LeafSession): LeafSnapshot | null {
  const { account, interests, wire, heartbeat, outbox } = session;
  if (account === null || interests === null || !session.isOpen) return null;
  return {
    lid: session.lid,
    peer: session.peer,
    isSpoke: session.tier === "hub",
    isIsolated: session.isIsolated,
    isSolicited: session.remote !== null,
    account: account.name,
    user: session.user,
    address: wire.remote.address,
    port: wire.remote.port,
    startedMs: session.startedMs,
    lastActivityMs: session.lastActivityMs,
    roundTripMs: heartbeat.roundTripMs,
    pendingBytes: outbox.pendingBytes,
    inMessages: session.inMessages,
    outMessages: session.outMessages,
    inBytes: session.inBytes,
    outBytes: session.outBytes,
    interests: interests.size,
    interest: () => interests,
  };
}
