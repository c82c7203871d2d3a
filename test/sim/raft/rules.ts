/**
 * The rules of Raft, each as a few steps of one member and what it may answer. They need no luck, where the simulation may need many seeds to
 * come upon a break.
 */
import assert from "node:assert/strict";
import { EntryType } from "../../../src/raft/messages.ts";
import type { RaftNode } from "../../../src/raft/node.ts";
import { Timing, type Ready } from "../../../src/raft/state.ts";
import { peerBytes } from "../../../src/raft/wire.ts";
import { CATCH_UP_RULES } from "./catch-up-rules.ts";
import { JOURNAL_RULES, type Rule } from "./journal-rules.ts";
import { B, C, D, E, entry, FIVE, hardOf, Member, SELF, THREE } from "./one-member.ts";

function grants({ send }: Ready): boolean {
  return send.some(({ message }) => message.kind === "vote response" && message.body.isGranted);
}

const propose = (member: Member): Ready =>
  member.step({ kind: "propose", entries: [{ type: EntryType.NORMAL, data: Buffer.from("x") }] });

const VOTING: readonly Rule[] = [
  [
    "votes once in a term, and has its vote and the term on the disk before it says so",
    () => {
      const member = new Member({ terms: [1] });
      const ready = member.asked(2, 1, 1);
      assert.ok(grants(ready));
      assert.deepEqual(ready.save, hardOf(2, B));
      assert.equal(ready.sendAtOnce.length, 0);
      assert.ok(!grants(member.asked(2, 1, 5, C)));
    },
  ],
  [
    "has a newer term on the disk before it answers anybody in it",
    () => {
      assert.equal(new Member({ terms: [1] }).asked(7, 0, 0).save?.term, 7);
      assert.equal(new Member({ terms: [1] }).live(entry(2, 7, 1)).save?.term, 7);
      const candidate = new Member({ terms: [1] });
      candidate.step({ kind: "campaign" });
      assert.equal(candidate.voted(B, false, false, { term: 7 } as RaftNode).save?.term, 7);
    },
  ],
  [
    "votes for no log that is behind its own, of which the term counts before the length",
    () => {
      assert.ok(!grants(new Member({ terms: [1, 1] }).asked(3, 1, 1)));
      assert.ok(!grants(new Member({ terms: [1, 2] }).asked(3, 1, 9)));
      assert.ok(grants(new Member({ terms: [1, 1, 1] }).asked(3, 2, 2)));
    },
  ],
  [
    "leads with a majority alone",
    () => {
      const member = new Member({ peers: FIVE, terms: [1] });
      member.step({ kind: "campaign" });
      member.voted(B);
      assert.equal(member.node.role, "candidate");
      member.voted(C);
      assert.equal(member.node.role, "leader");
    },
  ],
  [
    "follows a leader that has named it as its successor, however late that one's heartbeats come",
    () => {
      const member = new Member({ terms: [1] });
      const named = [{ type: EntryType.LEADER_TRANSFER, data: peerBytes(SELF) }];
      member.live({ ...entry(2, 1, 1), entries: named });
      member.live({ ...entry(3, 1, 1), entries: [] });
      member.nowMs = Timing.SUCCESSION_MS;
      member.step({ kind: "tick" });
      assert.equal(member.node.role, "candidate");
    },
  ],
  [
    "leads no more in a newer term",
    () => {
      const member = new Member({ terms: [1] }).lead(B);
      member.asked(9, 0, 0);
      assert.equal(member.node.role, "follower");
    },
  ],
  [
    "takes the votes of those who have nothing only together with those of all",
    () => {
      const member = new Member({ terms: [] });
      member.step({ kind: "campaign" });
      member.voted(B, true, true);
      assert.equal(member.node.role, "candidate");
      member.voted(C, true, true);
      assert.equal(member.node.role, "leader");
    },
  ],
];

const LOGS: readonly Rule[] = [
  [
    "counts its own entries once they are durable",
    () => {
      const member = new Member({ terms: [1] }).lead(B);
      member.has(B, 2);
      assert.equal(member.node.commit, 0);
      member.written(2);
      assert.equal(member.node.commit, 2);
    },
  ],
  [
    "commits entries of older terms by one of its own alone",
    () => {
      const member = new Member({ peers: FIVE, terms: [1, 2] }).lead(B, C);
      member.written(3);
      for (const peer of [B, C, D]) member.has(peer, 2, { term: 2 } as RaftNode);
      assert.equal(member.node.commit, 0);
      for (const peer of [B, C]) member.has(peer, 3);
      assert.equal(member.node.commit, 3);
    },
  ],
  [
    "takes no entry whose predecessor it does not have",
    () => {
      const member = new Member({ terms: [1, 1] });
      assert.equal(member.live(entry(3, 3, 2)).append.length, 0);
      assert.equal(member.live(entry(9, 3, 3)).append.length, 0);
    },
  ],
  [
    "acknowledges what is durable",
    () => {
      const ready = new Member({ terms: [1] }).live(entry(2, 1, 1));
      assert.equal(ready.append.length, 1);
      assert.equal(ready.sendAtOnce.length, 0);
      assert.equal(ready.send.length, 1);
    },
  ],
  [
    "cuts nothing that a late message has again",
    () => {
      const member = new Member({ terms: [1, 1, 1] });
      const ready = member.live(entry(2, 1, 1));
      assert.equal(ready.cutAfter, -1);
      assert.equal(member.node.lastIndex, 3);
    },
  ],
  [
    "follows no leader of an older term",
    () => {
      const ready = new Member({ terms: [1], hard: hardOf(5) }).live(entry(2, 4, 1));
      assert.equal(ready.append.length, 0);
    },
  ],
  [
    "changes one member at a time, and the membership back with what is cut",
    () => {
      const leader = new Member({ terms: [1] }).lead(B);
      leader.written(2);
      leader.has(B, 2);
      leader.step({ kind: "add peer", peer: D });
      leader.step({ kind: "add peer", peer: E });
      assert.deepEqual([...leader.node.peers.peers].sort(), [...THREE, D].sort());
      const follower = new Member({ terms: [1] });
      const data = peerBytes(D);
      follower.live({ ...entry(2, 1, 1), entries: [{ type: EntryType.ADD_PEER, data }] });
      assert.equal(follower.node.peers.peers.length, 4);
      follower.live(entry(2, 2, 1));
      assert.equal(follower.node.peers.peers.length, 3);
    },
  ],
  [
    "changes no member before it has committed something of its term",
    () => {
      const leader = new Member({ terms: [1] }).lead(B);
      leader.step({ kind: "add peer", peer: D });
      assert.equal(leader.node.peers.peers.length, 3);
      propose(leader);
      assert.equal(leader.node.lastIndex, 2);
    },
  ],
];

const LOSSES: readonly Rule[] = [
  [
    "neither votes nor campaigns after it has lost entries, and has that on its disk",
    () => {
      const member = new Member({ terms: [1], isDamaged: true });
      assert.equal(member.first.save?.loss, "log");
      assert.ok(!grants(member.asked(2, 1, 9)));
      member.step({ kind: "campaign" });
      assert.equal(member.node.role, "follower");
    },
  ],
  [
    "does not vote with an empty disk, nor answer a leader",
    () => {
      const member = new Member({ hard: undefined });
      assert.equal(member.first.save?.loss, "all");
      assert.ok(!grants(member.asked(2, 1, 9)));
      assert.equal(member.live(entry(1, 2, 0)).send.length, 0);
      // nor for one that has nothing, before every candidacy of before is over
      assert.ok(!grants(member.asked(3, 0, 0, C)));
      member.nowMs = Timing.VOTE_FORGOTTEN_MS;
      assert.ok(!grants(member.asked(4, 1, 9)));
      assert.ok(grants(member.asked(5, 0, 0, C)));
    },
  ],
  [
    "asks as many for their terms as meet every majority",
    () => {
      const member = new Member({ peers: FIVE, hard: undefined });
      member.nowMs = Timing.VOTE_FORGOTTEN_MS;
      for (const peer of [B, C]) member.voted(peer, false, false, { term: 7 } as RaftNode);
      assert.equal(member.live(entry(1, 7, 0)).send.length, 0);
      member.voted(D, false, false, { term: 7 } as RaftNode);
      assert.notEqual(member.live(entry(1, 7, 0)).send.length, 0);
    },
  ],
  [
    "begins with nothing where all others say that they have nothing, a moment ago",
    () => {
      const member = new Member({ hard: undefined });
      member.nowMs = Timing.VOTE_FORGOTTEN_MS;
      member.voted(B, false, true);
      member.step({ kind: "campaign" });
      assert.equal(member.node.role, "follower");
      member.voted(C, false, true);
      member.step({ kind: "campaign" });
      assert.equal(member.node.role, "candidate");
    },
  ],
  [
    "tells that it has lost something, and knows for a while who has told that",
    () => {
      const lost = new Member({ terms: [1], isDamaged: true });
      assert.deepEqual(lost.node.lostPeers, [SELF]);
      const [answer] = lost.asked(2, 1, 9).send;
      assert.ok(answer?.message.kind === "vote response" && answer.message.body.hasLost);
      const whole = new Member({ terms: [1] });
      whole.step({ kind: "campaign" });
      whole.voted(B, false, true);
      whole.voted(C, false, true);
      assert.deepEqual(whole.node.lostPeers, [B, C]);
      whole.voted(C, false);
      assert.deepEqual(whole.node.lostPeers, [B]);
      whole.nowMs = Timing.LOST_COUNTS_MS + 1;
      whole.step({ kind: "tick" });
      assert.deepEqual(whole.node.lostPeers, []);
    },
  ],
];

export const RULES: readonly Rule[] = [...VOTING, ...LOGS, ...LOSSES, ...CATCH_UP_RULES, ...JOURNAL_RULES];
