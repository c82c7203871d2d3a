/**
 * Writes the tar that nats-server before 2.15 reads. A block of messages needs its length before its content: its messages are measured
 * first, some at a time. One that goes before it is written leaves an erased record of the same length. Sequences without a message are
 * left out within a block; behind the last message of a block an erased record says how far they go.
 */
import { oldHash, recordLength, writeRecord, type OldRecord } from "../backup/old-blocks.ts";
import { writeOldConsumer } from "../backup/old-consumer.ts";
import { tarEnd, tarFile, tarFill, tarHead } from "../backup/tar.ts";
import { writeObject } from "../codec.ts";
import { consumerShape } from "../consumer/config.ts";
import { streamShape } from "../stream/config.ts";
import { savedSequences, type BackupContents } from "./backup-contents.ts";

const BLOCK_BYTES = 4 * 1024 * 1024;
/** Messages that are measured in one turn. */
const MEASURED_MESSAGES = 500;
const NO_BODY = new Uint8Array(0);
const MARK = { timeNs: 0n, subject: "", headerLength: 0, body: NO_BODY } as const;

interface Measured {
  readonly sequence: number;
  readonly length: number;
}

/** null: enough has been done for one turn. */
export function* tarPieces(contents: BackupContents): Generator<Buffer | null> {
  const { stream, consumers, timeNs } = contents;
  const { name } = stream.config;
  const created = { Created: stream.created };
  yield* configFiles("", name, { ...created, ...writeObject(streamShape, stream.config) }, timeNs);
  yield* blocks(contents);
  for (const { name: consumer, config, created: made, saved } of consumers) {
    const folder = `obs/${consumer}/`;
    const meta = { Created: made, Name: consumer, ...writeObject(consumerShape, config) };
    yield* configFiles(folder, `${name}/${consumer}`, meta, timeNs);
    yield tarFile(`${folder}o.dat`, writeOldConsumer(saved, timeNs), timeNs);
  }
  yield tarEnd();
}

function* configFiles(folder: string, hashed: string, meta: object, timeNs: bigint): Generator<Buffer> {
  const content = Buffer.from(JSON.stringify(meta), "latin1");
  yield tarFile(`${folder}meta.inf`, content, timeNs);
  const sum = oldHash(hashed).hash([content]).toString("hex");
  yield tarFile(`${folder}meta.sum`, Buffer.from(sum, "latin1"), timeNs);
}

function* blocks(contents: BackupContents): Generator<Buffer | null> {
  const { stream, lastSequence } = contents;
  let measured: Measured[] = [];
  let length = 0;
  let number = 1;
  let seen = 0;
  for (const sequence of savedSequences(contents)) {
    const view = stream.store.read(sequence);
    if (view === null) continue;
    const { subject, headerLength, body } = view;
    const one = recordLength(subject.length, headerLength, body.length);
    if (length > 0 && length + one > BLOCK_BYTES) {
      yield* block(contents, number++, measured, sequence - 1);
      measured = [];
      length = 0;
    }
    measured.push({ sequence, length: one });
    length += one;
    if (++seen % MEASURED_MESSAGES === 0) yield null;
  }
  yield* block(contents, number, measured, lastSequence);
}

/** `to`: how far its sequences go. */
function* block(
  { stream, timeNs: nowNs }: BackupContents,
  number: number,
  measured: readonly Measured[],
  to: number,
): Generator<Buffer> {
  const hash = oldHash(`${stream.config.name}-${number}`);
  const marks: OldRecord[] = [];
  const last = measured.at(-1)?.sequence ?? 0;
  if (measured.length === 0 && to > 0) marks.push({ kind: "removed", sequence: to, ...MARK, timeNs: nowNs });
  else if (to > last) marks.push({ kind: "erased", sequence: to, ...MARK, timeNs: nowNs });
  const markLength = marks.length * recordLength(0, 0, 0);
  const length = measured.reduce((sum, one) => sum + one.length, markLength);
  yield tarHead(`msgs/${number}.blk`, length, nowNs);
  for (const { sequence, length: size } of measured) {
    const view = stream.store.read(sequence);
    const gone = { kind: "erased", sequence, ...MARK, timeNs: nowNs } as const;
    const filler = Buffer.alloc(size - recordLength(0, 0, 0));
    const record: OldRecord =
      view === null
        ? { ...gone, body: filler }
        : {
            kind: "message",
            sequence,
            timeNs: view.timeNs,
            subject: view.subject,
            headerLength: view.headerLength,
            body: view.body,
          };
    yield writeRecord(record, hash);
  }
  for (const mark of marks) yield writeRecord(mark, hash);
  yield tarFill(length);
}
