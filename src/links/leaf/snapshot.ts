/** The state of a leaf connection at one moment, as plain values. */
import type { Account } from "../../core/account.ts";
import type { RemoteInterest } from "../../core/subscription.ts";
import {
  connectionSnapshot,
  signedSnapshot,
  type ConnectionSnapshot,
  type AdmittedSnapshot,
} from "../trunk/snapshot.ts";
import type { LeafPeer } from "./handshake.ts";
import type { LeafSession } from "./session.ts";

export interface LeafSnapshot extends ConnectionSnapshot {
  readonly lid: number;
  readonly peer: LeafPeer;
  /** This server is the spoke. */
  readonly isSpoke: boolean;
  readonly isIsolated: boolean;
  /** This server has dialled. */
  readonly isSolicited: boolean;
  readonly account: string;
  readonly user: string;
  /** The mode that was agreed on, or the level of it. */
  readonly compression: string;
  /** Subjects and queue groups that the peer is interested in. */
  readonly interests: number;
  readonly interest: () => Iterable<RemoteInterest>;
}

/** null: messages do not cross yet. */
export function leafSnapshot(session: LeafSession): LeafSnapshot | null {
  const { account, interests } = session;
  if (account === null || interests === null || !session.isOpen) return null;
  return {
    ...connectionSnapshot(session),
    lid: session.lid,
    peer: session.peer,
    isSpoke: session.tier === "hub",
    isIsolated: session.isIsolated,
    isSolicited: session.remote !== null,
    account: account.name,
    user: session.user,
    compression: session.compression.mode,
    interests: interests.size,
    interest: () => interests,
  };
}

/** As events describe it. Of a hub that this server has dialled nats-server 2.15 tells no name. */
export function leafPeerSnapshot(session: LeafSession, account: Account): AdmittedSnapshot {
  const { peer, remote } = session;
  const { name, version } = remote === null ? peer : NAMELESS;
  return {
    ...connectionSnapshot(session),
    ...{ cid: session.lid, clientType: "", lang: "", name, version },
    user: session.user,
    account: account.name,
    accountTag: account.nameTag || account.name,
    signed: signedSnapshot(session.grant),
    closedFor: session.closedFor,
  };
}

const NAMELESS = { name: "", version: "" };
