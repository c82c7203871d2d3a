/** How many messages an outbox held when its connection was cut. */
import { describe, expect, it } from "vitest";
import { countMessages } from "../../../src/links/trunk/dropped.ts";

function count(...pieces: readonly string[]): number {
  return countMessages(pieces.map((piece) => Buffer.from(piece, "latin1")));
}

describe("messages in an outbox", () => {
  it.each([
    ["none", 0, [""]],
    ["plain ones", 2, ["MSG a 1 2\r\nhi\r\nMSG a 1 reply 0\r\n\r\n"]],
    ["those with headers", 1, ["HMSG a 1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"]],
    ["those to other servers", 2, ["RMSG $G a 2\r\nhi\r\nHMSG $G a + r q 12 12\r\nNATS/1.0\r\n\r\n\r\n"]],
    ["not what else is said", 1, ["PING\r\n+OK\r\nRS+ $G a\r\nMSG a 1 0\r\n\r\nINFO {}\r\n"]],
    ["not what a payload looks like", 1, ["MSG a 1 15\r\nx\r\nMSG b 2 1\r\ny\r\n"]],
    ["those that go on in the next piece", 2, ["MSG a 1 10\r\n", "0123456789\r\n", "MSG a 1 0\r\n\r\n"]],
    ["those that go on after the next piece", 2, ["MSG a 1 6\r\n01", "23", "45\r\nMSG a 1 0\r\n\r\n"]],
    ["not one whose head is gone", 1, ["the rest\r\nMSG a 1 0\r\n\r\n"]],
  ])("are counted: %s", (_, expected, pieces) => {
    expect(count(...pieces)).toBe(expected);
  });

  it("are estimated beyond the first mebibyte", () => {
    const piece = "MSG a 1 0\r\n\r\n".repeat(5000);
    const pieces = Array.from({ length: 100 }, () => piece);
    expect(count(...pieces)).toBe(500_000);
  });
});
