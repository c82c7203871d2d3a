/** Bodies of the records that are no entries. The membership is written as JSON: it is small and rare. */
import type { SnapshotHead } from "../../raft/driver/group-log.ts";
import type { HardState, LostPart, RaftSnapshot } from "../../raft/state.ts";
import type { PeerState } from "../../raft/messages.ts";
import { getU32, putU32 } from "../bytes.ts";
import type { JournalRecord } from "./journal-record.ts";

const LOSSES: readonly LostPart[] = ["none", "log", "all"];

export function hardBody({ vote, loss }: HardState): Uint8Array {
  return Buffer.from(String.fromCharCode(LOSSES.indexOf(loss)) + vote, "latin1");
}

/** The body is sound. */
export function readHard(body: Buffer, term: number): HardState {
  return { term, vote: body.toString("latin1", 1), loss: LOSSES[body[0]!] ?? "all" };
}

export function snapshotBody({ peers, data }: RaftSnapshot): Uint8Array {
  const membership = Buffer.from(JSON.stringify(peers), "latin1");
  const body = Buffer.allocUnsafe(4 + membership.length + data.length);
  putU32(body, 0, membership.length);
  membership.copy(body, 4);
  body.set(data, 4 + membership.length);
  return body;
}

export function readSnapshotHead(body: Buffer, { index, term }: JournalRecord): SnapshotHead {
  const peers = JSON.parse(body.toString("latin1", 4, dataAt(body))) as PeerState;
  return { index, term, peers };
}

/** Where the data of a snapshot begins. */
export const dataAt = (body: Buffer): number => 4 + getU32(body, 0);
