/**
 * Transforms of subjects: transform-table.json holds what a real nats-server answers for transform-table/cases.txt (how it
 * is made: transform-table/main.go). Texts of the table are UTF-8, subjects in the server are byte strings.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { MappingError } from "../../../src/subject/mapping-error.ts";
import { hasEmptyToken, isValidLiteralSubject } from "../../../src/subject/subject.ts";
import {
  importTransform,
  mappingTransform,
  sameDestination,
  type Transform,
} from "../../../src/subject/transform.ts";

interface Outcome {
  readonly error?: string;
  readonly results?: Readonly<Record<string, string | null>>;
}

interface Row {
  readonly source: string;
  readonly destination: string;
  readonly mapping: Outcome;
  readonly import: Outcome;
}

const table = JSON.parse(readFileSync(join(import.meta.dirname, "transform-table.json"), "utf8")) as {
  readonly rows: readonly Row[];
};
const random = seededRandom(1);

const toBytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

function outcome(make: typeof mappingTransform, row: Row, subjects: readonly string[]): Outcome {
  let transform: Transform;
  try {
    transform = make(toBytes(row.source), toBytes(row.destination));
  } catch (error) {
    if (!(error instanceof MappingError)) throw error;
    return { error: Buffer.from(error.message, "latin1").toString("utf8") };
  }
  const entries = subjects.map((subject) => [subject, textOf(transform.match(toBytes(subject), random))]);
  return { results: Object.fromEntries(entries) as Record<string, string | null> };
}

/** As JSON of Go shows bytes that are no UTF-8. */
function textOf(bytes: string | null): string | null {
  return bytes === null ? null : Buffer.from(bytes, "latin1").toString("utf8");
}

describe("transforms as nats-server has them", () => {
  it("has a table worth the name", () => {
    expect(table.rows.length).toBeGreaterThan(200);
    const kinds = new Set(table.rows.map(({ mapping }) => mapping.error?.replace(/ in .*/s, "")));
    expect(kinds.size).toBeGreaterThan(7);
  });

  it.each(table.rows)("maps $source to $destination", (row) => {
    const subjects = Object.keys(row.mapping.results ?? {});
    expect(outcome(mappingTransform, row, subjects)).toEqual(row.mapping);
  });

  it.each(table.rows)("imports $source as $destination", (row) => {
    const subjects = Object.keys(row.import.results ?? {});
    expect(outcome(importTransform, row, subjects)).toEqual(row.import);
  });
});

const token = fc.string({
  minLength: 1,
  maxLength: 8,
  unit: fc.constantFrom(..."a b c ä - _ $ 1 * >".split(" ")),
});
const index = fc.constantFrom("0", "1", "2");
const call = fc.oneof(
  fc.constantFrom("x", "$1", "$2", "{{random(4)}}", "{{partition(8)}}"),
  fc.tuple(index, index).map(([a, b]) => `{{partition(${a},${b})}}`),
  fc.tuple(index, fc.constantFrom("-", "--", "", "a")).map(([a, d]) => `{{split(${a},${d})}}`),
  fc
    .tuple(
      fc.constantFrom("left", "right", "splitFromLeft", "SplitFromRight", "sliceFromLeft", "sliceFromRight"),
      index,
      fc.integer({ min: -1, max: 5 }),
    )
    .map(([name, a, size]) => `{{${name}(${a},${size})}}`),
);

describe("transforms of any subject", () => {
  it("gives a subject that may be published to, or one with an empty token or a lone wildcard of its source", () => {
    fc.assert(
      fc.property(
        fc.array(call, { minLength: 1, maxLength: 4 }),
        fc.array(token, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        (calls, rest, isOpen) => {
          const end = isOpen ? [">"] : [];
          const transform = mappingTransform(["*", "a", "*", ...end].join("."), [...calls, ...end].join("."));
          const subject = toBytes([rest[0], "a", rest.at(-1), ...(isOpen ? rest : [])].join("."));
          const mapped = transform.match(subject, random);
          if (!isValidLiteralSubject(subject)) return mapped === null;
          const isOdd = mapped !== null && (hasEmptyToken(mapped) || /[*>]/.test(subject));
          return mapped !== null && (isOdd || isValidLiteralSubject(mapped));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("gives nothing for a subject that the source does not cover", () => {
    const transform = mappingTransform("a.*", "b.$1");
    fc.assert(
      fc.property(fc.string(), (text) => /^a\.[^.]+$/s.test(text) || transform.match(text, random) === null),
    );
  });

  it("changes nothing with the destination that stands for the source", () => {
    const patterns = ["a", "a.*", "*.*.b.>", ">"];
    for (const pattern of patterns) {
      const subject = pattern.replaceAll("*", "x").replace(">", "y.z");
      expect(mappingTransform(pattern, sameDestination(pattern)).match(subject, random)).toBe(subject);
    }
  });

  it("rolls each number of random(n) about as often", () => {
    const transform = mappingTransform("a", "b.{{random(4)}}");
    const counts = new Map<string, number>();
    for (let i = 0; i < 4000; i++) {
      const mapped = transform.match("a", random)!;
      counts.set(mapped, (counts.get(mapped) ?? 0) + 1);
    }
    expect([...counts.keys()].toSorted()).toEqual(["b.0", "b.1", "b.2", "b.3"]);
    expect(Math.min(...counts.values())).toBeGreaterThan(800);
  });

  it("finds the way back of an import", () => {
    const transform = importTransform("a.*.*.*.>", "b.$2.$3.{{wildcard(1)}}.>");
    const mapped = transform.match("a.x.y.z.rest.of", random)!;
    expect(mapped).toBe("b.y.z.x.rest.of");
    expect(transform.reversed()?.match(mapped, random)).toBe("a.x.y.z.rest.of");
    expect(mappingTransform("a.*", "b.{{left(1,1)}}").reversed()).toBeNull();
  });
});
