/** The rules of Raft and of its journal, each by itself. */
import { describe, it } from "vitest";
import { RULES } from "../../sim/raft/rules.ts";

describe("a member of a group, and its journal", () => {
  it.each(RULES)("%s", (_, check) => check());
});
