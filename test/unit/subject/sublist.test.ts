/** How far a match walks, and what the sublist knows of its items; what it finds is in test/property/interest.test.ts. */
import { describe, expect, it } from "vitest";
import { Sublist } from "../../../src/subject/sublist.ts";

interface Item {
  readonly subject: string;
}

const TOKENS = 10;
const SUBJECT = "a.".repeat(TOKENS);

function listOf(subjects: readonly string[]): Sublist<Item> {
  const list = new Sublist<Item>();
  for (const subject of subjects) list.insert({ subject });
  return list;
}

/** All patterns of ten tokens that are each `a` or `*`, with `end` behind them. */
function patterns(end: string): string[] {
  return Array.from({ length: 2 ** TOKENS }, (_, bits) => {
    const tokens = Array.from({ length: TOKENS }, (_unused, i) => ((bits >> i) & 1 ? "*" : "a"));
    return `${tokens.join(".")}.${end}`;
  });
}

function walk(list: Sublist<Item>, subject: string): { found: string[]; nodes: number } {
  const found: Item[] = [];
  const nodes = list.match(subject, found);
  return { found: found.map((item) => item.subject), nodes };
}

describe("a match", () => {
  it("does not walk where every pattern ends in another token", () => {
    const list = listOf(patterns("never"));
    const nodes = Array.from({ length: 100 }, (_, i) => walk(list, SUBJECT + String(i)).nodes);
    // The ends of a few subjects share a bit with that of the patterns.
    expect(nodes.filter((count) => count === 0).length).toBeGreaterThan(90);
    expect(walk(list, `${SUBJECT}never`).found).toHaveLength(2 ** TOKENS);
  });

  it("does not walk where every pattern has another number of tokens", () => {
    const list = listOf(patterns("*"));
    expect(walk(list, `${SUBJECT}b.c`)).toEqual({ found: [], nodes: 0 });
    expect(walk(list, `${SUBJECT}b`).found).toHaveLength(2 ** TOKENS);
  });

  it("finds open patterns whatever a subject ends with", () => {
    const list = listOf([...patterns("never"), "a.*.>", ">", "*.>"]);
    expect(walk(list, `${SUBJECT}x`).found.sort()).toEqual(["*.>", ">", "a.*.>"]);
    expect(walk(list, "a.b.c").found.sort()).toEqual(["*.>", ">", "a.*.>"]);
  });

  it("enters no node twice", () => {
    const list = listOf(patterns("never"));
    // A full tree of two branches for each token, and the last token of each; without the literal one, which is no pattern.
    const [tree, ends] = [2 ** (TOKENS + 1) - 1, 2 ** TOKENS];
    expect(walk(list, `${SUBJECT}never`).nodes).toBe(tree - 1 + ends - 1);
  });
});

it("knows whether it has an item, a literal one or a pattern", () => {
  const items = ["a.b", "a.*", "a.>", ">", "a.*.c"].map((subject) => ({ subject }));
  const list = new Sublist<Item>();
  for (const item of items) list.insert(item);
  for (const item of items) {
    expect(list.has(item)).toBe(true);
    expect(list.has({ ...item })).toBe(false);
    list.remove(item);
    expect(list.has(item)).toBe(false);
  }
  expect(list.has({ subject: "x.*" })).toBe(false);
});

describe("a walk over all items", () => {
  it("meets all that stay, whatever comes and goes meanwhile", () => {
    const staying = ["a.b", "c", "a.*", "a.*.c", "*.b.>", ">", "c.*", "d.*.e", "d.*.f"].map((subject) => ({
      subject,
    }));
    const passing = staying.flatMap(({ subject }) => [{ subject }, { subject: `x.${subject}` }]);
    const list = new Sublist<Item>();
    for (const item of [...passing, ...staying]) list.insert(item);
    const met = new Set<Item>();
    for (const item of list) {
      met.add(item);
      const gone = passing.pop();
      if (gone === undefined) continue;
      list.remove(gone);
      list.insert({ subject: `y.${gone.subject}` });
    }
    expect(staying.every((item) => met.has(item))).toBe(true);
  });
});
