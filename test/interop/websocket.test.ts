/**
 * WebSocket beside the real nats-server: what requests are answered, and how sessions go. Both servers get the same bytes; where they
 * are meant to differ the reason stands here.
 */
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { freePort } from "../support/free-port.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import { RawConnection } from "../support/raw-connection.ts";
import {
  CLOSING,
  closeWith,
  frame,
  PING,
  PONG,
  readFrames,
  TEXT,
  type FrameParts,
} from "../support/websocket-frames.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const HEADERS = {
  Host: "localhost",
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": KEY,
  "Sec-WebSocket-Version": "13",
};

/** null: without this header. */
function request(headers: Readonly<Record<string, string | null>> = {}, line = "GET / HTTP/1.1"): string {
  const all = Object.entries({ ...HEADERS, ...headers }).filter(([, value]) => value !== null);
  return `${line}\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

interface Side {
  readonly server: ServerProcess;
  readonly port: number;
  readonly monitorPort: number;
}

const sides = new Map<string, Side>();

beforeAll(async () => {
  for (const { name, command } of bothServers) {
    const [port, monitorPort] = [await freePort(), await freePort()];
    const server = await startServer(
      command,
      `http: "127.0.0.1:${monitorPort}"
      max_payload: 1000
      authorization { users: [
        { user: anybody, password: x }
        { user: ws, password: w, allowed_connection_types: [WEBSOCKET] }
        { user: tcp, password: t, allowed_connection_types: [STANDARD] }
      ] }
      websocket {
        listen: "127.0.0.1:${port}"
        no_tls: true
        compression: true
        allowed_origins: ["http://ok.example", "https://ok.example:8443"]
        user_cookie: who
        pass_cookie: word
        no_auth_user: anybody
        advertise: "ws.example.com:443"
        handshake_timeout: 5
        headers { X-Test: "yes" }
      }`,
    );
    sides.set(name, { server, port, monitorPort });
  }
});

afterAll(async () => {
  for (const { server } of sides.values()) await server.stop();
});

requireNatsServer();

/** The head of the answer without what tells the time; "closed" where there is none. */
async function answer({ port }: Side, text: string): Promise<string> {
  const connection = await RawConnection.open(port);
  connection.send(text);
  await connection.until("an answer", () => connection.text.includes("\r\n\r\n") || connection.isClosed);
  const [head = ""] = connection.text.split("\r\n\r\n");
  connection.destroy();
  return head === "" ? "closed" : head.replace(/\r\nDate: [^\r]*/, "");
}

async function answers(text: string): Promise<string[]> {
  return Promise.all([...sides.values()].map((side) => answer(side, text)));
}

describe("a request", () => {
  it.each([
    ["as it should be", request()],
    ["in other letters", request({ Upgrade: "WebSocket", Connection: "keep-alive, upgrade" })],
    [
      "with an offer of compression",
      request({ "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" }),
    ],
    ["that asks for no masks", request({ "Nats-No-Masking": "true" })],
    ["for any path", request({}, "GET /any/path?x=1 HTTP/1.1")],
    ["for a URL", request({}, "GET http://localhost/ HTTP/1.1")],
    ["by HTTP/1.0", request({}, "GET / HTTP/1.0")],
    ["from an origin that is allowed", request({ Origin: "http://ok.example" })],
    ["from a port that is allowed", request({ Origin: "https://ok.example:8443" })],
    ["that is no POST", request({}, "POST / HTTP/1.1")],
    ["without a host", request({ Host: null })],
    ["with a host that is none", request({ Host: "a b" })],
    ["with two hosts", request().replace("\r\n\r\n", "\r\nHost: b\r\n\r\n")],
    ["for no upgrade", request({ Upgrade: null })],
    ["for another upgrade", request({ Upgrade: "h2c" })],
    ["for no connection", request({ Connection: "close" })],
    ["without a key", request({ "Sec-WebSocket-Key": null })],
    ["with a key that is none", request({ "Sec-WebSocket-Key": "abc" })],
    ["with a key that is too short", request({ "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAA" })],
    ["of version 8", request({ "Sec-WebSocket-Version": "8" })],
    ["of no version", request({ "Sec-WebSocket-Version": null })],
    ["from another origin", request({ Origin: "http://bad.example" })],
    ["from another port", request({ Origin: "http://ok.example:81" })],
    ["from nowhere", request({ Origin: "null" })],
    ["for MQTT", request({}, "GET /mqtt HTTP/1.1")],
    ["that is none", "hello\r\n\r\n"],
    ["by HTTP/2", request({}, "GET / HTTP/2.0")],
    ["with more behind it", `${request()}PING\r\n`],
    ["with a zero byte", request({ "X-A": "a\0b" })],
    ["that is too long", request({ "X-A": "a".repeat(2_000_000) })],
  ])("is answered alike: %s", async (_, text) => {
    // shoal takes one request on a connection, and says so.
    const [own, ...others] = (await answers(text)).map((head) => head.replace("\r\nConnection: close", ""));
    for (const other of others) expect(own).toBe(other);
  });

  it.each([
    ["with lines that end otherwise", request().replaceAll("\r\n", "\n"), "400"],
    ["with a folded header", request({ "X-A": "a\r\n b" }), "400"],
    ["with a body", request({ "Content-Length": "5" }), "400"],
    ["in chunks", request({ "Transfer-Encoding": "chunked" }), "400"],
    ["longer than 32 KiB", request({ "X-A": "a".repeat(40_000) }), "431"],
  ])("is refused by shoal alone, since others may read it otherwise: %s", async (_, text, status) => {
    const [own] = await answers(text);
    expect(own).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});

interface Told {
  readonly info: Record<string, unknown>;
  readonly frames: string[];
  readonly close: string | null;
}

const CONNECT = 'CONNECT {"verbose":false,"pedantic":false,"protocol":1}\r\n';

/** Connects, sends the frames, and says how it ended, or what was said until PONG. */
async function converse(
  side: Side,
  headers: Record<string, string>,
  ...sent: readonly FrameParts[]
): Promise<Told> {
  const connection = await RawConnection.open(side.port);
  connection.send(request(headers));
  const said = (): Buffer => {
    const at = connection.text.indexOf("\r\n\r\n");
    return Buffer.from(at < 0 ? "" : connection.text.slice(at + 4), "latin1");
  };
  const frames = (): ReturnType<typeof readFrames> => {
    try {
      return readFrames(said());
    } catch {
      return []; // half a frame
    }
  };
  const texts = (): string[] =>
    frames()
      .filter(({ opcode }) => opcode !== CLOSING)
      .map(
        ({ opcode, payload, isCompressed }) =>
          (opcode === PONG ? "pong " : "") + plain(payload, isCompressed),
      );
  await connection.until("INFO", () => texts().length > 0);
  for (const parts of sent) connection.send(frame(parts));
  const isOver = (): boolean => frames().at(-1)?.opcode === CLOSING || texts().join("").includes("PONG\r\n");
  await connection.until("an end", () => isOver() || connection.isClosed);
  const [info = "", ...rest] = texts();
  const closing = frames().find(({ opcode }) => opcode === CLOSING);
  connection.destroy();
  return {
    info: JSON.parse(info.slice("INFO ".length)) as Record<string, unknown>,
    // How many frames it takes to say something is each server's own business.
    frames: [rest.join("").replace(/INFO [^\r]*\r\n/g, "")],
    close: closing === undefined ? null : shownClose(closing.payload),
  };
}

function plain(payload: Buffer, isCompressed: boolean): string {
  if (!isCompressed) return payload.toString("latin1");
  const whole = Buffer.concat([payload, Buffer.of(0, 0, 0xff, 0xff)]);
  return inflateRawSync(whole, { finishFlush: constants.Z_SYNC_FLUSH }).toString("latin1");
}

function shownClose(payload: Buffer): string {
  return payload.length < 2 ? "" : `${payload.readUInt16BE(0)} ${payload.toString("utf8", 2)}`;
}

const deflated = deflateRawSync(`${CONNECT}PING\r\n`, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(
  0,
  -4,
);
const DEFLATE = { "Sec-WebSocket-Extensions": "permessage-deflate" };

describe("a session", () => {
  it.each([
    ["says PING", {}, [{ payload: `${CONNECT}PING\r\n` }]],
    ["in text", {}, [{ opcode: TEXT, payload: `${CONNECT}PING\r\n` }]],
    [
      "in fragments",
      {},
      [
        { payload: CONNECT.slice(0, 9), isFinal: false },
        { opcode: PING, payload: "?" },
        { opcode: 0, payload: `${CONNECT.slice(9)}PING\r\n` },
      ],
    ],
    ["compressed", DEFLATE, [{ reserved: 0x40, payload: deflated }]],
    [
      "as a user of WebSocket",
      {},
      [{ payload: 'CONNECT {"verbose":false,"user":"ws","pass":"w"}\r\nPING\r\n' }],
    ],
    ["as a user of TCP", {}, [{ payload: 'CONNECT {"verbose":false,"user":"tcp","pass":"t"}\r\nPING\r\n' }]],
    ["by cookies", { Cookie: "who=ws; word=w" }, [{ payload: `${CONNECT}PING\r\n` }]],
    ["by wrong cookies", { Cookie: "who=ws; word=x" }, [{ payload: `${CONNECT}PING\r\n` }]],
    [
      "by CONNECT before cookies",
      { Cookie: "who=nobody; word=x" },
      [{ payload: 'CONNECT {"verbose":false,"user":"ws","pass":"w"}\r\nPING\r\n' }],
    ],
    ["with a message that is too large", {}, [{ payload: `${CONNECT}PUB a 1001\r\n` }]],
    ["with a line that is too long", {}, [{ payload: `${CONNECT}SUB ${"a".repeat(5000)} 1\r\n` }]],
    ["that says good-bye", {}, [closeWith(1000, "bye")]],
    ["that says good-bye without a reason", {}, [{ opcode: CLOSING }]],
  ] satisfies [string, Record<string, string>, FrameParts[]][])(
    "goes alike: %s",
    async (_, headers, sent) => {
      const [own, ...others] = await Promise.all(
        [...sides.values()].map((side) => converse(side, headers, ...sent)),
      );
      for (const other of others) {
        expect(own!.frames).toEqual(other.frames);
        expect(own!.close).toEqual(other.close);
        const shown = ({ host, auth_required, tls_required, connect_urls }: Told["info"]): object => ({
          host,
          auth_required,
          tls_required,
          connect_urls,
        });
        expect(shown(own!.info)).toEqual(shown(other.info));
      }
    },
  );
});

describe("what breaks the rules", () => {
  it.each([
    [{ payload: `${CONNECT}HELLO\r\n` }, "1002 Protocol Violation"],
    [{ payload: CONNECT, mask: null }, "1002 mask bit missing"],
    [{ reserved: 0x20 }, "1002 RSV2 and RSV3 must be clear"],
    [{ opcode: 3 }, "1002 unknown opcode 3"],
    [{ opcode: 0 }, "1002 invalid continuation frame"],
    [
      { opcode: PING, payload: "x".repeat(126) },
      "1002 control frame length bigger than maximum allowed of 125 bytes",
    ],
    [closeWith(1005), "1002 invalid close status code 1005"],
    [{ told: 2n ** 63n }, "1002 invalid 64-bit payload length"],
  ] satisfies [FrameParts, string][])("ends the connection, case %#", async (sent, reason) => {
    const [own, ...others] = await Promise.all([...sides.values()].map((side) => converse(side, {}, sent)));
    expect(own!.close).toBe(reason);
    // nats-server has the same words, and mostly closes before they are out.
    for (const other of others) expect([null, reason]).toContain(other.close);
  });
});

it("is shown alike in /varz and /connz", async () => {
  const seen = await Promise.all(
    [...sides.values()].map(async (side) => {
      await converse(side, {}, { payload: `${CONNECT}PING\r\n` });
      const get = async (path: string): Promise<Record<string, unknown>> =>
        (await (await fetch(`http://127.0.0.1:${side.monitorPort}${path}`)).json()) as Record<
          string,
          unknown
        >;
      const { websocket } = await get("/varz");
      const { connections } = await get("/connz?state=any&auth=1");
      const [{ kind, type, authorized_user }] = connections as [Record<string, unknown>];
      return { websocket: { ...(websocket as object), port: 0 }, kind, type, authorized_user };
    }),
  );
  for (const other of seen.slice(1)) expect(seen[0]).toEqual(other);
  expect(seen[0]).toMatchObject({ type: "websocket", websocket: { compression: true } });
});
