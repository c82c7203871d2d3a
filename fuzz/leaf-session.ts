/**
 * Feeds bytes to leaf connections: whoever found the port, a spoke, or a hub that was dialled, beside another spoke, a route and a client. The first
 * three bytes say who it is and how the rest arrives:
 *
 *     | who | size of pieces | what else happens | stream ...
 *
 * Whatever arrives, the other connections stay, and nothing is left behind.
 */
import { assert } from "../src/base/assert.ts";
import { slabSnapshot } from "../src/slab/chunks.ts";
import { LeafStack } from "../test/property/leaf-stack.ts";
import { finishChores } from "./support/finish-chores.ts";
import { pieceLength } from "./support/shared-stack.ts";

export const dictionary = [
  ..."LMSG |HMSG |LS+ |LS- |PING\r\n|PONG\r\n|CONNECT {|INFO {|+OK\r\n|-ERR '|\r\n|\n| |\t|}|,".split("|"),
  ..."a.b |a.*|>| + r | | q p | q 2\r\n|$LDS.own1|$LDS.x|$JS.API.>|_R_.|_GR_.".split("|"),
  ...'"name":"s","cluster":"S"|"is_hub":true|"deny_pub":["a.>"]|"isolate":true|"lang":"go"|"user":"u"|null|-1'.split(
    "|",
  ),
  ...'"import":{"allow":["a.*"]}|"export":{"deny":["a.b"]}|"connect_info":true|"server_id":"N"|"client_id":7'.split(
    "|",
  ),
  "LMSG a.b 5\r\nhello\r\n",
  "LMSG a.b r 5\r\nhello\r\n",
  "LMSG a.b | q 5\r\nhello\r\n",
  "HMSG a.b r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
  "LS+ a.* q 3\r\n",
  "-ERR 'Loop detected'\r\n",
];

const stack = new LeafStack({ leafLimits: { maxPayloadBytes: 64 * 1024, maxSubscriptions: 100 } });

export function fuzz(bytes: Uint8Array): void {
  const [who = 0, piece = 0, more = 0] = bytes;
  const client = stack.client();
  client.wire.receiveText("SUB > 1\r\nSUB a.* q 2\r\n");
  const witness = stack.spoke("witness");
  witness.wire.receiveText("LS+ a.>\r\nLS+ a.b q 2\r\n");
  const route = stack.route();
  const fuzzed = (who & 3) === 0 ? stack.knock() : (who & 3) === 1 ? stack.hub() : stack.spoke("S");
  fuzzed.wire.holdsWrites = (more & 1) !== 0;
  const stream = bytes.subarray(3);
  const length = (piece & 128) === 0 ? Math.max(1, stream.length) : pieceLength(stream, piece & 63);
  for (let from = 0; from < stream.length; from += length) {
    fuzzed.wire.receive(stream.subarray(from, from + length));
    if (fuzzed.wire.isPaused) stack.clock.advance(20);
    fuzzed.wire.completeWrite();
  }
  client.wire.receiveText("PUB a.b r 2\r\nhi\r\nPUB a.c 0\r\n\r\n");
  if ((more & 2) !== 0) stack.clock.advance(5000);
  finishChores(stack.turn);
  assert(client.session.isOpen && witness.session.isOpen && route.session.isOpen, "others stay connected");
  for (const { wire } of [fuzzed, witness, route, client]) {
    wire.completeWrite();
    wire.hangUp();
  }
  finishChores(stack.turn);
  stack.told.length = stack.closed.length = stack.toldRoutes.length = 0;
  for (const account of stack.accounts) {
    assert(account.interest.size === account.serviceImports.length, "interest is left");
    assert(account.connections === 0 && account.leafnodes === 0, "connections are left");
  }
  assert(stack.clock.timerCount === 0, "timers are left");
  assert(slabSnapshot().chunksInUse === 0, "chunks are left");
}
