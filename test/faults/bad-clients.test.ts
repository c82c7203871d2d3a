/**
 * What a client can do wrong, one after the other: what it is told, that it is cut off where it has to be, and that two
 * witnesses on the same server notice nothing.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { randomInt, seededRandom } from "../../src/base/random.ts";
import type { ConfigOverrides } from "../../src/config/config.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startInProcess, type InProcessServer } from "../support/in-process-server.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { Witnesses } from "../support/witnesses.ts";

/** A server with witnesses, for each test of a block; none of the connections that a test opened stays on it. */
function watched(overrides: ConfigOverrides = {}, witnessOptions: object = {}): () => InProcessServer {
  let server: InProcessServer;
  let witnesses: Witnesses;
  beforeEach(async () => {
    server = await startInProcess(overrides);
    witnesses = await Witnesses.watch(server.url, server.url, witnessOptions);
    await witnesses.exchangeMore();
  });
  afterEach(async () => {
    await witnesses.exchangeMore();
    await witnesses.unharmed();
    await waitFor("all but the witnesses to be gone", () => server.server.clients.sessions.size === 2);
    expect(server.server.clients.subscriptionCount).toBe(1);
    await witnesses[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  return () => server;
}

describe("what makes no sense", () => {
  const server = watched();

  it.each([
    ["an unknown word", "HELLO\r\n"],
    ["an empty line", "\r\n"],
    ["a blank in front", " PING\r\n"],
    ["HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    ["SSH", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["zeros", "\0".repeat(5000)],
    ["route words", "RS+ $G foo\r\n"],
    ["messages of a server", "MSG a 1 2\r\nhi\r\n"],
    ["bytes after a payload", "PUB a 2\r\nhixx\r\n"],
  ])("%s gets an error and the end", async (_name, text) => {
    const connection = await RawConnection.open(server().port);
    connection.send('CONNECT {"verbose":false}\r\n' + text);
    await connection.closed();
    expect(connection.errors).toEqual(["Unknown Protocol Operation"]);
  });

  it.each([
    ["no size", "PUB a\r\n"],
    ["a negative size", "PUB a -1\r\n"],
    ["a size of ten digits", "PUB a 1000000000\r\n"],
    ["headers longer than the message", "HPUB a 9 5\r\n12345\r\n"],
    ["no JSON", "CONNECT {\r\n"],
    ["JSON of the wrong types", 'CONNECT {"verbose":"yes"}\r\n'],
    ["too many words", "SUB a b c d\r\n"],
  ])("%s gets the end without a word", async (_name, text) => {
    const connection = await RawConnection.greeted(server().port);
    connection.send(text);
    await connection.closed();
    expect(connection.errors).toEqual([]);
  });

  it("what came before it was done, and reaches the sender before the error", async () => {
    const connection = await RawConnection.greeted(server().port);
    connection.send("SUB mine 1\r\nPUB mine 2\r\nhi\r\nBOO\r\nPUB mine 2\r\nno\r\n");
    await connection.closed();
    expect(connection.text).toMatch(/MSG mine 1 2\r\nhi\r\n-ERR 'Unknown Protocol Operation'\r\n$/);
  });

  it("random bytes never do harm, whatever they are", async () => {
    for (let seed = 1; seed <= 150; seed++) {
      const connection = await RawConnection.open(server().port);
      connection.send(randomBytes(seed));
      connection.send("\r\n\r\n"); // not even a long enough word survives this
      await connection.until(`the end of random bytes of seed ${seed}`, () => connection.isClosed);
    }
  });

  it("words of the protocol thrown together never do harm", async () => {
    for (let seed = 1; seed <= 300; seed++) {
      const connection = await RawConnection.greeted(server().port);
      connection.send(randomWords(seed));
      connection.socket.end();
      await connection.until(`the end of random words of seed ${seed}`, () => connection.isClosed);
    }
  });
});

function randomBytes(seed: number): Uint8Array {
  const random = seededRandom(seed);
  const bytes = Uint8Array.from({ length: 1 + randomInt(random, 3000) }, () => randomInt(random, 256));
  if (bytes[0] === 0x50 || bytes[0] === 0x70) bytes[0] = 0; // a P may begin a word whose end is awaited
  return bytes;
}

const words =
  "CONNECT PUB HPUB SUB UNSUB PING PONG MSG +OK -ERR INFO a.b > * a..b 1 2 5 0 999999 {} null".split(" ");
const joints = [" ", " ", " ", " ", "\r\n", "\r\n", "\n", "\t", "", "\r", "\0", '"'];

/** Its subjects are not those of the witnesses. */
function randomWords(seed: number): string {
  const random = seededRandom(seed);
  const pick = (from: readonly string[]): string => from[randomInt(random, from.length)]!;
  return Array.from({ length: 1 + randomInt(random, 200) }, () => pick(words) + pick(joints)).join("");
}

describe("too much at once", () => {
  const server = watched();

  it("a line without an end is cut off at the longest control line", async () => {
    const connection = await RawConnection.greeted(server().port);
    connection.send("SUB " + "x".repeat(5000));
    await connection.closed();
    expect(connection.errors).toEqual(["maximum control line exceeded"]);
  });

  it("a line without an end that comes in drops is cut off as well", async () => {
    const connection = await RawConnection.greeted(server().port);
    connection.send("PUB ");
    for (let sent = 0; sent < 100 && !connection.isClosed; sent++) {
      connection.send("y".repeat(100));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await connection.closed();
    expect(connection.errors).toEqual(["maximum control line exceeded"]);
  });

  it("a payload beyond the limit is refused when it is announced", async () => {
    for (const announced of ["PUB a 1048577\r\n", "PUB a 999999999\r\n", "HPUB a 10 2000000\r\n"]) {
      const connection = await RawConnection.greeted(server().port, { headers: true });
      connection.send(announced);
      await connection.closed();
      expect(connection.errors).toEqual(["Maximum Payload Violation"]);
    }
  });

  it("a client that announces too much and sends it anyway gets the error, too", async () => {
    const connection = await RawConnection.greeted(server().port);
    connection.send("PUB a 8000000\r\n");
    connection.send(new Uint8Array(8_000_000));
    await connection.closed();
    // A reset may overtake the words.
    expect(connection.errors.length <= 1).toBe(true);
  });
});

describe("half of something", () => {
  const server = watched();

  it.each([
    ["half a word", "PI"],
    ["half a line", "PUB some.subject 1"],
    ["half a payload", "PUB a 100\r\nhalf"],
    ["half a large payload", "PUB a 1000000\r\n" + "x".repeat(500_000)],
    ["a payload without its end", "PUB a 4\r\nwhol"],
    ["half a CONNECT", 'CONNECT {"verbose":false'],
  ])("%s and then silence costs nobody anything", async (_name, text) => {
    const many = await Promise.all(Array.from({ length: 20 }, () => RawConnection.greeted(server().port)));
    for (const connection of many) connection.send(text);
    for (const connection of many.slice(0, 10)) connection.destroy();
    for (const connection of many.slice(10)) connection.reset();
    await waitFor("them to be gone", () => server().server.clients.sessions.size === 2);
  });

  it("a frame that comes byte by byte is the same frame", async () => {
    const connection = await RawConnection.greeted(server().port, { headers: true });
    connection.send("SUB mine.* 77\r\n");
    const frame = "HPUB mine.a re.ply 17 22\r\nNATS/1.0\r\nA:b\r\n\r\nhello\r\nPUB mine.b 0\r\n\r\nPING\r\n";
    for (const byte of Buffer.from(frame)) {
      connection.send(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const wanted =
      "HMSG mine.a 77 re.ply 17 22\r\nNATS/1.0\r\nA:b\r\n\r\nhello\r\nMSG mine.b 77 0\r\n\r\nPONG\r\n";
    await connection.has(wanted);
    connection.destroy();
  });

  it("a reset in the middle of a delivery ends only that delivery", async () => {
    for (let round = 0; round < 6; round++) {
      const [reader, writer] = [
        await RawConnection.greeted(server().port),
        await RawConnection.greeted(server().port),
      ];
      reader.send("SUB heavy 1\r\nPING\r\n");
      await waitFor("the subscription", () => server().server.clients.subscriptionCount === 2);
      reader.stopReading();
      const message = `PUB heavy 100000\r\n${"x".repeat(100_000)}\r\n`;
      for (let n = 0; n < 30; n++) writer.send(message);
      await waitFor(
        "the reader's socket to fill",
        () => reader.bytes > 0 && writer.socket.writableLength === 0,
      );
      reader.reset();
      writer.send("PING\r\n");
      await writer.until("the writer's PONG", () => writer.text.match(/PONG/g)?.length === 2);
      writer.destroy();
      await waitFor("both to be gone", () => server().server.clients.sessions.size === 2);
    }
  });
});

describe("too many", () => {
  const server = watched({ client: { maxConnections: 10 } });

  it("who comes when it is full is told so after INFO, and the place of one who goes is free again", async () => {
    const port = server().port;
    const inside = await Promise.all(Array.from({ length: 8 }, () => RawConnection.greeted(port)));
    for (let round = 0; round < 10; round++) {
      const refused = await Promise.all(Array.from({ length: 50 }, () => RawConnection.open(port)));
      for (const connection of refused) {
        await connection.closed();
        expect(connection.text).toMatch(/^INFO \{.*\} \r\n-ERR 'maximum connections exceeded'\r\n$/);
      }
    }
    inside[0]!.destroy();
    await waitFor("the place to be free", () => server().server.clients.sessions.size === 9);
    const late = await RawConnection.greeted(port);
    for (const connection of [...inside, late]) connection.destroy();
  });
});

describe("who does not say who he is", () => {
  const server = watched({ authorization: { token: "t", timeoutMs: 1000 } }, { token: "t" });

  it.each([
    ["nothing", ""],
    ["half a CONNECT", 'CONNECT {"auth_token":"t"'],
  ])("says %s: is told that time is up", async (_name, text) => {
    const connection = await RawConnection.open(server().port);
    connection.send(text);
    await connection.closed();
    expect(connection.errors).toEqual(["Authentication Timeout"]);
  });

  it("2000 who say nothing are all sent away, and the port stays open to others", async () => {
    const crowd = await Promise.all(Array.from({ length: 2000 }, () => RawConnection.open(server().port)));
    const welcome = await RawConnection.greeted(server().port, { auth_token: "t" });
    for (const connection of crowd) await connection.closed();
    expect(new Set(crowd.flatMap(({ errors }) => errors))).toEqual(new Set(["Authentication Timeout"]));
    welcome.destroy();
  });
});

describe("who does not say it right", () => {
  const server = watched({ authorization: { token: "t", timeoutMs: 60_000 } }, { token: "t" });

  it.each([
    ["another word first", "PING\r\n"],
    ["a wrong token", 'CONNECT {"auth_token":"x"}\r\n'],
    ["no token", "CONNECT {}\r\n"],
  ])("says %s: is refused", async (_name, text) => {
    const connection = await RawConnection.open(server().port);
    connection.send(text);
    await connection.closed();
    expect(connection.errors).toEqual(["Authorization Violation"]);
  });
});

describe("who does not answer PING", () => {
  const server = watched({ client: { pingIntervalMs: 60, pingMax: 2 } });

  it("is sent away as stale, also before CONNECT", async () => {
    for (const text of ["", "CONNECT {}\r\n", "CONNECT {}\r\nSUB a 1\r\n"]) {
      const connection = await RawConnection.open(server().port);
      connection.send(text);
      await connection.closed();
      expect(connection.errors).toEqual(["Stale Connection"]);
      expect(connection.text.match(/PING\r\n/g)?.length).toBe(2);
    }
  });
});
