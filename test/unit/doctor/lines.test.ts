/** What a server says to the doctor, in whatever pieces it comes. */
import { expect, it } from "vitest";
import { SpokenLines, type Said } from "../../../src/app/doctor/lines.ts";

const STREAM =
  'INFO {"a":1}\r\nPING\r\nMSG in.1 1 5\r\nhello\r\nHMSG in.2 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n' +
  "MSG in.3 1 reply.to 0\r\n\r\nHMSG in.4 1 12 15\r\nNATS/1.0\r\n\r\nyes\r\n-ERR 'no'\r\n";

function plain(said: readonly Said[]): unknown[] {
  return said.map((one) =>
    one.kind === "line" ? one.text : [one.subject, one.status, one.payload.toString("utf8")],
  );
}

const WHOLE = [
  'INFO {"a":1}',
  "PING",
  ["in.1", 0, "hello"],
  ["in.2", 503, ""],
  ["in.3", 0, ""],
  ["in.4", 0, "yes"],
  "-ERR 'no'",
];

it("is cut into lines and messages, wherever pieces end", () => {
  for (let size = 1; size <= STREAM.length; size++) {
    const lines = new SpokenLines();
    const said: Said[] = [];
    for (let at = 0; at < STREAM.length; at += size)
      said.push(...lines.take(Buffer.from(STREAM.slice(at, at + size))));
    expect(plain(said)).toEqual(WHOLE);
  }
});

it.each([
  "MSG a 1 x\r\n",
  "MSG a 1 -1\r\n",
  "MSG a 1 999999999999\r\n",
  "HMSG a 1 9 5\r\n",
  "x".repeat(2 << 20),
])("is refused where it cannot be: %.20s", (text) => {
  expect(() => new SpokenLines().take(Buffer.from(text))).toThrow(/the server sends/);
});
