/**
 * Takes the tar of nats-server before 2.15, which holds the files of a stream: its configuration, blocks of messages, an index, then for each
 * consumer its configuration and its state. Sums of files and of messages are checked. Which messages are gone is known from marks in
 * blocks and from the index.
 */
import { BlockReader, oldHash, type OldRecord } from "../backup/old-blocks.ts";
import { readOldConsumer } from "../backup/old-consumer.ts";
import { readIndex, type OldIndex } from "../backup/old-index.ts";
import { DamagedBackup } from "../backup/s2-stream.ts";
import { TarReader } from "../backup/tar.ts";
import { isTime } from "../time.ts";
import { jsonOf, type BackupForm, type Json } from "./backup-form.ts";
import type { RestoredStream } from "./restored-stream.ts";

const META = "meta.inf";
const META_SUM = "meta.sum";
const STATE = "o.dat";
const INDEX = "msgs/index.db";
const ERRORS = "errors.txt";
const BLOCK = /^msgs\/(\d{1,10})\.blk$/;
const CONSUMER = /^obs\/([^/]+)\/(meta\.inf|meta\.sum|o\.dat)$/;
/** Bytes of a file that is no block: an index has a line for each subject. */
const FILE_MAX_BYTES = 256 * 1024 * 1024;
/** Messages that are removed in one step. */
const STEP_MESSAGES = 500;

interface ConsumerFiles {
  readonly name: string;
  readonly meta: Json;
  isChecked: boolean;
}

export class RestoreTar implements BackupForm {
  private readonly name: string;
  private readonly stream: RestoredStream;
  private readonly tar: TarReader;
  private file = "";
  private block: BlockReader | null = null;
  private pieces: Buffer[] = [];
  private length = 0;
  private hasMeta = false;
  /** What `META_SUM` has to say. */
  private metaSum = "";
  private consumer: ConsumerFiles | null = null;
  /** What the index says is gone; what comes behind the index waits for it. */
  private removing: Iterator<undefined> | null = null;
  private waiting: Buffer = Buffer.alloc(0);

  /** `name`: of the stream. */
  constructor(name: string, stream: RestoredStream) {
    this.name = name;
    this.stream = stream;
    this.tar = new TarReader({
      file: (file) => this.begin(file),
      content: (piece) => this.content(piece),
      fileEnd: () => this.fileEnd(),
    });
  }

  push(bytes: Buffer): void {
    this.waiting = this.waiting.length === 0 ? bytes : Buffer.concat([this.waiting, bytes]);
    this.takeWaiting();
  }

  work(): boolean {
    if (this.removing === null) return false;
    if (this.removing.next().done === true) {
      this.removing = null;
      this.takeWaiting();
    }
    return true;
  }

  private takeWaiting(): void {
    while (this.waiting.length > 0 && this.removing === null)
      this.waiting = this.waiting.subarray(this.tar.take(this.waiting));
  }

  end(): void {
    if (!this.tar.isComplete || this.metaSum !== "") throw new DamagedBackup("backup was truncated");
    if (this.consumer !== null) throw new DamagedBackup("a consumer of the backup has no state");
    if (!this.hasMeta) throw new DamagedBackup("the backup has no configuration of a stream");
  }

  private begin(file: string): void {
    this.file = file;
    const block = BLOCK.exec(file);
    if (!this.hasMeta && file !== META && file !== ERRORS)
      throw new DamagedBackup("the backup does not begin with the configuration of a stream");
    if (block === null) return;
    const hash = oldHash(`${this.name}-${Number(block[1])}`);
    this.block = new BlockReader(hash, (record) => this.record(record));
  }

  private content(piece: Buffer): void {
    if (this.block !== null) {
      this.block.push(piece);
      return;
    }
    this.length += piece.length;
    if (this.length > FILE_MAX_BYTES)
      throw new DamagedBackup("a file of the backup is longer than can be taken");
    this.pieces.push(piece);
  }

  private fileEnd(): void {
    if (this.block !== null) {
      this.block.end();
      this.block = null;
      return;
    }
    const content = Buffer.concat(this.pieces);
    this.pieces = [];
    this.length = 0;
    const consumer = CONSUMER.exec(this.file);
    if (consumer !== null) this.consumerFile(consumer[1]!, consumer[2]!, content);
    else if (this.file === META) this.meta(content);
    else if (this.file === META_SUM) this.checkSum(content);
    else if (this.file === INDEX) this.removing = this.removals(readIndex(content, oldHash(this.name)));
    else if (this.file === ERRORS)
      throw new DamagedBackup(`the server that made the backup says: ${content.toString("latin1")}`);
    else throw new DamagedBackup(`unexpected content: ${JSON.stringify(this.file)}`);
  }

  private meta(content: Buffer): void {
    const { name, Created: created } = jsonOf(content);
    if (name !== this.name) throw new DamagedBackup("stream names do not match");
    if (typeof created === "string" && isTime(created)) this.stream.wasCreated(created);
    this.hasMeta = true;
    this.metaSum = oldHash(this.name).hash([content]).toString("hex");
  }

  private checkSum(content: Buffer): void {
    if (content.toString("latin1") !== this.metaSum)
      throw new DamagedBackup(`${this.file} of the backup does not fit: a configuration is damaged`);
    this.metaSum = "";
  }

  private record({ kind, ...message }: OldRecord): void {
    const { stream } = this;
    const { sequence } = message;
    if (kind === "removed") {
      stream.remove(sequence);
      stream.skipTo(sequence);
    } else if (sequence > stream.last) {
      if (kind === "erased") stream.skipTo(sequence);
      else {
        if (stream.last === 0) stream.beginAt(sequence);
        stream.add(message);
      }
    } else if (kind === "erased") stream.remove(sequence);
  }

  /** Removes what no block of the index has any more. */
  private *removals({ first, last, blocks }: OldIndex): Generator<undefined> {
    const { stream } = this;
    let steps = 0;
    const remove = (sequence: number): boolean => {
      stream.remove(sequence);
      return ++steps % STEP_MESSAGES === 0;
    };
    let from = 1;
    for (const block of blocks) {
      const end = Math.min(block.first - 1, last);
      for (let at = stream.next(from, end); at !== 0; at = stream.next(at + 1, end)) if (remove(at)) yield;
      for (const sequence of block.removed) if (remove(sequence)) yield;
      from = Math.max(from, block.last + 1);
    }
    stream.beginAt(first);
    stream.skipTo(last);
  }

  private consumerFile(name: string, file: string, content: Buffer): void {
    if (file === META) {
      if (this.consumer !== null) throw new DamagedBackup("a consumer of the backup has no state");
      this.consumer = { name, meta: jsonOf(content), isChecked: false };
      this.metaSum = oldHash(`${this.name}/${name}`).hash([content]).toString("hex");
      return;
    }
    const { consumer } = this;
    if (consumer?.name !== name) throw new DamagedBackup("a consumer of the backup has no configuration");
    if (file === META_SUM) {
      this.checkSum(content);
      consumer.isChecked = true;
    } else if (file === STATE) {
      if (!consumer.isChecked) throw new DamagedBackup("a configuration of the backup has no checksum");
      this.consumer = null;
      this.stream.addConsumer(name, consumer.meta, readOldConsumer(content), this.stream.last);
    }
  }
}
