/** Takes the archive of nats-server 2.15: the state of the stream, its consumers, its messages, an end. */
import { ArchiveReader, type ArchiveEntry } from "../backup/archive.ts";
import { DamagedBackup } from "../backup/s2-stream.ts";
import type { SavedConsumer } from "../backup/saved-consumer.ts";
import { jsonOf, whole, type BackupForm } from "./backup-form.ts";
import type { RestoredStream } from "./restored-stream.ts";

const CONSUMERS_PREFIX = "consumers/";

export class RestoreArchive implements BackupForm {
  private readonly stream: RestoredStream;
  private readonly reader = new ArchiveReader((entry) => this.take(entry));
  private hasBegun = false;
  private isComplete = false;
  private lastSequence = 0;
  private consumersLeft = 0;

  constructor(stream: RestoredStream) {
    this.stream = stream;
  }

  push(bytes: Buffer): void {
    this.reader.push(bytes);
  }

  work(): boolean {
    return false;
  }

  end(): void {
    if (!this.isComplete) throw new DamagedBackup("backup was truncated");
    this.stream.skipTo(this.lastSequence);
  }

  private take(entry: ArchiveEntry): void {
    if (this.isComplete) throw new DamagedBackup("the backup goes on behind its end");
    if (!this.hasBegun) this.begin(entry);
    else if (this.consumersLeft > 0) this.takeConsumer(entry);
    else if (entry.sequence === 0) this.takeEnd(entry);
    else this.takeMessage(entry);
  }

  private begin({ name, body }: ArchiveEntry): void {
    if (name !== "state.json") throw new DamagedBackup("expected state.json first");
    const state = jsonOf(body);
    const first = whole(state["first_seq"]);
    const last = whole(state["last_seq"]);
    const messages = whole(state["messages"]);
    if (first === 0 ? last !== 0 || messages !== 0 : first > last + 1 || messages > last + 1 - first)
      throw new DamagedBackup("invalid stream state: inconsistent message count or sequence range");
    this.consumersLeft = whole(state["consumer_count"]);
    this.lastSequence = last;
    this.stream.checkRoom(whole(state["bytes"]));
    this.stream.beginAt(first);
    this.hasBegun = true;
  }

  private takeMessage({ name: subject, ...message }: ArchiveEntry): void {
    if (message.sequence > this.lastSequence)
      throw new DamagedBackup(`message sequence ${message.sequence} out of order`);
    this.stream.add({ subject, ...message });
  }

  private takeEnd({ name, timeNs, body }: ArchiveEntry): void {
    if (name !== "" || timeNs !== 0n || body.length !== 0)
      throw new DamagedBackup("expected message sequence");
    this.isComplete = true;
  }

  private takeConsumer({ name: path, body }: ArchiveEntry): void {
    if (!path.startsWith(CONSUMERS_PREFIX))
      throw new DamagedBackup(`expected consumer, found ${JSON.stringify(path)}`);
    this.consumersLeft--;
    const { config, state } = jsonOf(body) as { config?: unknown; state?: unknown };
    this.stream.addConsumer(path.slice(CONSUMERS_PREFIX.length), config, savedOf(state), this.lastSequence);
  }
}

interface StateJson {
  readonly delivered?: PositionJson;
  readonly ack_floor?: PositionJson;
  readonly pending?: Readonly<Record<string, { readonly Sequence?: unknown; readonly Timestamp?: unknown }>>;
  readonly redelivered?: Readonly<Record<string, unknown>>;
}

interface PositionJson {
  readonly consumer_seq?: unknown;
  readonly stream_seq?: unknown;
}

function savedOf(state: unknown): SavedConsumer {
  if (typeof state !== "object" || state === null)
    throw new DamagedBackup("a consumer of the backup has no state");
  const { delivered, ack_floor: floor, pending, redelivered } = state as StateJson;
  const position = (one: PositionJson | undefined): SavedConsumer["floor"] => ({
    consumer: whole(one?.consumer_seq),
    stream: whole(one?.stream_seq),
  });
  const counts = new Map(
    Object.entries(redelivered ?? {}).map(([sequence, times]) => [Number(sequence), whole(times)]),
  );
  const waits = Object.entries(pending ?? {}).map(([key, one]) => {
    const sequence = Number(key);
    return [
      sequence,
      {
        consumerSequence: whole(one?.Sequence),
        count: (counts.get(sequence) ?? 0) + 1,
        timeMs: Math.floor(Number(one?.Timestamp) / 1e6),
      },
    ] as const;
  });
  return {
    delivered: position(delivered),
    floor: position(floor),
    pending: waits.toSorted(([a], [b]) => a - b),
  };
}
