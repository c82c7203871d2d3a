/**
 * Makes a stream of a backup in either form. Chunks come as requests, each of which is answered when it has been taken in: what they hold
 * unpacked is taken a part at a time, in turns of their own.
 */
import { nuid } from "../../base/base62.ts";
import { DiskError } from "../../store/disk.ts";
import { apiErrors, ApiError } from "../api-error.ts";
import type { Assets, StreamAssets } from "../assets.ts";
import { ARCHIVE_START } from "../backup/archive.ts";
import { DamagedBackup, BackupFrames } from "../backup/s2-stream.ts";
import type { Incoming } from "../host.ts";
import type { StreamConfig } from "../stream/config.ts";
import type { BackupForm, Json } from "./backup-form.ts";
import { RestoreArchive } from "./restore-archive.ts";
import { RestoreTar } from "./restore-tar.ts";
import { RestoredStream } from "./restored-stream.ts";

export interface RestoreOptions {
  readonly assets: Assets;
  readonly config: StreamConfig;
  /** Bytes of other streams that are being restored to the same storage. */
  readonly otherBytes: () => number;
  /** Which stream it becomes: the one that was saved, by the time of its creation, or another one. */
  readonly becomes: "the same" | "a new one";
  /**
   * Makes it one of the streams that there are. null: somebody else decides whether, and answers at `reply`; `refused` is called where
   * there is to be none. Throws `ApiError`, `DiskError`.
   */
  readonly settle: (stream: RestoredStream, reply: string, refused: Refused) => StreamAssets | null;
  /** The answer to the last chunk: what there is now, or why there is nothing. */
  readonly answer: (made: StreamAssets | ApiError) => Json;
  readonly ended: () => void;
}

type Refused = (error: ApiError) => void;

/** How long no chunk may come. */
const IDLE_MS = 5000;
/** Bytes of chunks that wait to be taken in. */
const QUEUE_MAX_BYTES = 32 * 1024 * 1024;
/** Unpacked bytes that are taken in one turn. */
const STEP_BYTES = 64 * 1024;
const NOTHING: Buffer = Buffer.alloc(0);

export class Restore {
  /** Where chunks are sent. */
  readonly subject: string;
  private readonly options: RestoreOptions;
  private readonly listener: Disposable;
  private readonly frames = new BackupFrames();
  private readonly stream: RestoredStream;
  private form: BackupForm | null = null;
  /** Unpacked, and not taken yet. */
  private unpacked = NOTHING;
  private timer: Disposable | null = null;
  private readonly queue: { readonly reply: string; readonly body: Buffer }[] = [];
  private queuedBytes = 0;
  /** The chunk that is being taken in; null: there is none. */
  private reply: string | null = null;
  /** Of chunks that came so far. */
  bytes = 0;
  private isDue = false;
  private isOver = false;

  constructor(options: RestoreOptions) {
    this.options = options;
    const { assets, config } = options;
    const { host } = assets;
    this.subject = `$JS.SNAPSHOT.RESTORE.${config.name}.${nuid(host.random)}`;
    this.stream = new RestoredStream(options);
    this.listener = host.listen(this.subject, (message) => this.receive(message));
    this.watch();
  }

  get storage(): StreamConfig["storage"] {
    return this.options.config.storage;
  }

  /** Of messages so far. */
  get storedBytes(): number {
    return this.stream.bytes;
  }

  /** Leaves nothing behind. */
  stop(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.timer?.[Symbol.dispose]();
    this.listener[Symbol.dispose]();
    this.stream.discard();
    this.options.ended();
  }

  private receive({ reply, headerLength, body }: Incoming): void {
    const chunk = Buffer.from(body.subarray(headerLength));
    this.queue.push({ reply, body: chunk });
    this.queuedBytes += chunk.length;
    this.watch();
    this.workLater();
  }

  private workLater(): void {
    if (this.isDue) return;
    this.isDue = true;
    this.options.assets.host.soon(() => {
      this.isDue = false;
      if (!this.isOver) this.work();
    });
  }

  private work(): void {
    try {
      if (this.step()) this.workLater();
    } catch (error) {
      this.fail(error, this.reply ?? "");
    }
  }

  /** What one turn does; false: a chunk has to come. */
  private step(): boolean {
    if (this.form?.work() === true) return true;
    if (this.unpacked.length > 0) {
      this.take(this.unpacked.subarray(0, STEP_BYTES));
      this.unpacked = this.unpacked.subarray(STEP_BYTES);
      return true;
    }
    const frame = this.frames.next();
    if (frame !== null) {
      this.unpacked = frame;
      return true;
    }
    if (this.reply !== null) {
      this.options.assets.host.send({ subject: this.reply, reply: "", headers: "", payload: "" });
      this.reply = null;
    }
    return this.nextChunk();
  }

  private nextChunk(): boolean {
    const next = this.queue.shift();
    if (next === undefined) return false;
    this.queuedBytes -= next.body.length;
    this.reply = next.reply;
    if (this.queuedBytes > QUEUE_MAX_BYTES)
      throw new DamagedBackup("more chunks were sent at a time than are taken");
    if (next.reply === "") throw new DamagedBackup("a chunk came without a subject for its answer");
    if (next.body.length === 0) {
      this.finish(next.reply);
      return false;
    }
    this.bytes += next.body.length;
    this.frames.add(next.body);
    return true;
  }

  private take(bytes: Buffer): void {
    const { stream } = this;
    const isArchive = (): boolean => bytes.subarray(0, ARCHIVE_START.length).equals(ARCHIVE_START);
    this.form ??= isArchive() ? new RestoreArchive(stream) : new RestoreTar(this.options.config.name, stream);
    this.form.push(bytes);
  }

  private finish(reply: string): void {
    const { settle } = this.options;
    this.frames.end();
    if (this.form === null) throw new DamagedBackup("the backup is cut off");
    this.form.end();
    const made = settle(this.stream, reply, (error) => this.refuse(error, reply));
    this.stop();
    if (made !== null) this.tell(made, reply);
  }

  private fail(error: unknown, reply: string): void {
    const refusal = refusalOf(error);
    this.stop();
    this.refuse(refusal, reply);
  }

  private refuse(refusal: ApiError, reply: string): void {
    const { assets, config } = this.options;
    assets.host.logger.warn("a stream was not restored", { stream: config.name, error: refusal.message });
    if (reply !== "") this.tell(refusal, reply);
  }

  private tell(made: StreamAssets | ApiError, reply: string): void {
    const { assets, answer } = this.options;
    assets.host.send({ subject: reply, reply: "", headers: "", payload: JSON.stringify(answer(made)) });
  }

  private watch(): void {
    this.timer?.[Symbol.dispose]();
    const stalled = new DamagedBackup(`restore for stream '${this.options.config.name}' is stalled`);
    this.timer = this.options.assets.host.clock.setTimer(IDLE_MS, () => {
      if (this.queue.length === 0 && this.reply === null) this.fail(stalled, "");
      else this.watch();
    });
  }
}

function refusalOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof DamagedBackup || error instanceof DiskError)
    return apiErrors.restoreFailed(error.message);
  throw error;
}
