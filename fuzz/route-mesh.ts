/**
 * Feeds bytes to connections of the route port, with the mesh and the table of routes behind them: whoever found the port, a
 * member that means ill, or somebody else where a member was dialled. The first four bytes say who it is and what else happens:
 *
 *     | who | what the server is configured for | size of pieces | time that passes | stream ...
 */
import { pieceLength } from "./support/shared-stack.ts";
import { ClusterStack, SETTINGS } from "./support/cluster-stack.ts";
import type { MemoryWire } from "../src/transport/memory.ts";

const NUMBERS = "0 -1 1 3 1024 1025 1000000000 2147483648 9007199254740993 1.5 1e9 null".split(" ");
const TEXTS = [
  "NSELF",
  "NPEER",
  "NGOOD",
  "self",
  "peer",
  "good",
  "",
  "c",
  "d",
  "$G",
  "A",
  "z",
  "\\u010d\\u010a",
  "\\ud800",
];
const TEXT_FIELDS =
  "server_id server_name cluster host ip version route_account zone name user pass lang gateway nonce".split(
    " ",
  );
const NUMBER_FIELDS = "port route_pool_size route_pool_idx gossip_mode max_payload proto clients".split(" ");

export const dictionary = [
  ..."CONNECT {|INFO {|}\r\n|PING\r\n|PONG\r\n|RS+ |RS- |RMSG |HMSG |-ERR '|\r\n| |,|[|{|]|}".split("|"),
  ...TEXT_FIELDS.flatMap((field) => [`"${field}":"`, `"${field}":"NPEER",`, `"${field}":"peer",`]),
  ...NUMBER_FIELDS.map((field) => `"${field}":`),
  ...NUMBERS.flatMap((number) => [`${number},`, number]),
  ...TEXTS.map((text) => `"${text}"`),
  ...'"headers":true,|"ldm":true,|"shoal":true,|"cluster_dynamic":true,|"connect_urls":["a:1"],'.split("|"),
  ...'"external_urls":["b:2"],|"export":{"allow":["a.*"]},|"import":{"deny":[">"]},'.split("|"),
  ...'"ip":"nats-route://10.0.0.1:6222/",|"ip":"nats-route://[::1]:1/",|[[[[[[[[[[[[[[[['.split("|"),
  "RS+ $G a\r\n",
  "RS+ A a.* q 3\r\n",
  "RMSG $G a 2\r\nhi\r\n",
  'INFO {"server_id":"NFAR","server_name":"far","ip":"nats-route://10.0.0.9:6222/"}\r\n',
];

const GOOD = hello("NGOOD", "good", 0, ',"shoal":true,"connect_urls":["10.0.0.1:4222"]');
const BAD = hello("NPEER", "peer", 0, "");

function hello(id: string, name: string, index: number, more: string): string {
  const common = `"server_id":"${id}","server_name":"${name}","version":"2.14.0","proto":1,"host":"127.0.0.1","port":6222`;
  const info = `INFO {${common},"headers":true,"cluster":"c","route_pool_size":3,"route_pool_idx":${index}${more}}\r\n`;
  return `CONNECT {"name":"${id}","cluster":"c","headers":true}\r\n${info}PING\r\n`;
}

export function fuzz(bytes: Uint8Array): void {
  const [who = 0, how = 0, piece = 0, time = 0] = bytes;
  const rules = { allow: ["a.>", ">"], deny: ["b"] };
  const stack = new ClusterStack({
    isNameDynamic: (how & 1) !== 0,
    poolSize: (how & 4) === 0 ? 3 : -1,
    settings: {
      ...SETTINGS,
      credentials: (how & 2) === 0 ? null : { user: "u", pass: "p" },
      permissions: { import: (how & 8) === 0 ? null : rules, export: (how & 16) === 0 ? null : rules },
    },
  });
  const good = (how & 32) === 0 ? stack.accept() : null;
  good?.receiveText(GOOD);
  const stream = bytes.subarray(4);
  const length = (piece & 128) === 0 ? stream.length : pieceLength(stream, piece & 63);
  const bad = (who & 1) === 0 ? stack.accept() : answered(stack);
  if ((who & 2) !== 0) bad.receiveText(BAD);
  play(stack, bad, stream, length);
  if (good !== null) stack.checkTold(good);
  if ((who & 4) !== 0) play(stack, stack.accept(), stream, length);
  for (const dialled of stack.dialled.splice(0, (who >> 3) & 3))
    play(stack, stack.answer(dialled), stream, length);
  if ((who & 32) !== 0) bad.hangUp();
  if ((time & 1) !== 0) stack.clock.advance(time * 16);
  if ((time & 2) !== 0) stack.clock.advance(120_000);
  stack.readGossip();
  if (good !== null) stack.checkTold(good);
  stack.end();
}

/** Somebody is where the configuration has a member. */
function answered(stack: ClusterStack): MemoryWire {
  stack.feed({
    kind: "sourceChanged",
    source: "routes",
    origin: "explicit",
    peers: [{ host: "10.0.0.1", port: 6222 }],
  });
  const dialled = stack.dialled.shift();
  return dialled === undefined ? stack.accept() : stack.answer(dialled);
}

function play(stack: ClusterStack, wire: MemoryWire, stream: Uint8Array, length: number): void {
  for (let from = 0; from < stream.length; from += length) wire.receive(stream.subarray(from, from + length));
  stack.readGossip();
}
