/** The rules of a catch-up, on both sides, and what is held, dropped and refused meanwhile. */
import assert from "node:assert/strict";
import { LEARNERS_MAX, HELD_MAX, Timing, type Ready } from "../../../src/raft/state.ts";
import type { Rule } from "./journal-rules.ts";
import { B, C, entry, hardOf, Member, THREE } from "./one-member.ts";

const PROGRESS = "$NRG.CP.progress";

/** Where it asks for a catch-up. */
function inboxIn({ send }: Ready): string {
  const [answer] = send;
  assert.ok(answer?.message.kind === "append response" && !answer.message.body.isSuccess);
  assert.ok(answer.reply.startsWith("$NRG.CR."));
  return answer.reply;
}

/** An entry of a catch-up. */
function stored(member: Member, inbox: string, index: number, reply = PROGRESS): Ready {
  const message = { kind: "append", body: { ...entry(index, 1, 1), currentTerm: 1 } } as const;
  return member.step({ kind: "message", subject: inbox, reply, message });
}

const indexes = ({ append }: Ready): number[] => append.map(({ prevIndex }) => prevIndex + 1);

export const CATCH_UP_RULES: readonly Rule[] = [
  [
    "holds live entries during a catch-up, and takes them when it has what comes before",
    () => {
      const member = new Member({ terms: [1] });
      const inbox = inboxIn(member.live(entry(4, 1, 1)));
      assert.deepEqual(indexes(member.live(entry(5, 1, 1))), []);
      assert.deepEqual(indexes(stored(member, inbox, 2)), [2]);
      const last = stored(member, inbox, 3);
      assert.deepEqual(indexes(last), [3, 4, 5]);
      assert.deepEqual(last.unsubscribe, [inbox]);
      assert.equal(member.node.isCatchingUp, false);
    },
  ],
  [
    "keeps entries of a catch-up that come early, and answers each once it is stored",
    () => {
      const member = new Member({ terms: [1] });
      const inbox = inboxIn(member.live(entry(5, 1, 1)));
      assert.deepEqual(indexes(stored(member, inbox, 4)), []);
      assert.deepEqual(indexes(stored(member, inbox, 3)), []);
      const ready = stored(member, inbox, 2);
      assert.deepEqual(indexes(ready), [2, 3, 4, 5]);
      const told = ready.send.filter(({ subject }) => subject === PROGRESS);
      assert.equal(told.length, 3);
    },
  ],
  [
    "drops live entries beyond a bound, and asks for them afterwards",
    () => {
      const member = new Member({ terms: [1] });
      const inbox = inboxIn(member.live(entry(3, 1, 1)));
      for (let index = 4; index < HELD_MAX + 20; index++) member.live(entry(index, 1, 1));
      stored(member, inbox, 2);
      assert.equal(member.node.lastIndex, HELD_MAX + 2);
      const again = inboxIn(member.live(entry(HELD_MAX + 20, 1, 1)));
      assert.notEqual(again, inbox);
    },
  ],
  [
    "asks again where a catch-up stalls, and takes nothing on the former inbox",
    () => {
      const member = new Member({ terms: [1] });
      const inbox = inboxIn(member.live(entry(4, 1, 1)));
      member.nowMs = Timing.CATCHUP_STALLED_MS;
      const ready = member.live(entry(5, 1, 1));
      const again = inboxIn(ready);
      assert.deepEqual(ready.unsubscribe, [inbox]);
      assert.deepEqual(indexes(stored(member, inbox, 2)), []);
      assert.deepEqual(indexes(stored(member, again, 2)), [2]);
    },
  ],
  [
    "ends a catch-up at a newer leader, and takes no entry of the older one",
    () => {
      const member = new Member({ terms: [1] });
      const inbox = inboxIn(member.live(entry(4, 1, 1)));
      const ready = member.live(entry(3, 2, 1, 0, C));
      assert.notEqual(inboxIn(ready), inbox);
      assert.deepEqual(indexes(stored(member, inbox, 2)), []);
    },
  ],
  [
    "refuses a leader of an older term by its own, which that leader follows",
    () => {
      const { send } = new Member({ terms: [1], hard: hardOf(5) }).live(entry(2, 4, 1));
      const [answer] = send;
      assert.ok(answer?.message.kind === "append response");
      const { body } = answer.message;
      assert.deepEqual([body.isSuccess, body.term, answer.reply], [false, 5, ""]);
      const leader = new Member({ terms: [1] }).lead(B);
      const refused = { kind: "append response", body: { ...body, peer: C } } as const;
      leader.step({ kind: "message", subject: "$NRG.R.x", reply: "", message: refused });
      assert.deepEqual([leader.node.role, leader.node.term], ["follower", 5]);
    },
  ],
  [
    "counts nothing that is acknowledged on the inbox of a catch-up for a quorum",
    () => {
      const leader = new Member({ terms: [1] }).lead(B);
      leader.written(2);
      const body = { term: leader.node.term, index: 2, peer: B, isSuccess: true };
      const message = { kind: "append response", body } as const;
      leader.step({ kind: "message", subject: PROGRESS, reply: "", message });
      assert.equal(leader.node.commit, 0);
    },
  ],
  [
    "remembers a bounded number of those that follow and are no members",
    () => {
      const leader = new Member({ terms: [1] }).lead(B);
      for (let i = 0; i < 2 * LEARNERS_MAX; i++) leader.has(`p${String(i).padStart(7, "0")}`, 1);
      assert.ok([...leader.node.followers].length <= THREE.length + LEARNERS_MAX);
      leader.has(C, 2);
      assert.ok([...leader.node.followers].some(([peer]) => peer === C));
    },
  ],
];
