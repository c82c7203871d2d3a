/**
 * The messages of one stream, on disk or in memory: a log of records, and what is known of it in memory (where each message lies,
 * the subjects). It applies what its owner has decided; limits are not its affair.
 *
 * Invariants: the last sequence never falls; `first` is the lowest message there is, or last + 1; `bytes` counts as nats-server
 * does. Nobody may see or be told of a message before `written` has reached its sequence, and `synced` where that was asked for.
 *
 * Damaged messages are known missing: `lost` names their sequences, which are never used again.
 */
import { assert } from "../base/assert.ts";
import { BATCH_FIRST, BATCH_LAST, BATCH_MIDDLE } from "./batch-recovery.ts";
import type { Block } from "./block.ts";
import { Cleaning } from "./cleaning.ts";
import type { DiskError } from "./disk.ts";
import type { Cleaned } from "./packing.ts";
import {
  emptyMessage,
  ERASED,
  FIRST,
  MESSAGE,
  REMOVED,
  REMOVED_RUN,
  SETTLED,
  type PlacedMessage,
  type RecordView,
} from "./record.ts";
import { noteSequence, Recovery } from "./recovery.ts";
import { restoreBlock } from "./restore.ts";
import { RowCache } from "./row-cache.ts";
import type { RowGroups } from "./row-groups.ts";
import type { NewMessage } from "./stream-contents.ts";
import { StreamForgetting } from "./stream-forgetting.ts";
import { syncBehind } from "./sync-behind.ts";
import type { Noted, PurgeOptions, StreamStoreOptions } from "./stream-store-options.ts";

/** Sequences that one block may span. */
const SPAN_MAX = 1 << 20;
const BLOCK_BYTES = 4 * 1024 * 1024;
const TWO_32 = 2 ** 32;

export class StreamStore extends StreamForgetting {
  /** Messages up to here have been written out. */
  written: number;
  private lastMessage: number;
  /** Messages that have gone one after the other, of which the log does not say so yet: the first (0: none have), and the last. */
  private removedFrom = 0;
  private removedTo = 0;
  /** The mark that is being written. */
  private readonly mark = emptyMessage();
  private readonly beforeForgetting: () => void;
  private readonly cleaning: Cleaning;
  /** First message of a batch that is being appended; 0: there is none. */
  private openBatch = 0;

  constructor(options: StreamStoreOptions) {
    const { disk, folder, firstSequence } = options;
    const { blockBytes = BLOCK_BYTES, sealedBlocks = "synced", birth = null } = options;
    super({ disk, folder, blockBytes, sealedBlocks, birth }, options.cache ?? new RowCache());
    this.beforeForgetting = options.beforeForgetting ?? ((): void => {});
    this.cleaning = new Cleaning({
      log: this.log,
      index: this.index,
      cache: this.cache,
      isInMemory: this.isInMemory,
      flush: () => this.flush(),
      beforeForgetting: () => this.beforeForgetting(),
    });
    this.first = firstSequence;
    this.last = this.lastMessage = firstSequence - 1;
    const recovery = new Recovery(
      {
        message: (view, block) => {
          if (this.recovered(view, block)) options.onRecovered?.(view, this.lost.count);
        },
        removed: (sequence) => {
          this.forget(sequence);
          this.lost.remove(sequence);
        },
        first: (first, last) => this.moveFirst(first, last),
        lost: (from, to) => this.lost.add(from, to),
        damaged: (bytes) => void (this.damagedBytes += bytes),
      },
      options.damagedTail,
    );
    this.recover(recovery, options);
    this.lastMessage = Math.max(this.lastMessage, recovery.lastSeen);
    for (const { from, to } of recovery.batches.end()) this.abandon(from, to);
    this.written = this.last;
    if (options.onLost !== undefined) this.onLost = options.onLost;
  }

  private recover(recovery: Recovery, options: StreamStoreOptions): void {
    const { log, subjects, index } = this;
    const { seed, recall, recallAbove = 0, onRecovered } = options;
    log.recover(
      (block, content, isLast) => {
        this.filled = block;
        const end = recovery.scan(block, content, isLast);
        this.filled = null;
        if (block.live === 0) this.emptied(block);
        return end;
      },
      (block, footer) => {
        if (recall === "all" && footer.facts.lastSequence > recallAbove) return false; // what its messages say depends on those that are gone, too
        return restoreBlock(block, footer, {
          recovery,
          subjects,
          index,
          log,
          lastMessage: () => this.lastMessage,
          lastTime: (timeNs) => void (this.lastTimeNs = timeNs),
          take: (sequence, number, row) => this.taken(block, sequence, number, row),
          takeAll: (groups, numbers) => this.takenAll(block, groups, numbers),
          recalls: recall === "with headers" ? "headed" : "none",
          recall: (sequence) => {
            const view = this.read(sequence);
            if (view !== null) onRecovered?.(view, this.lost.count);
          },
        });
      },
      (known) => (subjects.seed = known ?? seed ?? 0),
    );
  }

  /** A batch of which a power loss left a part: nothing of it is kept. */
  private abandon(from: number, to: number): void {
    for (let sequence = from; sequence <= to; sequence++) {
      this.lost.remove(sequence);
      this.remove(sequence);
    }
  }

  /** Appends messages of which after a power loss all are there, or none. */
  appendBatch(messages: readonly NewMessage[]): void {
    const lastIndex = messages.length - 1;
    for (const [i, message] of messages.entries()) {
      if (lastIndex === 0) this.append(message);
      else this.append(message, i === 0 ? BATCH_FIRST : i === lastIndex ? BATCH_LAST : BATCH_MIDDLE);
    }
  }

  /** Everything up to this message is on the disk: the batch that ends with it is whole. */
  settleBatch(sequence: number): void {
    this.appendMark(SETTLED, sequence, this.lastMessage);
  }

  /**
   * Appends a message and returns its sequence: the next one, or a later one, before which there are no messages then. It is in memory
   * alone until `flush`.
   */
  append(message: NewMessage, flags = 0, sequence = this.last + 1): number {
    assert(sequence > this.last, "sequences ascend");
    const { subject, headerLength, body, timeNs } = message;
    const length = this.log.lengthOf(subject.length, body.length);
    if (this.log.needsBlock(length) || this.isTooFar(sequence)) this.beginBlock();
    const previous = this.lastMessage;
    const block = this.log.append({
      kind: MESSAGE,
      flags,
      sequence,
      timeNs,
      previous,
      subject,
      headerLength,
      body,
    });
    if (this.messages === 0) this.first = sequence;
    this.last = sequence;
    const number = this.subjects.add(subject, sequence);
    this.note({ sequence, number, hasHeaders: headerLength > 0, length }, block);
    this.lastTimeNs = timeNs;
    if (flags === BATCH_FIRST) this.openBatch = sequence;
    else if (flags !== BATCH_MIDDLE) this.openBatch = 0;
    block.facts.openBatch = this.openBatch;
    return sequence;
  }

  /** The same for a message in memory, which may change afterwards. */
  appendPlaced(message: PlacedMessage): number {
    const { subject, bodyLength, headerLength, timeLow, timeHigh } = message;
    const sequence = this.last + 1;
    const length = this.log.lengthOf(subject.length, bodyLength);
    if (this.log.needsBlock(length) || this.isTooFar(sequence)) this.beginBlock();
    const block = this.log.appendMessage(message, sequence, this.lastMessage);
    if (this.messages === 0) this.first = sequence;
    this.last = sequence;
    const number = this.subjects.add(subject, sequence);
    this.note({ sequence, number, hasHeaders: headerLength > 0, length }, block);
    this.lastTimeLow = timeLow;
    this.lastTimeHigh = timeHigh;
    return sequence;
  }

  /** Sequences without messages, up to this one: the next one, or a later one. */
  skip(to = this.last + 1): number {
    assert(to > this.last, "sequences ascend");
    this.last = to;
    if (this.messages === 0) this.first = to + 1;
    this.appendFirst();
    return to;
  }

  /** False: there is no such message. */
  remove(sequence: number): boolean {
    if (!this.has(sequence)) return false;
    this.forget(sequence);
    if (this.removedFrom === 0 || sequence !== this.removedTo + 1) {
      this.endRemoved();
      this.removedFrom = sequence;
    }
    this.removedTo = sequence;
    return true;
  }

  /** Appends what says that messages have gone one after the other. */
  private endRemoved(): void {
    const { removedFrom: from, removedTo: to } = this;
    if (from === 0) return;
    this.removedFrom = 0;
    if (from === to) this.appendMark(REMOVED, to, this.lastMessage);
    else this.appendMark(REMOVED_RUN, to, this.lastMessage, from);
  }

  /** Like `remove`, and the bytes of the message are overwritten. */
  erase(sequence: number): boolean {
    if (!this.has(sequence)) return false;
    this.beforeForgetting();
    const view = this.read(sequence);
    const { index, log } = this;
    if (view === null || !index.locate(sequence)) return false;
    const { offset } = index;
    const block = index.block!;
    this.cleaning.overwritten(block);
    const { previous, subjectLength, length } = view;
    this.forget(sequence);
    this.appendMark(REMOVED, sequence, this.lastMessage);
    this.syncNow(); // a footer may say that the message is there: what says that it is gone is kept before its bytes go
    log.overwrite(block, offset, {
      kind: ERASED,
      sequence,
      timeNs: 0n,
      previous,
      subject: "x".repeat(subjectLength),
      headerLength: 0,
      body: new Uint8Array(length - log.lengthOf(subjectLength, 0)),
    });
    return true;
  }

  /** All below `sequence` go, and the next message gets at least that sequence. Returns how many went. */
  compact(sequence: number): number {
    const before = this.messages;
    this.moveFirst(sequence, Math.max(this.last, sequence - 1));
    this.appendFirst();
    return before - this.messages;
  }

  /** Returns how many went. */
  purge({ filter, below, keep }: PurgeOptions): number {
    const isAll = filter === null || filter === ">";
    if (isAll && keep === 0) return this.compact(below === 0 ? this.last + 1 : below);
    const filters = isAll ? null : [filter];
    let rest = Math.max(0, this.countFrom(this.first, filters) - keep);
    let gone = 0;
    const to = below === 0 ? this.last : Math.min(below - 1, this.last);
    for (let at = this.next(this.first, filters, to); at !== 0 && rest > 0; rest--) {
      this.remove(at);
      gone++;
      at = this.next(at + 1, filters, to);
    }
    return gone;
  }

  /** Writes out what was appended, unless a block before it is still on its way to the disk. Throws `DiskError`. */
  flush(): void {
    this.endRemoved();
    this.log.flush();
    if (this.log.syncs.isHolding) return;
    this.written = this.last;
    assert(this.first <= this.last + 1, "the first sequence is that of a message, or the next one");
    this.log.finishing.work();
  }

  /** Calls back when all that was appended before the last flush is on the disk. */
  sync(done: (error: DiskError | null) => void): void {
    if (this.log.syncs.isHolding) syncBehind(this, done);
    else this.log.sync(done);
  }

  syncNow(): void {
    this.log.syncs.release();
    this.flush();
    this.log.syncNow();
  }

  /** Whether blocks that are full are packed. */
  set packs(isWanted: boolean) {
    this.cleaning.packing.isWanted = isWanted;
  }

  /** Gives back the room of what is gone, and packs what is to be packed, a part of it at a time, in turns of their own. */
  clean(): Cleaned {
    return this.cleaning.work();
  }

  close(): void {
    this.cleaning.close();
    this.log.close();
  }

  private note(message: Noted, block: Block): void {
    const { sequence, number, hasHeaders, length } = message;
    const { index, subjects } = this;
    index.add(block, sequence, this.log.lastOffset, length, subjects.hashOfNumber(number), hasHeaders);
    block.facts.lastSeen = sequence;
    this.count(block, sequence, length, hasHeaders);
    noteSequence(block, sequence);
  }

  private count(block: Block, sequence: number, length: number, hasHeaders: boolean): void {
    this.messages++;
    this.bytes += this.counted(length, hasHeaders);
    this.lastMessage = sequence;
    block.live++;
    block.liveBytes += length;
    if (hasHeaders) block.headed++;
  }

  /** False: the record is not a message of this stream any more. */
  private recovered(view: RecordView, block: Block): boolean {
    const { sequence, headerLength, length, memory, subjectAt, subjectLength } = view;
    if (sequence <= this.lastMessage) return false; // a file whose removal the disk forgot
    if (block.base !== 0 && sequence - block.base > SPAN_MAX) return false; // no block is written so
    if (this.messages === 0) this.first = sequence;
    this.last = Math.max(this.last, sequence);
    this.log.lastOffset = view.at;
    const number = this.subjects.addFrom(memory, subjectAt, subjectLength, sequence);
    this.note({ sequence, number, hasHeaders: headerLength > 0, length }, block);
    this.lastTimeLow = view.timeLow;
    this.lastTimeHigh = view.timeHigh;
    return true;
  }

  /** A message that a footer tells of. */
  private taken(block: Block, sequence: number, number: number, row: number): void {
    const rows = block.rows!;
    if (this.messages === 0) this.first = sequence;
    this.last = Math.max(this.last, sequence);
    this.subjects.addTo(number, sequence);
    this.count(block, sequence, rows.lengthAt(row), rows.hasHeadersAt(row));
  }

  /** The same for all messages of a block. */
  private takenAll(block: Block, groups: RowGroups, numbers: Uint32Array): void {
    const { base, count } = block.rows!;
    if (this.messages === 0) this.first = base;
    this.last = Math.max(this.last, block.reach);
    groups.addTo(this.subjects, numbers, block);
    this.messages += count;
    this.bytes += this.countedAll(count, groups.bytes, groups.headed);
    this.lastMessage = block.reach;
  }

  /** What lies below is gone on purpose: not what is known missing. */
  private appendFirst(): void {
    this.appendMark(FIRST, Math.min(this.first, this.lost.lowest), this.last);
  }

  /** `from`: where a run begins. */
  private appendMark(
    kind: typeof REMOVED | typeof REMOVED_RUN | typeof FIRST | typeof SETTLED,
    sequence: number,
    previous: number,
    from = 0,
  ): void {
    if (this.log.needsBlock(this.log.lengthOf(0, 0))) this.beginBlock();
    const time = kind === FIRST ? this.lastMessage : from;
    const { mark } = this;
    mark.kind = kind;
    mark.timeLow = time % TWO_32;
    mark.timeHigh = Math.floor(time / TWO_32);
    const block = this.log.appendMessage(mark, sequence, previous);
    block.facts.marks.push(kind, sequence, kind === REMOVED_RUN ? from : previous);
  }

  private isTooFar(sequence: number): boolean {
    const block = this.log.blocks.at(-1);
    return block !== undefined && block.base !== 0 && sequence - block.base > SPAN_MAX;
  }

  /** A block begins with what is known without those before it. */
  private beginBlock(): void {
    this.log.beginBlock();
    const { facts } = this.log.blocks.at(-1)!;
    facts.expected = facts.lastSeen = this.lastMessage;
    facts.openBatch = this.openBatch;
    this.appendFirst();
  }
}
