/**
 * The leader's side of a catch-up. It sends the snapshot if its log no longer has the entries, then stored entries in order, with a bounded
 * number of unacknowledged bytes. Nothing marks the end: the follower knows where it has to arrive.
 */
import { assert } from "../base/assert.ts";
import type { AppendEntry, PeerId } from "./messages.ts";
import { EntryType, indexOf } from "./messages.ts";
import { endFor, progressOf } from "./progress.ts";
import { CATCHUP_BYTES_MAX, type CatchUp, type RaftState, type RaftSnapshot } from "./state.ts";
import { progressInbox } from "./subjects.ts";
import { encodePeerState } from "./wire.ts";

/** The approximate overhead of an entry. */
const FRAME_BYTES = 64;

export function startCatchUp(state: RaftState, peer: PeerId, inbox: string, hasIndex: number): void {
  const progress = progressOf(state, peer);
  if (progress === undefined) return;
  if (progress.catchUp !== undefined) state.ready.unsubscribe.push(progress.catchUp.progressInbox);
  const catchUp: CatchUp = {
    inbox,
    progressInbox: progressInbox(state.random),
    nextIndex: hasIndex + 1,
    endIndex: state.log.lastIndex,
    isReading: false,
    outstandingBytes: 0,
    unacknowledged: [],
    movedMs: state.nowMs,
  };
  progress.catchUp = catchUp;
  state.ready.subscribe.push(catchUp.progressInbox);
  if (hasIndex < state.log.startIndex) catchUp.nextIndex = 0;
  readOn(state, peer, catchUp);
}

export function takeRead(
  state: RaftState,
  peer: PeerId,
  inbox: string,
  entries: readonly AppendEntry[],
): void {
  const catchUp = runningTo(state, peer, inbox);
  if (catchUp === undefined) return;
  if (entries.length === 0) return endFor(state, peer);
  for (const entry of entries) {
    const index = indexOf(entry);
    // it was overtaken by a compaction, or by a leadership that came in between
    if (index !== catchUp.nextIndex || state.log.termAt(index) !== entry.term) return endFor(state, peer);
    let bytes = FRAME_BYTES;
    for (const { data } of entry.entries) bytes += data.length;
    catchUp.nextIndex++;
    catchUp.outstandingBytes += bytes;
    catchUp.unacknowledged.push({ index, bytes });
    const body = { ...entry, commit: state.commit, currentTerm: state.term };
    state.ready.send.push({
      subject: inbox,
      reply: catchUp.progressInbox,
      message: { kind: "append", body },
    });
  }
  readOn(state, peer, catchUp);
}

export function takeSnapshotRead(
  state: RaftState,
  peer: PeerId,
  inbox: string,
  snapshot: RaftSnapshot,
): void {
  const catchUp = runningTo(state, peer, inbox);
  if (catchUp === undefined) return;
  if (snapshot.index < state.log.startIndex) return endFor(state, peer);
  catchUp.nextIndex = snapshot.index + 1;
  const body: AppendEntry = {
    leader: state.id,
    term: state.term,
    commit: state.commit,
    prevTerm: snapshot.term,
    prevIndex: snapshot.index,
    entries: [
      { type: EntryType.SNAPSHOT, data: snapshot.data },
      { type: EntryType.PEER_STATE, data: encodePeerState(snapshot.peers) },
    ],
    currentTerm: state.term,
  };
  state.ready.send.push({ subject: inbox, reply: state.inbox, message: { kind: "append", body } });
  readOn(state, peer, catchUp);
}

/** An answer on the inbox of a catch-up. */
export function takeProgress(state: RaftState, subject: string, index: number): void {
  if (state.role !== "leader") return;
  for (const [peer, { catchUp }] of state.progress ?? []) {
    if (catchUp?.progressInbox !== subject) continue;
    catchUp.movedMs = state.nowMs;
    while (catchUp.unacknowledged.length > 0 && catchUp.unacknowledged[0]!.index <= index)
      catchUp.outstandingBytes -= catchUp.unacknowledged.shift()!.bytes;
    assert(catchUp.outstandingBytes >= 0, "bytes of a catch-up are acknowledged once");
    readOn(state, peer, catchUp);
    return;
  }
}

function readOn(state: RaftState, peer: PeerId, catchUp: CatchUp): void {
  if (catchUp.isReading) return;
  if (catchUp.nextIndex > catchUp.endIndex) {
    if (catchUp.unacknowledged.length === 0) endFor(state, peer);
    return;
  }
  const bytesMax = CATCHUP_BYTES_MAX - catchUp.outstandingBytes;
  if (bytesMax <= 0) return;
  catchUp.isReading = true;
  state.ready.read.push({ peer, inbox: catchUp.inbox, fromIndex: catchUp.nextIndex, bytesMax });
}

function runningTo(state: RaftState, peer: PeerId, inbox: string): CatchUp | undefined {
  const catchUp = state.role === "leader" ? state.progress?.get(peer)?.catchUp : undefined;
  if (catchUp?.inbox !== inbox || !catchUp.isReading) return undefined;
  catchUp.isReading = false;
  return catchUp;
}
