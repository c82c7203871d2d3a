/**
 * Feeds bytes to a client's connection and looks at the server behind it: parser, session, router and outboxes are the real
 * ones, on memory wires. The first four bytes say how the rest arrives and who else is connected:
 *
 *     | options | size of pieces | control line | how much may be pending | stream ...
 */
import { pieceLength, repeated, resetStack, stack, type Connected } from "./support/shared-stack.ts";

export const dictionary = [
  ..."PUB |HPUB |SUB |UNSUB |PING\r\n|PONG\r\n|CONNECT {|INFO {}|+OK\r\n|-ERR '|\r\n|\n|\r| |\t".split("|"),
  ...'"verbose":true|"pedantic":false|"echo":false|"headers":true|"no_responders":true|"protocol":1'.split(
    "|",
  ),
  ..."a.b|a.*|>|*.*|_INBOX.x|$SYS.x|_GR_.x| q |NATS/1.0\r\n\r\n|PUB a 1\r\nx\r\n|SUB a 1\r\n".split("|"),
  "PUB a.b r.s 5\r\nhello\r\n",
  "HPUB a r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
  'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\n',
];

const CONNECT = 'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\n';

export function fuzz(bytes: Uint8Array): void {
  const [options = 0, piece = 0, line = 0, pending = 0] = bytes;
  resetStack({
    maxPayloadBytes: 1000,
    maxControlLineBytes: 16 + line * 4,
    maxPendingBytes: (options & 1) === 0 ? 64 * 1024 * 1024 : 64 + pending * 64,
  });
  const reader = stack.client((options & 2) === 0 ? "" : '"verbose":true');
  reader.wire.receiveText("SUB > 1\r\nSUB a.* q 2\r\nSUB a q 123456789\r\nUNSUB 1 3\r\n");
  const deaf = stack.arrive();
  deaf.wire.receiveText('CONNECT {"verbose":false}\r\nSUB *.* 1\r\nSUB a.> q 2\r\n');
  const route = stack.route();
  route.wire.receiveText("RS+ $G r.s\r\nRS+ $G a.b q 2\r\n");
  const client = stack.arrive();
  client.wire.holdsWrites = (options & 4) !== 0;
  reader.wire.holdsWrites = (options & 8) !== 0;
  if ((options & 16) === 0) client.wire.receiveText(CONNECT);
  const all: Connected[] = [client, reader, deaf, route];
  // Two reads' worth take fifty times as long as what most inputs bring.
  const isRepeated = (options & 128) !== 0 && (line & 15) === 15;
  const stream = isRepeated ? repeated(bytes.subarray(4)) : bytes.subarray(4);
  stack.play(client, stream, (options & 32) === 0 ? stream.length : pieceLength(stream, piece & 63), all);
  if ((options & 64) !== 0) stack.clock.advance(300_000);
  stack.end(all);
}
