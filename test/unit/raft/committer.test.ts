/** What becomes of a commit when the journal is closed. */
import { expect, it } from "vitest";
import { Committer } from "../../../src/raft/driver/committer.ts";
import type { RaftJournal } from "../../../src/raft/driver/group-log.ts";

function committing(): {
  committer: Committer;
  turns: (() => void)[];
  commits: (() => void)[];
} {
  const [turns, commits]: [(() => void)[], (() => void)[]] = [[], []];
  const journal = { commit: (done: () => void) => void commits.push(done) } as Partial<RaftJournal>;
  return {
    committer: new Committer(journal as RaftJournal, (work) => void turns.push(work)),
    turns,
    commits,
  };
}

it("a commit that was asked for before the stop is not begun after it", () => {
  const { committer, turns, commits } = committing();
  committer.add(() => expect.unreachable());
  committer.stop();
  for (const turn of turns) turn();
  expect(commits).toEqual([]);
});

it("a commit that ends after the stop calls nobody, and begins no other", () => {
  const { committer, turns, commits } = committing();
  committer.add(() => expect.unreachable());
  turns[0]!();
  committer.add(() => expect.unreachable());
  committer.stop();
  commits[0]!();
  for (const turn of turns.slice(1)) turn();
  expect(commits).toHaveLength(1);
});
