/**
 * A follower's side of replication. Entries come live, on the subject of the group, or in a catch-up, on an inbox of its own. Messages may
 * come late, twice and in any order, so what an entry says is compared with the log before anything is cut.
 *
 * An answer acknowledges what is known to be the same as the leader's, never more; and an answer to a catch-up goes to the inbox of that
 * catch-up alone.
 */
import { assert } from "../base/assert.ts";
import { isMember, revertMembership, takeMembership } from "./membership.ts";
import { EntryType, type AppendEntry, type PeerId } from "./messages.ts";
import { asksTerms, followsFirst, isWhole, recovered } from "./recovery.ts";
import { ignoreSigns } from "./signs.ts";
import { becomeFollower, endCatchUp, resetElection, takeTerm } from "./standing.ts";
import { HELD_MAX, Timing, type RaftState, type RaftSnapshot } from "./state.ts";
import { catchUpInbox, PROGRESS_PREFIX } from "./subjects.ts";
import { decodePeerState, PEER_ID_BYTES, readPeer } from "./wire.ts";
import { raiseCommit } from "./committing.ts";

/** On the subject of the group. */
export function takeLive(state: RaftState, append: AppendEntry, reply: string): void {
  if (append.leader === state.id) return;
  if (asksTerms(state) && !followsFirst(state, append.leader, append.term)) return;
  const term = Math.max(append.term, append.currentTerm);
  if (term < state.term) return refuse(state, reply);
  if (term > state.term) {
    endCatchUp(state);
    takeTerm(state, term);
  }
  becomeFollower(state, append.leader);
  if (term > state.endedTerm) hearLeader(state, append.leader);
  if (state.catchingUp !== undefined) return hold(state, append, reply);
  if (append.prevIndex > state.log.lastIndex) return askCatchUp(state, append, reply);
  if (!agreesBefore(state, append)) return askCatchUp(state, append, reply);
  store(state, append);
  if (!isWhole(state) && state.log.lastIndex === matchedBy(append)) recovered(state);
  acknowledge(state, append, reply);
}

function hearLeader(state: RaftState, leader: PeerId): void {
  resetElection(state);
  state.followed.atMs = state.nowMs;
  state.followed.process = state.signs.processOf(leader);
}

/** On the inbox of a catch-up. */
export function takeCatchUp(state: RaftState, subject: string, append: AppendEntry, reply: string): void {
  const { catchingUp } = state;
  if (catchingUp === undefined || subject !== catchingUp.inbox || state.role === "leader") return;
  const term = Math.max(append.term, append.currentTerm);
  if (term < state.term) return;
  if (term > state.term) takeTerm(state, term);
  resetElection(state);
  const { early, held, aimIndex } = catchingUp;
  if (append.prevIndex > state.log.lastIndex && snapshotIn(append) === undefined) {
    if (early.size < HELD_MAX) early.set(append.prevIndex, { append, reply });
    return;
  }
  catchingUp.movedMs = state.nowMs;
  takeStored(state, append, reply);
  for (;;) {
    const next = early.get(state.log.lastIndex);
    if (next === undefined || state.catchingUp !== catchingUp) break;
    early.delete(state.log.lastIndex);
    takeStored(state, next.append, next.reply);
  }
  if (state.catchingUp !== catchingUp || state.log.lastIndex < aimIndex) return;
  endCatchUp(state);
  for (const live of held) takeLive(state, live.append, live.reply);
}

/** An entry of a catch-up that follows on what is there, or a snapshot. */
function takeStored(state: RaftState, append: AppendEntry, reply: string): void {
  if (append.prevIndex > state.log.lastIndex) {
    install(state, snapshotIn(append)!);
  } else if (append.prevIndex >= state.log.startIndex) {
    if (!agreesBefore(state, append)) return endCatchUp(state);
    if (snapshotIn(append) === undefined) store(state, append);
  }
  if (reply.startsWith(PROGRESS_PREFIX)) acknowledge(state, append, reply);
}

/** The log holds what stands before an entry. If it holds something else there, that is cut: it cannot be committed. */
function agreesBefore(state: RaftState, append: AppendEntry): boolean {
  const { log } = state;
  const term = log.termAt(append.prevIndex);
  if (term === append.prevTerm) return true;
  // before the start of the log everything is committed, and so the same
  if (append.prevIndex < log.startIndex) return true;
  assert(append.prevIndex > state.commit, "what is committed is the same everywhere");
  cutAfter(state, append.prevIndex - 1);
  return false;
}

/** Appends an entry that follows on the log, unless it is there already. */
function store(state: RaftState, append: AppendEntry): void {
  const { log } = state;
  const index = matchedBy(append);
  if (append.entries.length > 0 && index > log.startIndex && log.termAt(index) !== append.term) {
    if (index <= log.lastIndex) {
      assert(index > state.commit, "what is committed is the same everywhere");
      cutAfter(state, index - 1);
    }
    log.append(append.term);
    assert(log.lastIndex === index, "entries follow on each other");
    state.ready.append.push({ ...append, currentTerm: 0 });
    takeMembership(state, append, index);
    takeSuccession(state, append);
    if (state.catchingUp !== undefined) state.catchingUp.movedMs = state.nowMs;
  }
  raiseCommit(state, Math.min(append.commit, index));
}

function cutAfter(state: RaftState, index: number): void {
  assert(index >= state.commit, "nothing that is committed is cut");
  assert(state.ready.append.length === 0, "a step cuts before it appends");
  state.log.cutAfter(index);
  state.durable = Math.min(state.durable, index);
  state.ready.cutAfter = index;
  revertMembership(state, index);
}

/** The last index that is the leader's once the entry is stored. */
const matchedBy = (append: AppendEntry): number => append.prevIndex + (append.entries.length > 0 ? 1 : 0);

function acknowledge(state: RaftState, append: AppendEntry, reply: string): void {
  if (reply === "") return;
  const index = Math.max(matchedBy(append), state.log.startIndex);
  const term = state.log.termAt(index);
  assert(term !== undefined, "what is acknowledged is in the log");
  const body = { term, index, peer: state.id, isSuccess: true };
  state.ready.send.push({ subject: reply, reply: "", message: { kind: "append response", body } });
}

/** A leader of an older term learns of the newer. */
function refuse(state: RaftState, reply: string): void {
  if (reply === "") return;
  const body = { term: state.term, index: state.log.lastIndex, peer: state.id, isSuccess: false };
  state.ready.send.push({ subject: reply, reply: "", message: { kind: "append response", body } });
}

function askCatchUp(state: RaftState, append: AppendEntry, reply: string): void {
  if (reply === "") return;
  endCatchUp(state);
  const inbox = catchUpInbox(state.random);
  state.catchingUp = {
    inbox,
    aimIndex: append.prevIndex,
    movedMs: state.nowMs,
    early: new Map(),
    held: [{ append, reply }],
  };
  state.ready.subscribe.push(inbox);
  const { lastTerm: term, lastIndex: index } = state.log;
  const body = { term, index, peer: state.id, isSuccess: false };
  state.ready.send.push({ subject: reply, reply: inbox, message: { kind: "append response", body } });
}

/** A live entry during a catch-up. */
function hold(state: RaftState, append: AppendEntry, reply: string): void {
  const { held, movedMs } = state.catchingUp!;
  if (state.nowMs - movedMs >= Timing.CATCHUP_STALLED_MS) return askCatchUp(state, append, reply);
  if (held.length < HELD_MAX) held.push({ append, reply });
}

function snapshotIn({ entries, prevIndex, prevTerm }: AppendEntry): RaftSnapshot | undefined {
  const [first, second] = entries;
  if (entries.length !== 2 || second!.type !== EntryType.PEER_STATE) return undefined;
  if (first!.type !== EntryType.SNAPSHOT && first!.type !== EntryType.OLD_SNAPSHOT) return undefined;
  const peers = decodePeerState(second!.data);
  return peers && { index: prevIndex, term: prevTerm, peers, data: first!.data };
}

function install(state: RaftState, snapshot: RaftSnapshot): void {
  const { log } = state;
  assert(snapshot.index > state.commit, "a snapshot brings what is not there yet");
  log.replace(snapshot.index, snapshot.term);
  state.durable = snapshot.index;
  state.peers = snapshot.peers;
  state.change = undefined;
  state.commit = snapshot.index;
  state.ready.commit = state.commit;
  state.ready.snapshot = snapshot;
}

/** A leader has named the peer that is to follow it. */
function takeSuccession(state: RaftState, { term, entries }: AppendEntry): void {
  for (const { type, data } of entries) {
    if (type !== EntryType.LEADER_TRANSFER || data.length !== PEER_ID_BYTES || state.catchingUp !== undefined)
      continue;
    const isMe = readPeer(data) === state.id && isMember(state, state.id);
    const { SUCCESSION_MS, SUCCESSION_FAILED_MS, CAMPAIGN_MAX_MS } = Timing;
    ignoreSigns(state);
    state.endedTerm = Math.max(state.endedTerm, term);
    state.electionDueMs =
      state.nowMs +
      (isMe ? SUCCESSION_MS : SUCCESSION_FAILED_MS + Math.floor(state.random.next() * CAMPAIGN_MAX_MS));
  }
}
