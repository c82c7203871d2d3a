/** Makes the folders of streams and consumers: their configuration, and what says where they begin. All of it becomes durable in the background. */
import { randomToken } from "../base/base62.ts";
import type { Random } from "../base/random.ts";
import type { Birth, Births } from "../store/births.ts";
import type { ConsumerLog } from "../store/consumer-log.ts";
import type { Disk, DiskError, DiskFile } from "../store/disk.ts";
import { writeObject } from "./codec.ts";
import { consumerShape, type ConsumerConfig } from "./consumer/config.ts";
import { createMeta } from "./meta.ts";
import { streamShape, type StreamConfig } from "./stream/config.ts";
import type { SyncPolicy } from "./stream/commit.ts";
import { syncPolicyOf } from "./stream/sync-policy.ts";

interface Making {
  readonly disk: Disk;
  readonly births: Births;
  /** The folder of the stream or the consumer. */
  readonly path: string;
  readonly created: string;
}

/** `folder`: of the account. Throws `DiskError`. */
export function makeStream(
  { disk, births, path, created }: Making,
  config: StreamConfig,
  folder: string,
): Birth {
  disk.makeFolder(`${path}/msgs`);
  const meta = createMeta(disk, path, created, writeObject(streamShape, config));
  return births.begin({ files: [meta], folders: [folder, `${folder}/streams`, path] });
}

/** Its log gives the other part, where it begins (`beginConsumer`). Throws `DiskError`. */
export function makeConsumer(
  { disk, path, created }: Omit<Making, "births">,
  config: ConsumerConfig,
): DiskFile {
  disk.makeFolder(path);
  return createMeta(disk, path, created, writeObject(consumerShape, config));
}

/** `folder`: of its stream. Throws `DiskError`. */
export function beginConsumer(
  { births, path }: Pick<Making, "births" | "path">,
  meta: DiskFile,
  log: ConsumerLog,
  folder: string,
): void {
  const state = log.createSnapshot();
  const files = state === null ? [meta] : [meta, state];
  log.bornWith(births.begin({ files, folders: [folder, `${folder}/obs`, path] }));
}

interface Made {
  whenBorn(done: (error: DiskError | null) => void): void;
}

/** Calls back when what was made is as durable as the policy of its stream says, or with what went wrong. */
export function whenDurable(
  made: Made,
  { config }: { readonly config: StreamConfig },
  usual: SyncPolicy,
  done: (error: DiskError | null) => void,
): void {
  if (syncPolicyOf(config, usual) === "lazy") done(null);
  else made.whenBorn(done);
}

/** Removes what a kill has left of restores and of deleted streams: nobody was told that it is there. `folder`: of the account. */
export function discardUnfinished({ disk, folder }: { readonly disk: Disk; readonly folder: string }): void {
  disk.removeFolder(`${folder}/restoring`);
  for (const name of disk.names(`${folder}/deleted`)) {
    const path = `${folder}/deleted/${name}`;
    disk.discardFolder(path, path, () => undefined);
  }
}

/** The stream's folder is gone from here on; its files go in the background. `folder`: of the account. */
export function discardStream(disk: Disk, folder: string, name: string, random: Random): void {
  const to = `${folder}/deleted/${name}-${randomToken(random)}`;
  disk.discardFolder(`${folder}/streams/${name}`, to, () => undefined);
}

/** Whether it survives a restart: an ephemeral one does, too, until it is inactive for long enough. One for an origin is made again. */
export function isKept({ memoryStorage, direct }: ConsumerConfig, { storage }: StreamConfig): boolean {
  return storage === "file" && !memoryStorage && !direct;
}

/** The name of a consumer that is to be made. */
export function nameFor(
  { consumers }: { readonly consumers: ReadonlyMap<string, unknown> },
  { name, durable }: ConsumerConfig,
  random: Random,
): string {
  if (name !== "" || durable !== "") return name === "" ? durable : name;
  for (;;) {
    const made = randomToken(random);
    if (!consumers.has(made)) return made;
  }
}
