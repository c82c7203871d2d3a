/**
 * Feeds bytes to clients that have to say who they are, and looks at what a service in another account is told of them. The first
 * two bytes say how:
 *
 *     | how | size of pieces | stream ...             as it comes, to a server with a token or with users
 *     | how | length of name | name ... headers ...   a client of this name sends a request with these headers
 */
import { assert } from "../src/base/assert.ts";
import { slabSnapshot } from "../src/slab/chunks.ts";
import type { AccountDefinition } from "../src/core/definitions.ts";
import { Stack } from "../test/property/stack.ts";
import { finishChores } from "./support/finish-chores.ts";
import { pieceLength } from "./support/shared-stack.ts";

const FIELDS =
  "verbose pedantic echo headers no_responders protocol name lang version user pass auth_token jwt nkey sig proxy_sig account new_account".split(
    " ",
  );

export const dictionary = [
  ...FIELDS.flatMap((field) => [`"${field}":`, `"${field}":"B",`, `"${field}":true,`, `"${field}":1,`]),
  ...'CONNECT {|connect {|}\r\n|PING\r\n|PUB a 1\r\nx\r\n|SUB a 1\r\n|\r\n|\n|\r| |\t|\0|:|[[[[[[[[|{"a":'.split(
    "|",
  ),
  ..."Nats-Request-Info|nats-request-info|Nats-Request-Info: x\r\n|NATS/1.0\r\n|NATS/1.0\n|NATS/1.0".split(
    "|",
  ),
  ...'\u0122,\u0122acc\u0122:\u0122ROOT\u0122|\u010d\u010a|\u{1f41f}|\\u000d\\u000a|\\"'.split("|"),
  'CONNECT {"auth_token":"T","verbose":false}\r\n',
  'CONNECT {"user":"B","pass":"p","verbose":false}\r\nPUB sum.x in 2\r\nhi\r\n',
];

const NOTHING = { streamExports: [], serviceExports: [], streamImports: [], serviceImports: [] };
const limits = { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null };
const service = { subject: "add.*", accounts: null, responseThresholdMs: 1000, latency: null };
const accounts: AccountDefinition[] = [
  {
    ...NOTHING,
    name: "A",
    limits,
    serviceExports: [{ ...service, responseType: "singleton", allowTrace: false }],
  },
  {
    ...NOTHING,
    name: "B",
    limits,
    serviceImports: [{ account: "A", subject: "add.*", to: "sum.*", share: true }],
  },
];

const withToken = new Stack({ token: "T" });
const withUsers = new Stack({ accounts: { definition: { accounts, systemAccount: null } } });

export function fuzz(bytes: Uint8Array): void {
  const [how = 0, second = 0] = bytes;
  if ((how & 1) === 0) {
    const stack = (how & 2) === 0 ? withToken : withUsers;
    const stream = bytes.subarray(2);
    play(stack, stream, (how & 4) === 0 ? stream.length : pieceLength(stream, second & 63), (how & 8) !== 0);
  } else askAs(bytes.subarray(2, 2 + second), bytes.subarray(2 + second));
}

function play(stack: Stack, stream: Uint8Array, length: number, waits: boolean): void {
  const { wire, session } = stack.arrive();
  for (let from = 0; from < stream.length; from += length) wire.receive(stream.subarray(from, from + length));
  if (waits) stack.clock.advance(3000);
  wire.hangUp();
  assert(!session.isOpen, "a connection without a wire is open");
  checkClean(stack);
}

function checkClean(stack: Stack): void {
  finishChores(stack.turn);
  stack.closed.length = stack.told.length = 0;
  stack.clock.advance(2000);
  for (const account of stack.accounts) {
    assert(account.connections === 0, `${account.connections} connections are left`);
    const most = account.serviceImports.length + 1; // and the responses that are owed
    assert(account.interest.size <= most, `${account.interest.size} subscriptions are left`);
    account.interest.evictAll();
  }
  assert(stack.clock.timerCount === 0, `${stack.clock.timerCount} timers are left`);
  assert(slabSnapshot().chunksInUse === 0, "chunks are left");
}

function askAs(name: Uint8Array, headers: Uint8Array): void {
  const stack = withUsers;
  const responder = stack.clientIn("A");
  responder.wire.receiveText("SUB add.* 1\r\n");
  const text = JSON.stringify(Buffer.from(name).toString("utf8"));
  const requester = stack.clientIn("B", `"name":${Buffer.from(text, "utf8").toString("latin1")}`);
  const line = `HPUB sum.x in ${headers.length} ${headers.length + 2}\r\n`;
  requester.wire.receive(Buffer.concat([Buffer.from(line), headers, Buffer.from("hi\r\n")]));
  checkRequest(responder.wire.take());
  for (const { wire } of [responder, requester]) wire.hangUp();
  checkClean(stack);
}

/** What somebody might strip from a line. */
// oxlint-disable-next-line no-control-regex
const UNSEEN = /[\x00-\x20\x7f]/g;

/** However a client reads its headers, there is one word about the requester: the server's. */
function checkRequest(got: Buffer): void {
  if (got.length === 0) return;
  const lineEnd = got.indexOf("\r\n");
  const [operation, subject, , , headerLength] = got.toString("latin1", 0, lineEnd).split(" ");
  assert(operation === "HMSG" && subject === "add.x", "the request is one with headers");
  const block = got.toString("latin1", lineEnd + 2, lineEnd + 2 + Number(headerLength));
  assert(
    block.startsWith("NATS/1.0") && block.endsWith("\r\n\r\n"),
    "the headers have a beginning and an end",
  );
  assert(block.indexOf("\r\n\r\n") === block.length - 4, "the headers end once");
  const told = block
    .split(/[\r\n]+/)
    .filter((each) => each.replaceAll(UNSEEN, "").toLowerCase().startsWith("nats-request-info:"));
  assert(told.length === 1, `the requester is told of ${told.length} times`);
  const value = Buffer.from(told[0]!.slice(told[0]!.indexOf(":") + 1), "latin1").toString("utf8");
  const info = JSON.parse(value) as Readonly<Record<string, unknown>>;
  assert(info["acc"] === "B" && info["user"] === "B" && info["kind"] === "Client", "it is the requester");
}
