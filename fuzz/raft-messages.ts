/**
 * Feeds bytes to the decoders of Raft's messages, and to a group of three servers that have a leader. The input is a row of frames:
 *
 *     | what, server, message, length | bytes ...
 *
 * A frame gives a server arbitrary bytes on a subject that it listens to, or a message that was sent before, late, again, or damaged. What
 * can be decoded is the same when it is encoded again. A member may end where it is told that something else was committed than it knows
 * (such a leader cannot be followed), and for no other reason.
 */
import { assert } from "../src/base/assert.ts";
import { senderOf, unbundled } from "../src/raft/driver/bundles.ts";
import { decodeMessage, encodeMessage } from "../src/raft/driver/message-bytes.ts";
import { EntryType } from "../src/raft/messages.ts";
import { decodePeerState, encodePeerState, PEER_ID_BYTES } from "../src/raft/wire.ts";
import { NotingLayer, operation, RaftServers, type RaftServer } from "../test/support/raft-servers.ts";

const NAMES = ["n1", "n2", "n3"];
const GROUP = "S-R3F-abcdefgh";
const FRAME_HEAD = 4;
const SUBJECTS = [
  `$NRG.V.${GROUP}`,
  `$NRG.AE.${GROUP}`,
  "$NRG.CR.inbox",
  "$NRG.CP.inbox",
  "$NRG.R.inbox",
  `$NRG.RP.${GROUP}`,
];
/** A leader says what contradicts what is committed, or holds itself for several. */
const CONTRADICTIONS = ["what is committed is the same everywhere", "nothing that is committed is cut"];

export const dictionary = recorded();

/** Messages of a group that elects a leader, and takes an operation. */
function recorded(): Buffer[] {
  const { world } = group();
  return world.sent.slice(0, 40).map(({ bytes }) => Buffer.from(bytes));
}

function group(): { readonly world: RaftServers } {
  const world = new RaftServers(NAMES);
  const groups = world.servers.map((server) => server.open(GROUP, NAMES, new NotingLayer()));
  groups[0]!.campaign();
  world.advance(50);
  assert(groups[0]!.leads, "who campaigns first leads");
  for (let i = 0; i < 3; i++) {
    groups[0]!.propose(operation(`o${i}`));
    world.advance(20);
  }
  return { world };
}

export function fuzz(input: Uint8Array): void {
  const { world } = group();
  try {
    for (let at = 0; at + FRAME_HEAD <= input.length;) {
      const [what = 0, server = 0, message = 0, length = 0] = input.subarray(at, at + FRAME_HEAD);
      const bytes = Buffer.from(input.subarray(at + FRAME_HEAD, at + FRAME_HEAD + length));
      at += FRAME_HEAD + length;
      checkCodec(bytes, message);
      play(world, { what, server: world.servers[server % NAMES.length]!, message }, bytes);
    }
    world.advance(30);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (!CONTRADICTIONS.some((one) => text.includes(one))) throw error;
  }
}

function play(
  world: RaftServers,
  { what, server, message }: { what: number; server: RaftServer; message: number },
  bytes: Buffer,
): void {
  const before = world.sent[message % world.sent.length]!;
  if (what % 4 === 0) server.driver.receive(subjectOf(server, message), "reply", bytes);
  else if (what % 4 === 1) server.driver.receive(before.subject, before.reply, before.bytes);
  else if (what % 4 === 2) server.driver.receive(before.subject, before.reply, patched(before.bytes, bytes));
  else world.advance(10 * (1 + (message % 100)));
  world.settle();
}

/** One that the server listens to, where there is one of this number. */
function subjectOf(server: RaftServer, number: number): string {
  const all = [...SUBJECTS, ...server.subjects].map((each) => each.replace("*", "1"));
  return all[number % all.length]!;
}

/** Each pair of bytes is where, and what. */
function patched(bytes: Uint8Array, patches: Uint8Array): Buffer {
  const result = Buffer.from(bytes);
  for (let i = 0; i + 1 < patches.length; i += 2) result[patches[i]! % result.length] = patches[i + 1]!;
  return result;
}

function checkCodec(bytes: Buffer, number: number): void {
  const subject = SUBJECTS[number % SUBJECTS.length]!;
  const message = decodeMessage(subject, bytes);
  if (message !== undefined) {
    const encoded = encodeMessage(message);
    const again = decodeMessage(subject, encoded);
    assert(again !== undefined, "what was encoded can be decoded");
    assert(Buffer.compare(encodeMessage(again), encoded) === 0, "what was decoded is encoded the same");
  }
  if (message?.kind === "append")
    for (const { type, data } of message.body.entries) if (type === EntryType.PEER_STATE) checkPeers(data);
  checkPeers(bytes);
  const sender = senderOf(bytes);
  for (const { from, bytes: inner } of unbundled(bytes)) {
    assert(from === sender?.peer && from.length === PEER_ID_BYTES, "a bundle says who sends it");
    assert(inner.length <= bytes.length, "what is in a bundle is in it");
  }
}

function checkPeers(bytes: Uint8Array): void {
  const state = decodePeerState(bytes);
  if (state === undefined) return;
  const again = decodePeerState(encodePeerState(state));
  assert(JSON.stringify(again) === JSON.stringify(state), "a membership is encoded the same");
}
