/**
 * Feeds bytes to the port for WebSocket as requests. The first two bytes say how:
 *
 *     | how | size of pieces | request ...     how: 1 same origin, 2 allowed origins, 4 compression, 8 secured
 *
 * There is one answer, the same however the request is cut; who is let in has asked for it in a way that nothing in between can read
 * otherwise.
 */
import { assert } from "../src/base/assert.ts";
import { MemoryWire } from "../src/transport/memory.ts";
import type { Upgrade } from "../src/transport/websocket/request.ts";
import { Upgrading } from "../src/transport/websocket/upgrading.ts";
import { pieceLength } from "./support/shared-stack.ts";

const NAMES =
  "Host Upgrade Connection Sec-WebSocket-Key Sec-WebSocket-Version Sec-WebSocket-Extensions Origin Cookie Content-Length Transfer-Encoding X-Forwarded-For Nats-No-Masking".split(
    " ",
  );
const VALUES =
  'localhost|localhost:80|[::1]:80|websocket|Upgrade|keep-alive, Upgrade|dGhlIHNhbXBsZSBub25jZQ==|13|permessage-deflate; client_max_window_bits|http://localhost|https://ok.example|null|a=b; c="d"|0|5|chunked|1.2.3.4|true'.split(
    "|",
  );

const GOOD =
  "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

export const dictionary = [
  `${GOOD}\r\n`,
  GOOD,
  `${GOOD}Origin: http://localhost\r\n\r\n`,
  `${GOOD}Cookie: a=b\r\n\r\n`,
  ...NAMES.flatMap((name) => [`${name}: `, `${name.toLowerCase()}:`, `${name} : `]),
  ...VALUES.map((value) => `${value}\r\n`),
  ..."GET |POST |/|/leafnode|/mqtt|?a#b| HTTP/1.1\r\n| HTTP/1.0\r\n|\r\n\r\n|\r\n|\n\n|\r|\n|:|\t|\0|,|;| \r\n x".split(
    "|",
  ),
];

interface Outcome {
  readonly answer: string;
  readonly state: string;
  readonly upgrade: Upgrade | null;
}

export function fuzz(input: Uint8Array): void {
  const [how = 0, second = 0] = input;
  const stream = input.subarray(2);
  const whole = play(how, stream, stream.length);
  const pieces = play(how, stream, pieceLength(stream, second & 63));
  if (whole.upgrade !== null) check(Buffer.from(stream).toString("latin1"), whole);
  // What comes with the request, and not after its answer, is a reason to end the connection.
  if (whole.state !== "closing" || whole.answer !== "") {
    assert(whole.answer === pieces.answer, "the answer is the same however the request is cut");
    assert(whole.state === pieces.state, "so is what becomes of the connection");
  }
}

function play(how: number, stream: Uint8Array, length: number): Outcome {
  const below = new MemoryWire();
  let upgrade: Upgrade | null = null;
  let refusals = 0;
  const origin = { scheme: "https", host: "ok.example", port: "443" };
  const upgrading = new Upgrading(below, {
    terms: () => ({
      sameOrigin: (how & 1) !== 0,
      allowedOrigins: (how & 2) !== 0 ? [origin] : [],
      compression: (how & 4) !== 0,
      isSecured: (how & 8) !== 0,
      headers: "X-Test: yes\r\n",
    }),
    onUpgrade(_, agreed) {
      assert(upgrade === null, "a connection is upgraded once");
      upgrade = agreed;
      return { onBytes: () => true, onWritten: () => undefined, onClosed: () => undefined };
    },
    onRefused: () => void refusals++,
    onClosed: () => undefined,
  });
  below.start(upgrading);
  for (let from = 0; from < stream.length && below.state === "open" && upgrade === null; from += length)
    below.receive(stream.subarray(from, from + length));
  const answer = below.takeText();
  assert(refusals + (upgrade === null ? 0 : 1) <= 1, "there is one answer");
  assert(answer === "" || answer.startsWith("HTTP/1.1 "), "an answer is one of HTTP");
  assert((upgrade !== null) === answer.startsWith("HTTP/1.1 101 "), "who is told so is upgraded");
  assert(answer.split("\r\n\r\n").length <= 2, "an answer has one head");
  const { state } = below;
  below.hangUp();
  return { answer, state, upgrade };
}

function check(request: string, { answer, upgrade }: Outcome): void {
  const end = request.indexOf("\r\n\r\n");
  const head = request.slice(0, end);
  assert(end > 0 && end + 4 === request.length, "nothing comes with a request that is taken");
  assert(/^GET \S+ HTTP\/1\.\d\r\n/.test(head), "it is a GET");
  assert(!/[^\r]\n|\r[^\n]|\0/.test(head), "its lines end in one way");
  assert(head.match(/\r\nhost:/gi)?.length === 1, "it has one Host");
  assert(
    !/\r\n(?:transfer-encoding:|content-length:(?![ \t]*0[ \t]*(?:\r\n|$)))/i.test(head),
    "it has no body",
  );
  assert(/\r\nsec-websocket-version:[^\r]*13/i.test(head), "it names the version");
  assert(answer.includes("\r\nX-Test: yes\r\n"), "the answer has the headers that are configured");
  for (const [name, value] of upgrade!.cookies)
    assert(head.includes(name) && head.includes(value), "cookies are those of the request");
}
