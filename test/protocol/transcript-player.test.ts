/** The player has to notice every kind of deviation; it is shown servers that deviate. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { playTranscript } from "../support/transcript-player.ts";
import { parseTranscripts } from "../support/transcript.ts";

/** A server that greets, answers PING, and leaves every other line to the given function. */
async function playOn(text: string, answer: (line: string, socket: Socket) => void): Promise<void> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write('INFO {"server_id":"X","version":"1.0.0"} \r\n');
    socket.on("data", (chunk: Buffer) => {
      for (const line of chunk.toString().split("\r\n").slice(0, -1)) {
        if (line === "PING") socket.write("PONG\r\n");
        else answer(line, socket);
      }
    });
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const [transcript] = parseTranscripts(`## under test\n${text}`, "here.txt");
  await playTranscript(transcript!, { host: "127.0.0.1", port, split: "whole" });
}

const silent = (): void => {};
const echo = (line: string, socket: Socket): void => void socket.write(`${line}\r\n`);
const hangUp = (_line: string, socket: Socket): void => void socket.end();

describe("the transcript player", () => {
  test("is content with the server that does what is written", async () => {
    const fine = [
      playOn("C: x\\{ab*2}\\x41\nS: xababA\nC| y\\r\\n\nS| y\\r\\n", echo),
      playOn("C: a\\r\\nb\nS*: b\nS*: a", echo),
      playOn("C: b\nS?: a || b", echo),
      playOn("C1: <open>\nC2: hello\nS1,S2: hello", echo),
      playOn("C: bye\nS: <closed>", hangUp),
      playOn('S: INFO {"<keys>":["server_id","name?","version"],"version":"~^1"}', silent),
    ];
    await expect(Promise.all(fine)).resolves.toHaveLength(fine.length);
  });

  test("minds no PING between two lines, unless the transcript is about them", async () => {
    const pings = (line: string, socket: Socket): void => void socket.write(`PING\r\n${line}\r\nPING\r\n`);
    await playOn("C: a\\r\\nb\nS: a\nS: b", pings);
    await playOn("C: a\\r\\nb\nS*: b\nS*: a", pings);
    await playOn("C: a\nS: PING\nS: a", pings);
    await expect(playOn("C: a\nS: a\nS: PING", pings)).rejects.toThrow(/^here\.txt:3: replies differ/);
  });

  test("names the line of a reply that differs", async () => {
    await expect(playOn("C: a\nS: a\nC: b\nS: c", echo)).rejects.toThrow(
      /^here\.txt:5: replies differ[^]*c[^]*b/,
    );
  });

  test("notices a reply that nobody wrote down", async () => {
    await expect(playOn("C: a", echo)).rejects.toThrow(/its end: replies differ/);
    await expect(playOn("C: a\nS*: a\nC: b\\r\\nb\nS: b", echo)).rejects.toThrow(/its end: replies differ/);
  });

  test("notices a message that arrives at a second connection as well", async () => {
    await expect(playOn("C1: x\nC2: x\nS1,S2: x", echo)).rejects.toThrow(/its end: replies differ/);
  });

  test("notices a connection that is closed too early, or with something left to read", async () => {
    await expect(playOn("C: a\nS: a", hangUp)).rejects.toThrow(/replies differ[^]*<closed>/);
    await expect(playOn("C: a", hangUp)).rejects.toThrow(/its end: /);
    await expect(playOn("C1: a\nC2: <open>\n--", hangUp)).rejects.toThrow(/its end: /);
    await expect(
      playOn("C: a\nS: <closed>", (_line, socket) => void socket.end("-ERR 'x'\r\n")),
    ).rejects.toThrow(/replies differ/);
  });

  test("notices an INFO that differs", async () => {
    await expect(playOn('S: INFO {"version":"2.0.0"}', silent)).rejects.toThrow(/INFO field version/);
    await expect(playOn('S: INFO {"version":"<absent>"}', silent)).rejects.toThrow(/INFO field version/);
    await expect(playOn('S: INFO {"<keys>":["version","server_id"]}', silent)).rejects.toThrow(/<keys>/);
  });

  test("refuses lines that it does not understand", () => {
    expect(() => parseTranscripts("## x\nQ: hello", "here.txt")).toThrow("here.txt:2: not a transcript line");
    expect(() => parseTranscripts("## x\nC: <jump>", "here.txt")).toThrow("a client cannot <jump>");
    expect(() => parseTranscripts("## x\nC: \\q", "here.txt")).toThrow("unknown escape");
    expect(() => parseTranscripts("C: PING", "here.txt")).toThrow("a step before the first section");
  });
});
