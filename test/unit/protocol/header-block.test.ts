/** A block of headers with one that the server has put there, whatever the sender wrote. */
import { describe, expect, it } from "vitest";
import { withServerHeader } from "../../../src/protocol/header-block.ts";

const NAME = "Nats-Request-Info";
const OWN = `${NAME}: {"acc":"A"}\r\n\r\n`;
const forged = `${NAME}: forged`;

const put = (block: string): string => withServerHeader(block, NAME, '{"acc":"A"}');

describe("the server's header", () => {
  it.each([
    ["no headers", "", "NATS/1.0\r\n"],
    ["a plain block", "NATS/1.0\r\nA: b\r\nC:d\r\n\r\n", "NATS/1.0\r\nA: b\r\nC:d\r\n"],
    ["a status", "NATS/1.0 503 No\r\nA: b\r\n\r\n", "NATS/1.0 503 No\r\nA: b\r\n"],
    ["a value of several lines", "NATS/1.0\r\nA: b\r\n c: d\r\n\r\n", "NATS/1.0\r\nA: b\r\n c: d\r\n"],
    [
      "names and values of any bytes",
      "NATS/1.0\r\n\xc3\x84: \xff\0\r\n\r\n",
      "NATS/1.0\r\n\xc3\x84: \xff\0\r\n",
    ],
    ["a name that only begins alike", `NATS/1.0\r\n${NAME}2: a\r\n\r\n`, `NATS/1.0\r\n${NAME}2: a\r\n`],
  ])("follows what the sender wrote: %s", (_what, block, kept) => {
    expect(put(block)).toBe(kept + OWN);
  });

  it.each([
    ["plain", `NATS/1.0\r\n${forged}\r\n\r\n`],
    ["in lower case", `NATS/1.0\r\n${forged.toLowerCase()}\r\n\r\n`],
    ["several times", `NATS/1.0\r\n${forged}\r\n${forged}\r\n\r\n`],
    ["with more lines of its value", `NATS/1.0\r\n${forged}\r\n more\r\n\tmore\r\n\r\n`],
    ["a blank before the colon", `NATS/1.0\r\n${NAME} : forged\r\n\r\n`],
    ["a tab before the colon", `NATS/1.0\r\n${NAME}\t: forged\r\n\r\n`],
    ["a NUL before the colon", `NATS/1.0\r\n${NAME}\0: forged\r\n\r\n`],
    ["a blank before the name", `NATS/1.0\r\n ${forged}\r\n\r\n`],
    ["lone LF", `NATS/1.0\n${forged}\n\n`],
    ["lone CR", `NATS/1.0\r${forged}\r\r`],
    ["LF and CR", `NATS/1.0\n\r${forged}\n\r`],
    ["no empty line", `NATS/1.0\r\n${forged}\r\n`],
    ["no end", `NATS/1.0\r\n${forged}`],
    ["behind the empty line", `NATS/1.0\r\n\r\n${forged}\r\n\r\n`],
    ["no version", `${forged}\r\n\r\n`],
    ["an empty line instead of a version", `\r\n${forged}\r\n\r\n`],
    ["lines that are no headers", `NATS/1.0\r\nnothing\r\n: x\r\nA B: c\r\n${forged}\r\n\r\n`],
  ])("stands alone, however the sender wrote one: %s", (_what, block) => {
    expect(put(block)).toBe(`NATS/1.0\r\n${OWN}`);
  });

  it.each([
    ["behind a value, by lone LF", `NATS/1.0\r\nA: b\n${forged}\r\n\r\n`],
    ["behind a value, by lone CR", `NATS/1.0\r\nA: b\r${forged}\r\n\r\n`],
    ["as more of a value", `NATS/1.0\r\nA: b\r\n ${forged}\r\n\r\n`],
    ["as more of a value, with a NUL within", `NATS/1.0\r\nA: b\r\n Nats-Request-Inf\0o\t: forged\r\n\r\n`],
    ["behind what has no end", `NATS/1.0\r\n${forged}\r\nA: b`],
    ["in between", `NATS/1.0\r\n${forged}\nA: b\n${forged}\r\n`],
  ])("leaves what is beside a forged one: %s", (_what, block) => {
    expect(put(block)).toBe(`NATS/1.0\r\nA: b\r\n${OWN}`);
  });

  it.each(["a:\r\n", "a:\r\n b\r\n"])("is put behind a megabyte of %j in one pass", (line) => {
    const lines = line.repeat(1e6 / line.length);
    expect(put(`NATS/1.0\r\n${lines}\r\n`) === `NATS/1.0\r\n${lines}${OWN}`).toBe(true);
  });
});
