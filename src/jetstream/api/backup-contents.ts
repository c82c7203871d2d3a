/** What a backup holds, in either form: messages up to the last sequence when it was asked for, and consumers as they are then. */
import { publicConsumers, type StreamAssets } from "../assets.ts";
import type { SavedConsumer } from "../backup/saved-consumer.ts";
import type { ConsumerConfig } from "../consumer/config.ts";
import type { Consumer } from "../consumer/consumer.ts";
import type { Stream } from "../stream/stream.ts";
import type { Json } from "./backup-form.ts";

export interface BackupContents {
  readonly stream: Stream;
  /** nats-server's `state` of the stream. */
  readonly state: Json;
  readonly lastSequence: number;
  readonly consumers: readonly BackupConsumer[];
  readonly timeNs: bigint;
}

interface BackupConsumer {
  readonly name: string;
  readonly config: ConsumerConfig;
  readonly created: string;
  readonly saved: SavedConsumer;
}

export function contentsOf(
  assets: StreamAssets,
  state: Json,
  extent: "with consumers" | "messages alone",
): BackupContents {
  const { stream } = assets;
  const lastSequence = stream.store.last;
  const own = publicConsumers(assets).map(({ name, config, created, state }) => ({
    name,
    config,
    created,
    state,
  }));
  const followed = [...assets.followed].map(([name, { config, created, state }]) => ({
    name,
    config,
    created,
    state,
  }));
  const saved = extent === "with consumers" ? [...own, ...followed] : [];
  return {
    stream,
    state,
    lastSequence,
    consumers: saved.map((consumer) => consumerOf(consumer, lastSequence)),
    timeNs: stream.host.nowNs(),
  };
}

function consumerOf(
  { name, config, created, state }: Pick<Consumer, "name" | "config" | "created" | "state">,
  last: number,
): BackupConsumer {
  const { delivered, floor, pending } = state;
  const position = ({ consumer, stream }: SavedConsumer["floor"]): SavedConsumer["floor"] => ({
    consumer,
    stream: delivered.consumer === 0 ? stream : Math.min(stream, last),
  });
  const waits = [...pending].filter(([sequence]) => sequence <= last);
  return {
    name,
    config,
    created,
    saved: { delivered: position(delivered), floor: position(floor), pending: waits },
  };
}

/** Sequences of the messages of a backup that are still there. */
export function* savedSequences({ stream: { store }, lastSequence }: BackupContents): Generator<number> {
  for (let at = store.next(1, null, lastSequence); at !== 0;) {
    yield at;
    at = at >= lastSequence ? 0 : store.next(at + 1, null, lastSequence);
  }
}
