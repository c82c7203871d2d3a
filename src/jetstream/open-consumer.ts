/** Makes the state of a consumer, of what is on the disk or in a backup. */
import { ConsumerLog } from "../store/consumer-log.ts";
import type { Disk, DiskFile } from "../store/disk.ts";
import type { ConsumerConfig } from "./consumer/config.ts";
import type { ConsumerOptions } from "./consumer/consumer-options.ts";
import { startOf } from "./consumer/start.ts";
import { ConsumerState } from "./consumer/state.ts";
import type { AccountHost } from "./host.ts";
import type { Stream } from "./stream/stream.ts";

/** A consumer whose state is in no file. */
export interface RestoredConsumer {
  readonly config: ConsumerConfig;
  /** Its state as JSON. */
  readonly state: string;
}

export interface OpenedConsumer extends Pick<ConsumerOptions, "config" | "created" | "wasNamed"> {
  /** Its configuration, where that has just been written. */
  readonly meta: DiskFile | null;
  /** Its state, where that is in no file. */
  readonly state?: string;
}

interface ConsumerStateOptions {
  readonly config: ConsumerConfig;
  /** Its state as JSON, where that is in no file; null: it begins. */
  readonly given: string | null;
  readonly stream: Stream;
  /** null: in memory. */
  readonly disk: Disk | null;
  readonly folder: string;
  readonly host: AccountHost;
}

export function openConsumerState(options: ConsumerStateOptions): { state: ConsumerState; log: ConsumerLog } {
  const { config, given, stream, disk, folder, host } = options;
  const policy = config.ackPolicy === "flow_control" ? "all" : config.ackPolicy;
  const { last } = stream.store;
  const state = new ConsumerState(policy, startOf(config, stream), last);
  if (given !== null) state.restore(given);
  const log = new ConsumerLog({ disk, folder, snapshot: () => state.toJson() });
  const isSound = log.recover(
    (json) => state.restore(json),
    (entry) => state.apply(entry),
  );
  if (!isSound || state.clamp(last))
    host.logger.warn("the state of a consumer did not fit its stream: it was mended", {
      stream: stream.config.name,
      consumer: config.name,
      lastSequence: last,
    });
  return { state, log };
}
