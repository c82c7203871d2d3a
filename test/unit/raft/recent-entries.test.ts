/** What a member that applies entries holds of its log, so that it need not read it for each. */
import { expect, it } from "vitest";
import { RecentEntries, type Recent } from "../../../src/raft/driver/recent-entries.ts";
import type { AppendEntry } from "../../../src/raft/messages.ts";

const BYTES = 100;
const entry = (index: number): Recent => ({
  index,
  append: { commit: index } as AppendEntry,
  bytes: BYTES,
});

it("holds what a read has brought in front of what was appended meanwhile", () => {
  const recent = new RecentEntries();
  for (const index of [50, 51]) recent.add(index, entry(index).append, BYTES);
  recent.addRead([2, 3, 4].map(entry));
  expect([2, 3, 4].map((index) => recent.take(index)?.commit)).toEqual([2, 3, 4]);
  expect(recent.take(5)).toBeUndefined();
  recent.addRead([48, 49, 50, 51].map(entry));
  expect([48, 49, 50, 51].map((index) => recent.take(index)?.commit)).toEqual([48, 49, 50, 51]);
  expect(recent.take(52)).toBeUndefined();
});
