/**
 * Feeds bytes to all that reads what members of groups send: messages of Raft, operations of each kind, snapshots. The first byte says which.
 * Whatever can be read comes back as it was when it is written again.
 */
import { assert } from "../src/base/assert.ts";
import {
  decodeConsumerState,
  encodeConsumerState,
  entryOf,
} from "../src/jetstream/group/consumer-entries.ts";
import { ConsumerState } from "../src/jetstream/consumer/state.ts";
import {
  decodeMessage,
  decodePurge,
  decodeReset,
  encodeMessage,
  OperationCode,
} from "../src/jetstream/group/operations.ts";
import { decodeState, encodeState } from "../src/jetstream/group/stream-state.ts";
import { Assignments } from "../src/jetstream/meta/assignments.ts";
import { packBlock } from "../src/jetstream/meta/literal-block.ts";
import * as wire from "../src/raft/wire.ts";

const assigned = Buffer.from(
  JSON.stringify({
    client: { acc: "A" },
    created: "2026-01-01T00:00:00Z",
    stream: { name: "S", subjects: ["s"], storage: "file" },
    group: {
      name: "S-R1F-abcdefgh",
      peers: ["abcdefgh"],
      store: "file",
      desired: { peers: [], members: [] },
    },
    sync: "$JSC.SYNC.a",
  }),
);
const message = { timeNs: 1n, subject: "s", reply: "r", headerLength: 2, body: Buffer.from("abcd") };

export const dictionary = [
  encodeMessage({ ...message, after: 1 }),
  Buffer.concat([Buffer.from([14]), packBlock(encodeMessage({ ...message, after: 1 }).subarray(1))]),
  encodeState({ messages: 1, bytes: 1, first: 1, last: 9, failed: 1, deleted: [{ first: 2, count: 3 }] }),
  Buffer.concat([
    Buffer.from([42, 1, 1, 1, 1, 1, 1, 1, 22, 2, 1, 0, 0, 0, 1, 0, 0, 0]),
    Buffer.alloc(266, 3),
  ]),
  Buffer.from([22, 2, 1, 1, 2, 2, 1, 100, 1, 1, 0, 1, 1, 1]),
  Buffer.concat([Buffer.from([0]), assigned]),
  packBlock(Buffer.concat([Buffer.from("["), assigned, Buffer.from("]")])),
  Buffer.from('\x05{"stream":"S","last_seq":5,"request":{"filter":"s","keep":2}}'),
  wire.encodeAppend({
    ...{ leader: "abcdefgh", term: 1, commit: 1, prevTerm: 1, prevIndex: 1, currentTerm: 300 },
    entries: [{ type: 0, data: Buffer.from("abc") }],
  }),
  wire.encodePeerState({ size: 2, peers: ["abcdefgh", "ijklmnop"], domainExtension: 1 }),
];

const READERS: readonly ((data: Uint8Array) => void)[] = [
  readMessage,
  (data) => {
    const state = decodeState(data);
    if (state !== undefined && state.deleted.every(({ count }) => count > 0) && state.deleted.length > 0)
      assert(sameText(decodeState(encodeState(state)), state), "a snapshot of a stream comes back");
  },
  (data) => {
    const json = decodeConsumerState(data);
    if (json === undefined) return;
    const state = new ConsumerState("explicit", 1, 0);
    state.restore(json);
    encodeConsumerState(state);
  },
  (data) => {
    const assignments = new Assignments();
    assignments.apply(data);
    if (assignments.install(data))
      assert(new Assignments().install(assignments.snapshot()), "it is read again");
  },
  (data) => {
    entryOf(data);
    decodeReset(data);
    if (data[0] === OperationCode.PURGE_STREAM) decodePurge(data);
  },
  (data) => {
    const append = wire.decodeAppend(data);
    if (append !== undefined)
      assert(sameText(wire.decodeAppend(wire.encodeAppend(append)), append), "an append entry comes back");
    const peers = wire.decodePeerState(data);
    if (peers !== undefined)
      assert(sameText(wire.decodePeerState(wire.encodePeerState(peers)), peers), "a membership comes back");
    wire.decodeVoteRequest(data);
    wire.decodeVoteResponse(data);
    wire.decodeAppendResponse(data);
  },
];

export function fuzz(input: Uint8Array): void {
  const [which = 0] = input;
  READERS[which % READERS.length]!(input.subarray(1));
}

function readMessage(data: Uint8Array): void {
  const read = decodeMessage(data);
  if (read === undefined) return;
  const again = decodeMessage(encodeMessage(read));
  assert(again !== undefined && Buffer.compare(again.body, read.body) === 0, "a message comes back");
  assert(again.after === read.after && again.subject === read.subject, "with its place and subject");
}

function sameText(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
