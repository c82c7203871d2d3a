/** The checker of chaos runs: it finds each kind of violation, and nothing where all is well. */
import { describe, expect, it } from "vitest";
import { checkConsumer, checkCopies, checkPublishes, checkPuts, checkWork } from "../../chaos/checker.ts";
import type { Copy, Delivery, Publish, Put, Stored } from "../../chaos/history.ts";

const MINUTE_MS = 60_000;

function stored(seq: number, id: string, subject = "events.1"): Stored {
  return { seq, id, subject, text: id, time: `${seq}` };
}

function copyOf(messages: readonly Stored[], server = "n1"): Copy {
  return { stream: "S", server, messages, lastSeq: messages.at(-1)?.seq ?? 0 };
}

/** Acknowledged at that sequence, one after the other, unless told otherwise. */
function published(id: string, seq: number, startMs = seq, atMs = startMs): Publish {
  return { id, stream: "S", startMs, acknowledged: { atMs, seq } };
}

function put(id: string, expected: number, seq: number): Put {
  return { id, key: "k", expected, startMs: seq, acknowledged: { atMs: seq, seq } };
}

function delivered(seq: number, atMs: number, confirmedMs?: number): Delivery {
  const confirmed = confirmedMs === undefined ? {} : { confirmedMs };
  return { consumer: "c", stream: "S", seq, id: `m${seq}`, atMs, ...confirmed };
}

describe("messages", () => {
  const all = [published("a", 1), published("b", 2)];

  it("are where their acknowledgements say", () => {
    const unsure: Publish = { id: "c", stream: "S", startMs: 3 };
    const copy = copyOf([stored(1, "a"), stored(2, "b"), stored(3, "c")]);
    expect(checkPublishes("S", [...all, unsure], copy)).toEqual([]);
  });

  it("that were acknowledged are missing", () => {
    expect(checkPublishes("S", all, copyOf([stored(1, "a")]))).toEqual([
      "acknowledged in S, and not on n1: 1 (b (2))",
    ]);
  });

  it("are at another sequence, twice, or nobody's", () => {
    const copy = copyOf([stored(1, "a"), stored(2, "x"), stored(3, "b"), stored(4, "b")]);
    expect(checkPublishes("S", all, copy)).toEqual([
      "acknowledged in S, and elsewhere on n1: 1 (b (2))",
      "n1 holds what nobody sent to S: 1 (2 x)",
      "n1 holds more than once of S: 1 (b at 3 and 4)",
    ]);
  });

  it("came later and lie before", () => {
    const wrong = [published("a", 2, 0, 5), published("b", 1, 10, 15)];
    const copy = copyOf([stored(1, "b"), stored(2, "a")]);
    expect(checkPublishes("S", wrong, copy)).toEqual([
      "S has a later message before an earlier one: 1 (b (1) before a (2))",
    ]);
  });

  it("are named up to five", () => {
    const many = Array.from({ length: 9 }, (_, i) => published(`m${i}`, i + 1));
    const [violation] = checkPublishes("S", many, copyOf([]));
    expect(violation).toContain("9 (m0 (1), m1 (2), m2 (3), m3 (4), m4 (5), …)");
  });
});

describe("changes of keys", () => {
  it("are each made upon the one before", () => {
    const copy = copyOf([stored(1, "a", "k"), stored(2, "b", "other"), stored(3, "c", "k")]);
    expect(checkPuts([put("a", 0, 1), put("b", 0, 2), put("c", 1, 3)], copy)).toEqual([]);
  });

  it("are lost", () => {
    const copy = copyOf([stored(1, "a", "k"), stored(2, "b", "k"), stored(3, "c", "k")]);
    expect(checkPuts([put("a", 0, 1), put("b", 1, 2), put("c", 1, 3)], copy)).toEqual([
      "changes on n1 were made upon others than those before them: 1 (c at 3 expected 1, after 2 of k)",
    ]);
  });
});

describe("deliveries", () => {
  it("reach a consumer, again if they were not acknowledged", () => {
    const deliveries = [delivered(1, 0), delivered(1, MINUTE_MS, MINUTE_MS), delivered(2, 1, 1)];
    expect(checkConsumer("c", deliveries, copyOf([stored(1, "m1"), stored(2, "m2")]))).toEqual([]);
  });

  it("never came, or came long after they were confirmed", () => {
    const deliveries = [delivered(1, 0, 1), delivered(1, MINUTE_MS)];
    expect(checkConsumer("c", deliveries, copyOf([stored(1, "m1"), stored(2, "m2")]))).toEqual([
      "never delivered to c: 1 (2 m2)",
      "delivered again, long after its acknowledgement was confirmed: 1 (1 to c)",
    ]);
  });

  it("of a work queue lack what was acknowledged", () => {
    expect(checkWork("S", [published("m1", 1), published("m2", 2)], [delivered(1, 0, 1)])).toEqual([
      "acknowledged in S, and never delivered: 1 (m2 (2))",
    ]);
  });
});

describe("copies", () => {
  it("are the same", () => {
    expect(checkCopies([copyOf([stored(1, "a")]), copyOf([stored(1, "a")], "n2")])).toEqual([]);
  });

  it("differ in a message, in one that is missing, or in their ends", () => {
    const other: Copy = { ...copyOf([stored(1, "x")], "n2"), lastSeq: 7 };
    const [violation] = checkCopies([copyOf([stored(1, "a"), stored(2, "b")]), other]);
    expect(violation).toContain("S differs on n1 and n2: 3 (last sequences 2 and 7, 1: ");
  });
});
