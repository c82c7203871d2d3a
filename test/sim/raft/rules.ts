/**
 * The rules of Raft, each as a few steps of one member and what it may answer. They need no luck, where the simulation may need many seeds to
 * come upon a break.
 */
import assert from "node:assert/strict";
import { seededRandom } from "../../../src/base/random.ts";
import { EntryType, type AppendEntry, type RaftMessage } from "../../../src/raft/messages.ts";
import { RaftNode, type Restored } from "../../../src/raft/node.ts";
import { Timing, type HardState, type RaftEvent, type Ready } from "../../../src/raft/state.ts";
import { peerBytes } from "../../../src/raft/wire.ts";
import { JOURNAL_RULES, type Rule } from "./journal-rules.ts";

const GROUP = "S-R3F-rules";
const [SELF, B, C, D, E] = ["aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd", "eeeeeeee"] as const;
const THREE = [SELF, B, C];
const FIVE = [SELF, B, C, D, E];

interface Kept {
  readonly peers?: readonly string[];
  /** The terms of the entries of the log, from index 1 on. */
  readonly terms?: readonly number[];
  readonly hard?: HardState | undefined;
  readonly isNewGroup?: boolean;
  readonly isDamaged?: boolean;
}

const hardOf = (term: number, vote = ""): HardState => ({ term, vote, loss: "none" });

function entry(index: number, term: number, prevTerm: number, commit = 0, leader: string = B): AppendEntry {
  const entries = [{ type: EntryType.NORMAL, data: Buffer.from(`${index} of ${term}`) }];
  return { leader, term, commit, prevTerm, prevIndex: index - 1, entries, currentTerm: 0 };
}

function logOf(terms: readonly number[]): AppendEntry[] {
  return terms.map((term, i) => entry(i + 1, term, terms[i - 1] ?? 0));
}

class Member {
  readonly node: RaftNode;
  readonly first: Ready;
  nowMs = 0;

  constructor({ peers = THREE, terms = [], isNewGroup = false, isDamaged = false, ...kept }: Kept) {
    const hard = "hard" in kept ? kept.hard : hardOf(terms.at(-1) ?? 0);
    const restored: Restored = { hard, snapshot: undefined, entries: logOf(terms), isDamaged };
    this.node = new RaftNode({
      id: SELF,
      group: GROUP,
      random: seededRandom(1),
      nowMs: 0,
      peers: { size: peers.length, peers, domainExtension: 0 },
      isNewGroup,
      restored,
    });
    this.first = this.node.start();
  }

  step(event: RaftEvent): Ready {
    return this.node.step(event, this.nowMs);
  }

  receive(message: RaftMessage, subject = `$NRG.R.x`): Ready {
    return this.step({ kind: "message", subject, reply: "answer", message });
  }

  live(append: AppendEntry): Ready {
    return this.receive({ kind: "append", body: append }, `$NRG.AE.${GROUP}`);
  }

  asked(term: number, lastTerm: number, lastIndex: number, candidate: string = B): Ready {
    const body = { term, lastTerm, lastIndex, candidate };
    return this.receive({ kind: "vote request", body }, `$NRG.V.${GROUP}`);
  }

  voted(peer: string, isGranted = true, isEmpty = false, { term } = this.node): Ready {
    return this.receive({ kind: "vote response", body: { term, peer, isGranted, isEmpty } });
  }

  has(peer: string, index: number, { term } = this.node): Ready {
    return this.receive({ kind: "append response", body: { term, index, peer, isSuccess: true } });
  }

  written(index: number, { term } = this.node): Ready {
    return this.step({ kind: "written", index, term });
  }

  /** It leads, with the votes of these; nothing of its own is durable yet. */
  lead(...votes: readonly string[]): this {
    this.step({ kind: "campaign" });
    for (const peer of votes) this.voted(peer);
    assert.equal(this.node.role, "leader");
    return this;
  }
}

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
];

export const RULES: readonly Rule[] = [...VOTING, ...LOGS, ...LOSSES, ...JOURNAL_RULES];
