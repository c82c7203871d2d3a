/**
 * Makes a stream of a backup. Chunks come as requests, each of which is answered when it has been taken in. All is written to a
 * folder of its own, `restoring/<stream>`, and becomes the stream's by one rename at the end: a kill, or a backup that is damaged, leaves
 * nothing behind.
 */
import { nuid } from "../../base/base62.ts";
import { parseJsonBytes } from "../../base/json.ts";
import { ConsumerLog } from "../../store/consumer-log.ts";
import { DiskError } from "../../store/disk.ts";
import { StreamStore } from "../../store/stream-store.ts";
import { apiErrors, ApiError } from "../api-error.ts";
import type { Assets, StreamAssets } from "../assets.ts";
import { consumerBounds } from "../bounds.ts";
import { ArchiveReader, type ArchiveEntry } from "../backup/archive.ts";
import { DamagedBackup, BackupFrames } from "../backup/s2-stream.ts";
import { knownFields, readObject, writeObject } from "../codec.ts";
import { completeConsumer } from "../consumer/complete.ts";
import { consumerShape } from "../consumer/config.ts";
import { MessageHeaders } from "../headers.ts";
import type { Incoming } from "../host.ts";
import { writeMeta } from "../meta.ts";
import { streamShape, type StreamConfig } from "../stream/config.ts";
import { readTtl } from "../stream/ttl.ts";
import { formatTime } from "../time.ts";

type Json = Record<string, unknown>;

export interface RestoreOptions {
  readonly assets: Assets;
  readonly config: StreamConfig;
  /** The answer to the last chunk: what there is now, or why there is nothing. */
  readonly answer: (made: StreamAssets | ApiError) => Json;
  readonly ended: () => void;
}

/** How long no chunk may come. */
const IDLE_MS = 5000;
/** Bytes of chunks that wait to be taken in. */
const QUEUE_MAX_BYTES = 32 * 1024 * 1024;
const CONSUMERS_PREFIX = "consumers/";

export class Restore {
  /** Where chunks are sent. */
  readonly subject: string;
  private readonly options: RestoreOptions;
  private readonly listener: Disposable;
  private readonly frames: BackupFrames;
  private readonly folder: string;
  private readonly created: string;
  private store: StreamStore | null = null;
  private timer: Disposable | null = null;
  private readonly queue: { readonly reply: string; readonly body: Buffer }[] = [];
  private queuedBytes = 0;
  /** Taken in so far. */
  bytes = 0;
  private isDue = false;
  private isOver = false;
  private isComplete = false;
  private lastSequence = 0;
  private consumersLeft = 0;

  constructor(options: RestoreOptions) {
    this.options = options;
    const { assets, config } = options;
    const { host } = assets;
    this.subject = `$JS.SNAPSHOT.RESTORE.${config.name}.${nuid(host.random)}`;
    this.folder = `${assets.options.folder}/restoring/${config.name}`;
    this.created = formatTime(host.nowNs());
    assets.options.disk.removeFolder(this.folder);
    const archive = new ArchiveReader((entry) => this.take(entry));
    this.frames = new BackupFrames((bytes) => archive.push(bytes));
    this.listener = host.listen(this.subject, (message) => this.receive(message));
    this.watch();
  }

  /** Leaves nothing behind. */
  stop(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.timer?.[Symbol.dispose]();
    this.listener[Symbol.dispose]();
    this.store?.close();
    this.store = null;
    this.options.assets.options.disk.removeFolder(this.folder);
    this.options.ended();
  }

  private receive({ reply, headerLength, body }: Incoming): void {
    const chunk = Buffer.from(body.subarray(headerLength));
    this.queue.push({ reply, body: chunk });
    this.queuedBytes += chunk.length;
    this.watch();
    if (this.isDue) return;
    this.isDue = true;
    this.options.assets.host.soon(() => this.work());
  }

  /** One chunk in a turn. */
  private work(): void {
    this.isDue = false;
    const next = this.queue.shift();
    if (next === undefined || this.isOver) return;
    this.queuedBytes -= next.body.length;
    const { host } = this.options.assets;
    try {
      if (this.queuedBytes > QUEUE_MAX_BYTES)
        throw new DamagedBackup("more chunks were sent at a time than are taken");
      if (next.reply === "") throw new DamagedBackup("a chunk came without a subject for its answer");
      if (next.body.length === 0) return this.finish(next.reply);
      this.bytes += next.body.length;
      this.frames.push(next.body);
      host.send({ subject: next.reply, reply: "", headers: "", payload: "" });
    } catch (error) {
      this.fail(error, next.reply);
      return;
    }
    if (this.queue.length === 0) return;
    this.isDue = true;
    host.soon(() => this.work());
  }

  private take(entry: ArchiveEntry): void {
    if (this.isComplete) throw new DamagedBackup("the backup goes on behind its end");
    if (this.store === null) this.begin(entry);
    else if (this.consumersLeft > 0) this.takeConsumer(entry);
    else if (entry.sequence === 0) this.takeEnd(entry);
    else this.takeMessage(entry, this.store);
  }

  private begin({ name, body }: ArchiveEntry): void {
    const { assets } = this.options;
    if (name !== "state.json") throw new DamagedBackup("expected state.json first");
    const state = jsonOf(body);
    const first = whole(state["first_seq"]);
    const last = whole(state["last_seq"]);
    const messages = whole(state["messages"]);
    this.consumersLeft = whole(state["consumer_count"]);
    if (first === 0 ? last !== 0 || messages !== 0 : first > last + 1 || messages > last + 1 - first)
      throw new DamagedBackup("invalid stream state: inconsistent message count or sequence range");
    this.lastSequence = last;
    this.checkRoom(whole(state["bytes"]));
    const { disk } = assets.options;
    this.store = new StreamStore({
      disk,
      folder: `${this.folder}/msgs`,
      firstSequence: 1,
      seed: Math.floor(assets.host.random.next() * 2 ** 32),
    });
    if (first > 1) this.store.compact(first);
  }

  private takeMessage(entry: ArchiveEntry, store: StreamStore): void {
    const { name: subject, timeNs, sequence, headerLength, body } = entry;
    const { config, assets } = this.options;
    if (sequence <= store.last || sequence > this.lastSequence)
      throw new DamagedBackup(`message sequence ${sequence} out of order`);
    if (headerLength > body.length || subject === "" || subject.length > 65_535)
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

  private takeEnd({ name, timeNs, body }: ArchiveEntry): void {
    if (name !== "" || timeNs !== 0n || body.length !== 0)
      throw new DamagedBackup("expected message sequence");
    this.isComplete = true;
  }

  private takeConsumer({ name: path, body }: ArchiveEntry): void {
    const { assets, config: stream } = this.options;
    if (!path.startsWith(CONSUMERS_PREFIX))
      throw new DamagedBackup(`expected consumer, found ${JSON.stringify(path)}`);
    this.consumersLeft--;
    const name = path.slice(CONSUMERS_PREFIX.length);
    const { config: asked, state } = jsonOf(body) as { config?: unknown; state?: unknown };
    const read = readObject(consumerShape, knownFields(consumerShape, asked));
    const config = {
      ...completeConsumer({ ...read, name }, stream, consumerBounds(assets.options), "lenient"),
      name,
    };
    const json = consumerState(state, this.lastSequence);
    const folder = `${this.folder}/obs/${name}`;
    const { disk } = assets.options;
    disk.makeFolder(folder);
    writeMeta(disk, folder, this.created, writeObject(consumerShape, config));
    const log = new ConsumerLog({ disk, folder, snapshot: () => json });
    log.recover(
      () => {},
      () => {},
    );
    log.fold();
    log.close();
  }

  private finish(reply: string): void {
    const { assets, config, answer } = this.options;
    this.frames.end();
    if (!this.isComplete || this.store === null) throw new DamagedBackup("backup was truncated");
    if (this.store.last < this.lastSequence) this.store.skip(this.lastSequence);
    this.store.syncNow();
    this.store.close();
    this.store = null;
    const { disk, folder } = assets.options;
    writeMeta(disk, this.folder, this.created, writeObject(streamShape, config));
    disk.makeFolder(`${folder}/streams`);
    disk.rename(this.folder, `${folder}/streams/${config.name}`);
    const made = assets.restored(config.name);
    this.stop();
    assets.host.send({ subject: reply, reply: "", headers: "", payload: JSON.stringify(answer(made)) });
  }

  private fail(error: unknown, reply: string): void {
    const refusal = refusalOf(error);
    const { assets, config, answer } = this.options;
    assets.host.logger.warn("a stream was not restored", { stream: config.name, error: refusal.message });
    this.stop();
    if (reply === "") return;
    assets.host.send({ subject: reply, reply: "", headers: "", payload: JSON.stringify(answer(refusal)) });
  }

  private checkRoom(bytes: number): void {
    const { assets, config } = this.options;
    const left = Math.min(
      assets.options.serverBytesLeft(config.storage),
      assets.usage.bytesLeft(config.storage),
    );
    if (bytes > left) throw apiErrors.insufficientStorage();
  }

  private watch(): void {
    this.timer?.[Symbol.dispose]();
    const stalled = new DamagedBackup(`restore for stream '${this.options.config.name}' is stalled`);
    this.timer = this.options.assets.host.clock.setTimer(IDLE_MS, () => {
      if (this.queue.length === 0) this.fail(stalled, "");
      else this.watch();
    });
  }
}

/** Messages that are appended before they are written. */
const FLUSH_MESSAGES = 1000;

function refusalOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof DamagedBackup || error instanceof DiskError)
    return apiErrors.restoreFailed(error.message);
  throw error;
}

function jsonOf(body: Uint8Array): Json {
  const value = parseJsonBytes(Buffer.from(body).toString("latin1"));
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new DamagedBackup("a part of the backup is no JSON object");
  return value as Json;
}

function whole(value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw new DamagedBackup("a number of the backup is no sequence that can be kept");
  return value;
}

interface SavedState {
  readonly delivered?: { readonly consumer_seq?: unknown; readonly stream_seq?: unknown };
  readonly ack_floor?: { readonly consumer_seq?: unknown; readonly stream_seq?: unknown };
  readonly pending?: Readonly<Record<string, { readonly Sequence?: unknown; readonly Timestamp?: unknown }>>;
  readonly redelivered?: Readonly<Record<string, unknown>>;
}

/** The state as a consumer keeps it. */
function consumerState(saved: unknown, last: number): string {
  if (typeof saved !== "object" || saved === null)
    throw new DamagedBackup("a consumer of the backup has no state");
  const { delivered, ack_floor: floor, pending = {}, redelivered = {} } = saved as SavedState;
  const at = (one: SavedState["delivered"]): { consumer: number; stream: number } => ({
    consumer: whole(one?.consumer_seq),
    stream: whole(one?.stream_seq),
  });
  const [to, from] = [at(delivered), at(floor)];
  const isPlaced = to.consumer === 0 && to.stream > last; // it waits for its first message, which may be far ahead
  if ((to.stream > last && to.consumer > 0) || from.stream > to.stream || from.consumer > to.consumer)
    throw new DamagedBackup("a consumer of the backup is ahead of its stream");
  const again = Object.entries(redelivered).map(
    ([sequence, count]) => [Number(sequence), whole(count)] as const,
  );
  const counts = new Map(again);
  const waits = Object.entries(pending).map(([key, one]) => {
    const sequence = Number(key);
    const { Sequence, Timestamp } = one;
    if (!(sequence > from.stream && sequence <= to.stream) || typeof Timestamp !== "number")
      throw new DamagedBackup("a consumer of the backup waits for messages that it was not delivered");
    const timeMs = Math.floor(Timestamp / 1e6);
    return [
      sequence,
      { consumerSequence: whole(Sequence), count: (counts.get(sequence) ?? 0) + 1, timeMs },
    ] as const;
  });
  waits.sort(([a], [b]) => a - b);
  return JSON.stringify({
    delivered: to,
    floor: from,
    ...(isPlaced ? { placed: to.stream } : {}),
    pending: waits,
  });
}
