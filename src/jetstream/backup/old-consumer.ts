/**
 * What a consumer has delivered, as nats-server's files and its backups before 2.15 have it:
 *
 *     22   2   floor: consumer, stream   delivered: consumer, stream   pending: count, [time (s), then each]   redelivered: count, each
 *
 * Sequences of what is pending and redelivered count from the floor, times of what is pending back from the time before them.
 */
import { DamagedBackup } from "./s2-stream.ts";
import type { SavedConsumer } from "./saved-consumer.ts";
import { putSigned, putUnsigned, VarintReader } from "./varints.ts";

const MAGIC = 22;
const VERSION = 2;

/** Throws `DamagedBackup`. An empty content: it has delivered nothing. */
export function readOldConsumer(content: Buffer): SavedConsumer {
  const fresh = { consumer: 0, stream: 0 };
  if (content.length === 0) return { delivered: fresh, floor: fresh, pending: [] };
  if (content[0] !== MAGIC || content[1] !== VERSION)
    throw new DamagedBackup("the state of a consumer of the backup is damaged");
  const reader = new VarintReader(content, 2);
  const position = (): { consumer: number; stream: number } => ({
    consumer: reader.whole(),
    stream: reader.whole(),
  });
  const floor = position();
  const delivered = position();
  const waits = new Map<number, { consumerSequence: number; count: number; timeMs: number }>();
  const waiting = reader.whole();
  const nowS = waiting === 0 ? 0n : reader.signed();
  for (let left = waiting; left > 0; left--) {
    const sequence = floor.stream + reader.whole();
    const consumerSequence = floor.consumer + reader.whole();
    const timeMs = Number(nowS - reader.signed()) * 1000;
    waits.set(sequence, { consumerSequence, count: 1, timeMs });
  }
  for (let left = reader.whole(); left > 0; left--) {
    const one = waits.get(floor.stream + reader.whole());
    const times = reader.whole();
    if (one !== undefined) one.count = times + 1;
  }
  return { delivered, floor, pending: [...waits].toSorted(([a], [b]) => a - b) };
}

export function writeOldConsumer({ delivered, floor, pending }: SavedConsumer, nowNs: bigint): Buffer {
  const bytes: number[] = [MAGIC, VERSION];
  const put = (value: number): void => putUnsigned(bytes, BigInt(value));
  for (const { consumer, stream } of [floor, delivered]) {
    put(consumer);
    put(stream);
  }
  put(pending.length);
  const nowS = nowNs / 1_000_000_000n;
  if (pending.length > 0) putSigned(bytes, nowS);
  for (const [sequence, { consumerSequence, timeMs }] of pending) {
    put(sequence - floor.stream);
    put(Math.max(0, consumerSequence - floor.consumer));
    putSigned(bytes, nowS - BigInt(Math.floor(timeMs / 1000)));
  }
  const again = pending.filter(([, { count }]) => count > 1);
  put(again.length);
  for (const [sequence, { count }] of again) {
    put(sequence - floor.stream);
    put(count - 1);
  }
  return Buffer.from(bytes);
}
