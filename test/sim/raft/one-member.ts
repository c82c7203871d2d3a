/** One member of a group of three or five, whose steps a test takes one by one. */
import assert from "node:assert/strict";
import { seededRandom } from "../../../src/base/random.ts";
import { EntryType, type AppendEntry, type RaftMessage } from "../../../src/raft/messages.ts";
import { RaftNode, type Restored } from "../../../src/raft/node.ts";
import type { HardState, RaftEvent, Ready } from "../../../src/raft/state.ts";

const GROUP = "S-R3F-rules";
export const [SELF, B, C, D, E] = ["aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd", "eeeeeeee"] as const;
export const THREE = [SELF, B, C];
export const FIVE = [SELF, B, C, D, E];

interface Kept {
  readonly peers?: readonly string[];
  /** The terms of the entries of the log, from index 1 on. */
  readonly terms?: readonly number[];
  readonly hard?: HardState | undefined;
  readonly isNewGroup?: boolean;
  readonly isDamaged?: boolean;
}

export const hardOf = (term: number, vote = ""): HardState => ({ term, vote, loss: "none" });

export function entry(
  index: number,
  term: number,
  prevTerm: number,
  commit = 0,
  leader: string = B,
): AppendEntry {
  const entries = [{ type: EntryType.NORMAL, data: Buffer.from(`${index} of ${term}`) }];
  return { leader, term, commit, prevTerm, prevIndex: index - 1, entries, currentTerm: 0 };
}

function logOf(terms: readonly number[]): AppendEntry[] {
  return terms.map((term, i) => entry(i + 1, term, terms[i - 1] ?? 0));
}

export class Member {
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
    return this.receive({
      kind: "vote response",
      body: { term, peer, isGranted, isEmpty, hasLost: isEmpty },
    });
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
