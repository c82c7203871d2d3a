/** Writes the archive of nats-server 2.15. */
import { ARCHIVE_START, END_OF_ARCHIVE, writeEntry } from "../backup/archive.ts";
import { writeObject } from "../codec.ts";
import { consumerShape } from "../consumer/config.ts";
import { savedSequences, type BackupContents } from "./backup-contents.ts";
import type { Json } from "./backup-form.ts";

export function* archivePieces(contents: BackupContents): Generator<Buffer> {
  const { stream, state, consumers, timeNs } = contents;
  const file = (name: string, content: Json): Buffer =>
    writeEntry({
      name,
      timeNs,
      sequence: 0,
      headerLength: 0,
      body: Buffer.from(JSON.stringify(content), "latin1"),
    });
  yield ARCHIVE_START;
  yield file("state.json", { ...state, consumer_count: consumers.length });
  for (const consumer of consumers) yield file(`consumers/${consumer.name}`, consumerJson(consumer));
  for (const at of savedSequences(contents)) {
    const view = stream.store.read(at);
    if (view === null) continue;
    const { subject: name, timeNs: time, sequence, headerLength, body } = view;
    yield writeEntry({ name, timeNs: time, sequence, headerLength, body });
  }
  yield writeEntry(END_OF_ARCHIVE);
}

function consumerJson({ config, saved }: BackupContents["consumers"][number]): Json {
  const position = ({ consumer, stream }: typeof saved.floor): Json => ({
    consumer_seq: consumer,
    stream_seq: stream,
  });
  const waits = saved.pending.map(([sequence, { consumerSequence, timeMs }]): [number, Json] => [
    sequence,
    { Sequence: consumerSequence, Timestamp: Math.round(timeMs) * 1e6 },
  ]);
  const again = saved.pending
    .filter(([, { count }]) => count > 1)
    .map(([sequence, { count }]): [number, number] => [sequence, count - 1]);
  return {
    config: writeObject(consumerShape, config),
    state: {
      delivered: position(saved.delivered),
      ack_floor: position(saved.floor),
      ...(waits.length === 0 ? {} : { pending: Object.fromEntries<Json>(waits) }),
      ...(again.length === 0 ? {} : { redelivered: Object.fromEntries<number>(again) }),
    },
  };
}
