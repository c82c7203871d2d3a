/**
 * A stream that is being made of a backup. What is in files is written to a folder of its own, `restoring/<stream>`, and becomes the
 * stream's by one rename at the end; what is in memory becomes the stream's there. In a cluster it is handed over to be offered to that
 * (`offers.ts`). A kill, or a backup that is damaged, leaves nothing behind.
 */
import { ConsumerLog } from "../../store/consumer-log.ts";
import { StreamStore } from "../../store/stream-store.ts";
import { apiErrors } from "../api-error.ts";
import type { Assets, RestoredContents, StreamAssets } from "../assets.ts";
import { consumerBounds } from "../bounds.ts";
import { DamagedBackup } from "../backup/s2-stream.ts";
import { soundConsumer, type SavedConsumer } from "../backup/saved-consumer.ts";
import { knownFields, readObject, writeObject } from "../codec.ts";
import { completeConsumer } from "../consumer/complete.ts";
import { consumerShape } from "../consumer/config.ts";
import { MessageHeaders } from "../headers.ts";
import { writeMeta } from "../meta.ts";
import { OFFERED_FOLDER, writeOffer } from "../offers.ts";
import { isKept } from "../making.ts";
import type { RestoredConsumer } from "../open-consumer.ts";
import { streamShape, type StreamConfig } from "../stream/config.ts";
import { readTtl } from "../stream/ttl.ts";
import { formatTime } from "../time.ts";

export interface RestoredStreamOptions {
  readonly assets: Assets;
  readonly config: StreamConfig;
  /** Bytes of other streams that are being restored to the same storage. */
  readonly otherBytes: () => number;
  /** As for `RestoreOptions`. */
  readonly becomes: "the same" | "a new one";
}

export interface SavedMessage {
  readonly sequence: number;
  readonly timeNs: bigint;
  /** A byte string. */
  readonly subject: string;
  readonly headerLength: number;
  /** Headers and payload. */
  readonly body: Uint8Array;
}

/** Messages that are appended before they are written. */
const FLUSH_MESSAGES = 1000;
const SUBJECT_MAX = 65_535;

export class RestoredStream {
  /** When the stream was made. */
  private created: string;
  private readonly options: RestoredStreamOptions;
  private readonly folder: string;
  private readonly store: StreamStore;
  private isClosed = false;
  /** Those that are kept in memory. */
  private readonly consumers: RestoredConsumer[] = [];

  constructor(options: RestoredStreamOptions) {
    const { assets, config } = options;
    const { disk, folder } = assets.options;
    this.options = options;
    this.folder = `${folder}/restoring/${config.name}`;
    this.created = formatTime(assets.host.nowNs());
    disk.removeFolder(this.folder);
    this.store = new StreamStore({
      disk: this.isInFiles ? disk : null,
      folder: `${this.folder}/msgs`,
      firstSequence: 1,
      seed: Math.floor(assets.host.random.next() * 2 ** 32),
    });
  }

  private get isInFiles(): boolean {
    return this.options.config.storage === "file";
  }

  /** When the stream that was saved was made: before its consumers come. */
  wasCreated(time: string): void {
    if (this.options.becomes === "the same") this.created = time;
  }

  get bytes(): number {
    return this.store.bytes;
  }

  get last(): number {
    return this.store.last;
  }

  /** There are no messages below. */
  beginAt(sequence: number): void {
    if (sequence > this.store.first) this.store.compact(sequence);
  }

  /** Throws `DamagedBackup` and `ApiError`. Sequences ascend. */
  add(message: SavedMessage): void {
    const { config, assets } = this.options;
    const { store } = this;
    const { sequence, subject, timeNs, headerLength, body } = message;
    if (sequence <= store.last) throw new DamagedBackup(`message sequence ${sequence} out of order`);
    if (headerLength > body.length || subject === "" || subject.length > SUBJECT_MAX)
      throw new DamagedBackup(`message sequence ${sequence} is damaged`);
    if (config.maxMessageBytes >= 0 && body.length > config.maxMessageBytes)
      throw new DamagedBackup(`message sequence ${sequence} exceeds maximum message size`);
    const ttl = headerLength === 0 ? 0 : readTtl(MessageHeaders.of(body, headerLength).get("Nats-TTL"));
    if (ttl === null) throw new DamagedBackup(`message sequence ${sequence} has no valid time to live`);
    if (ttl > 0 && timeNs + BigInt(ttl) * 1_000_000_000n < assets.host.nowNs()) {
      store.skip(sequence);
      return;
    }
    this.checkRoom(store.bytes + body.length);
    store.append({ subject, headerLength, body, timeNs }, 0, sequence);
    if (store.last - store.written > FLUSH_MESSAGES) store.flush();
  }

  /** It has gone, if it was there. */
  remove(sequence: number): void {
    this.store.remove(sequence);
  }

  /** Messages in this range, both ends included, lowest first; 0: there is none from there on. */
  next(from: number, to: number): number {
    return from > to ? 0 : this.store.next(from, null, to);
  }

  /** Sequences up to this one have been used. */
  skipTo(last: number): void {
    if (this.store.last < last) this.store.skip(last);
  }

  /** `last`: of the stream. Throws `DamagedBackup` and `ApiError`. */
  addConsumer(name: string, asked: unknown, saved: SavedConsumer, last: number): void {
    const { assets, config: stream } = this.options;
    const read = readObject(consumerShape, knownFields(consumerShape, asked));
    const config = {
      ...completeConsumer({ ...read, name }, stream, consumerBounds(assets, read, stream), "lenient"),
      name,
    };
    const state = soundConsumer(saved, last);
    if (!isKept(config, stream)) {
      this.consumers.push({ config, state });
      return;
    }
    const folder = `${this.folder}/obs/${name}`;
    const { disk } = assets.options;
    disk.makeFolder(folder);
    writeMeta(disk, folder, this.created, writeObject(consumerShape, config));
    const log = new ConsumerLog({ disk, folder, snapshot: () => state });
    log.recover(
      () => {},
      () => {},
    );
    log.fold();
    log.close();
  }

  /** Throws `DiskError`, and `ApiError` where another stream has come meanwhile. */
  finish(): StreamAssets {
    const { assets, config } = this.options;
    if (assets.streams.has(config.name)) throw apiErrors.restoreNameTaken();
    assets.usage.check(config, null);
    return assets.restored(this.close("streams"));
  }

  /** Throws `DiskError`. */
  handOver(): RestoredContents {
    return this.close(OFFERED_FOLDER);
  }

  /** `to`: the folder of streams that it becomes one of. */
  private close(to: "streams" | typeof OFFERED_FOLDER): RestoredContents {
    const { assets, config } = this.options;
    const { store, consumers, created } = this;
    store.syncNow();
    this.isClosed = true;
    if (!this.isInFiles) return { config, created, consumers, store };
    store.close();
    const { disk, folder } = assets.options;
    writeMeta(disk, this.folder, created, writeObject(streamShape, config));
    if (to === OFFERED_FOLDER) writeOffer(disk, this.folder, "backup");
    disk.makeFolder(`${folder}/${to}`);
    disk.rename(this.folder, `${folder}/${to}/${config.name}`);
    return { config, created, consumers, store: null };
  }

  /** Leaves nothing behind; does nothing after `finish`. */
  discard(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.store.close();
    this.options.assets.options.disk.removeFolder(this.folder);
  }

  /** Throws `ApiError`. */
  checkRoom(bytes: number): void {
    const { assets, config, otherBytes } = this.options;
    const { storage } = config;
    const left = Math.min(assets.options.serverBytesLeft(storage), assets.usage.bytesLeft(config));
    if (bytes + otherBytes() <= left) return;
    throw storage === "file" ? apiErrors.insufficientStorage() : apiErrors.insufficientMemory();
  }
}
