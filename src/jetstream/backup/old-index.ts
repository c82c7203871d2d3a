/**
 * The index in backups of nats-server before 2.15. It says which messages were removed of which no record of a block does, as those that
 * limits took:
 *
 *     11   version   messages   bytes   first sequence   its time   last sequence   its time   subjects   blocks   …   8 bytes checksum
 *
 * A block has a set of the sequences that were removed: `22`, a version, numbers of nodes and of members, then the nodes, each of which
 * is a sequence and bits for those from there on.
 */
import type { HighwayHash } from "./highway-hash.ts";
import { DamagedBackup } from "./s2-stream.ts";
import { VarintReader } from "./varints.ts";

const MAGIC = 11;
const VERSION_MAX = 4;
const CHECKSUM = 8;
const SET_MAGIC = 22;
const SET_HEAD = 10;
/** Words of 64 bits of one node, by the version of the set. */
const WORDS: Readonly<Record<number, number>> = { 1: 64, 2: 32 };
const WORD_BITS = 64;

export interface OldIndex {
  readonly first: number;
  readonly last: number;
  readonly blocks: readonly OldIndexBlock[];
}

interface OldIndexBlock {
  readonly first: number;
  readonly last: number;
  /** Read as they are taken: a set of few bytes may have very many. */
  readonly removed: Iterable<number>;
}

/** Throws `DamagedBackup`. */
export function readIndex(content: Buffer, hash: HighwayHash): OldIndex {
  const body = content.subarray(0, Math.max(0, content.length - CHECKSUM));
  const [magic, version = 0] = body;
  if (!hash.hash([body]).equals(content.subarray(body.length)) || magic !== MAGIC || version > VERSION_MAX)
    throw new DamagedBackup("the index of the backup is damaged");
  const reader = new VarintReader(body, 2);
  reader.unsigned(); // messages
  reader.unsigned(); // bytes
  const first = reader.whole();
  reader.signed();
  const last = reader.whole();
  reader.signed();
  skipSubjects(reader, version);
  const blocks: OldIndexBlock[] = [];
  for (let left = reader.whole(); left > 0; left--) blocks.push(readIndexBlock(reader, version));
  return { first, last, blocks };
}

function skipSubjects(reader: VarintReader, version: number): void {
  for (let left = reader.whole(); left > 0; left--) {
    reader.take(reader.whole());
    const total = reader.unsigned();
    reader.unsigned(); // first block
    if (total > 1n || version >= 4) reader.unsigned(); // last block
  }
}

function readIndexBlock(reader: VarintReader, version: number): OldIndexBlock {
  reader.unsigned(); // number of the block
  reader.unsigned(); // bytes
  const first = reader.whole();
  reader.signed();
  const last = reader.whole();
  reader.signed();
  const count = reader.whole();
  if (version >= 2) reader.unsigned(); // messages with times to live
  if (version >= 3) reader.unsigned(); // schedules
  return { first, last, removed: count === 0 ? [] : readSet(reader) };
}

function readSet(reader: VarintReader): Iterable<number> {
  const head = reader.take(SET_HEAD);
  const words = WORDS[head[1]!];
  if (head[0] !== SET_MAGIC || words === undefined)
    throw new DamagedBackup("the index of the backup is damaged");
  return members(reader.take(head.readUInt32LE(2) * nodeBytes(words)), words);
}

function nodeBytes(words: number): number {
  return 8 + 8 * words + 2;
}

function* members(nodes: Buffer, words: number): Generator<number> {
  for (let at = 0; at < nodes.length; at += nodeBytes(words)) {
    const base = Number(nodes.readBigUInt64LE(at));
    for (let bit = 0; bit < words * WORD_BITS; bit++)
      if (((nodes[at + 8 + (bit >> 3)]! >> (bit & 7)) & 1) === 1) yield base + bit;
  }
}
