/** What a consumer has delivered, in a backup of either form, and as the consumer keeps it. */
import { DamagedBackup } from "./s2-stream.ts";

/** How often a message can have been delivered. */
const COUNT_MAX = 2 ** 31;

interface Position {
  readonly consumer: number;
  readonly stream: number;
}

interface SavedDelivery {
  readonly consumerSequence: number;
  /** How often it was delivered. */
  readonly count: number;
  readonly timeMs: number;
}

export interface SavedConsumer {
  readonly delivered: Position;
  readonly floor: Position;
  /** What waits for an acknowledgement, by ascending sequence. */
  readonly pending: readonly (readonly [sequence: number, SavedDelivery])[];
}

/** The JSON of a consumer's state. `last`: of the stream. Throws `DamagedBackup` for what cannot be. */
export function soundConsumer(saved: SavedConsumer, last: number): string {
  const { delivered, floor, pending } = saved;
  // one that has delivered nothing waits for its first message, which may be far ahead
  const isPlaced = delivered.consumer === 0 && delivered.stream > last;
  const isAhead = delivered.stream > last && !isPlaced;
  if (isAhead || floor.stream > delivered.stream || floor.consumer > delivered.consumer)
    throw new DamagedBackup("a consumer of the backup is ahead of its stream");
  let before = floor.stream;
  for (const [sequence, { consumerSequence, count, timeMs }] of pending) {
    const isSound =
      [sequence, consumerSequence, count, timeMs].every(Number.isSafeInteger) &&
      count > 0 &&
      count <= COUNT_MAX &&
      timeMs >= 0;
    if (!isSound || sequence <= before || sequence > delivered.stream)
      throw new DamagedBackup("a consumer of the backup waits for messages that it was not delivered");
    before = sequence;
  }
  return JSON.stringify({ delivered, floor, ...(isPlaced ? { placed: delivered.stream } : {}), pending });
}
