/**
 * Feeds bytes to a route, as another server or whoever found the port would, with the real rooms behind it. The first
 * four bytes say how the rest arrives and what the route is:
 *
 *     | options | size of pieces | control line | how much may be pending | stream ...
 */
import type { RouteSession } from "../src/links/route/session.ts";
import type { Link } from "../test/property/stack.ts";
import { pieceLength, repeated, resetStack, stack, type Connected } from "./support/shared-stack.ts";

export const dictionary = [
  ..."RMSG |HMSG |RS+ |RS- |PING\r\n|PONG\r\n|CONNECT {}\r\n|INFO {|+OK\r\n|-ERR '|LS+ |A- |\r\n|\n|\r| |\t".split(
    "|",
  ),
  ...'$G |$SYS |a.b |a.*|>| + r | | q p | q 2\r\n|"server_id":"N"|"headers":true|NATS/1.0\r\n\r\n'.split("|"),
  "RMSG $G a.b 5\r\nhello\r\n",
  "RMSG $G a.b + r q p 5\r\nhello\r\n",
  "RMSG $G a.b | q 5\r\nhello\r\n",
  "HMSG $G a.b r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
  "RS+ $G a.* q 3\r\n",
];

export function fuzz(bytes: Uint8Array): void {
  const [options = 0, piece = 0, line = 0, pending = 0] = bytes;
  resetStack({
    maxControlLineBytes: 4 + line,
    maxPendingBytes: (options & 1) === 0 ? 64 * 1024 * 1024 : 64 + pending * 64,
  });
  const reader = stack.client();
  reader.wire.receiveText("SUB > 1\r\nSUB a.* q 2\r\nSUB a.> p 123456789\r\nUNSUB 1 3\r\n");
  reader.wire.holdsWrites = (options & 8) !== 0;
  const deaf = stack.arrive();
  deaf.wire.receiveText('CONNECT {"verbose":false}\r\nSUB *.* 1\r\nSUB a.> q 2\r\n');
  const route = openRoute(options);
  route.wire.holdsWrites = (options & 4) !== 0;
  const all: Connected[] = [route, reader, deaf];
  // Two reads' worth take fifty times as long as what most inputs bring.
  const isRepeated = (piece & 128) !== 0 && (line & 15) === 15;
  const stream = isRepeated ? repeated(bytes.subarray(4)) : bytes.subarray(4);
  stack.play(route, stream, (options & 32) === 0 ? stream.length : pieceLength(stream, piece & 63), all);
  reader.wire.receiveText("PUB a.b r 2\r\nhi\r\nPUB a.c 0\r\n\r\nPUB b 2\r\nhi\r\n");
  if ((options & 64) !== 0) stack.clock.advance(300_000);
  stack.end(all);
}

function openRoute(options: number): Link<RouteSession> {
  if ((options & 128) !== 0) return stack.stranger();
  return (options & 16) === 0 ? stack.route() : stack.route({ account: "$G" });
}
