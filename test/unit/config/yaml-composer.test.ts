/**
 * A YAML document that is composed in pieces of any size is what the YAML package makes of it at once. Where it is wrong, both say so; a
 * bracket that is not closed is found where it opens, and not where the text ends.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { isAlias, isMap, isPair, isScalar, isSeq, Composer, Parser, stringify, type Scalar } from "yaml";
import { atOnce } from "../../../src/base/pieces.ts";
import { composeYaml } from "../../../src/config/formats/yaml-composer.ts";

const OPTIONS = { schema: "failsafe", prettyErrors: false, uniqueKeys: false, logLevel: "error" } as const;

interface Reading {
  readonly tree: unknown;
  readonly isWrong: boolean;
  readonly hasSecond: boolean;
}

function inPieces(text: string, itemsPerPiece: number): Reading {
  const { document, secondAt, errors } = atOnce(
    composeYaml([...new Parser().parse(text)], text.length, itemsPerPiece),
  );
  return { tree: shown(document.contents), isWrong: errors.length > 0, hasSecond: secondAt !== null };
}

function whole(text: string): Reading {
  const tokens = [...new Parser().parse(text)];
  const [first, second] = [...new Composer(OPTIONS).compose(tokens, true, text.length)];
  const { contents, errors } = first!;
  return { tree: shown(contents), isWrong: errors.length > 0, hasSecond: second !== undefined };
}

/** All that the configuration is made of. */
function shown(node: unknown): unknown {
  if (isPair(node)) return [shown(node.key), shown(node.value)];
  if (isAlias(node)) return { alias: node.source };
  if (isScalar(node)) return { ...named(node), value: node.value, type: node.type, at: placeOf(node) };
  if (isMap(node) || isSeq(node)) return { ...named(node), map: isMap(node), items: node.items.map(shown) };
  return node;
}

/** An empty word is where its blanks begin or end. */
function placeOf({ value, range }: Scalar): number | null {
  return value === "" ? null : (range?.[0] ?? null);
}

const named = ({ tag, anchor }: { tag?: string; anchor?: string }): object => ({ tag, anchor });

const tree = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom("a\nb\n", "", "# x", "- x", "k: v")),
    fc.array(tie("value"), { maxLength: 6 }),
    fc.dictionary(fc.string({ maxLength: 4 }), tie("value"), { maxKeys: 6 }),
  ),
})).value;

const written = fc
  .tuple(tree, fc.boolean())
  .map(([value, isFlow]) => stringify(value, { collectionStyle: isFlow ? "flow" : "any" }));

/** Anything, most of it wrong. */
const WORDS = [
  "a",
  "b: ",
  "- ",
  "{",
  "}",
  "[",
  "]",
  ", ",
  ",",
  "\n",
  "\n  ",
  "\n    ",
  ": ",
  ":",
  "? ",
  "&x ",
  "*x ",
  "!t ",
  "# c",
  '"q"',
  "'s'",
  "|\n  t\n",
  "---\n",
  "...\n",
  "\t",
  " ",
];
const anything = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...WORDS) },
      fc.constantFrom("a: 1\n", "- 1\n", "  - {a: 1, b: [c, d]}\n", "%TAG ! x\n"),
    ),
    { maxLength: 40 },
  )
  .map((words) => words.join(""));

/** Something is cut out of what was written, or put in. */
const damaged = fc
  .tuple(written, fc.nat(), fc.nat(3), fc.constantFrom("", ...WORDS))
  .map(([text, where, length, word]) => {
    const at = where % (text.length + 1);
    return text.slice(0, at) + word + text.slice(at + length);
  });

it.each([
  ["what was written", written],
  ["anything", anything],
  ["what was damaged", damaged],
])("composes %s in pieces as at once", (_, texts) => {
  fc.assert(
    fc.property(texts, fc.constantFrom(1, 2, 3, 7), (text, itemsPerPiece) => {
      const expected = whole(text);
      const found = inPieces(text, itemsPerPiece);
      if (expected.isWrong) expect(found.isWrong).toBe(true);
      else expect(found).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});
