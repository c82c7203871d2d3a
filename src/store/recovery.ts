/**
 * Reads the blocks of a log one after the other and finds out what is missing. A torn tail (bytes at the end of the last block that
 * make no record) is cut, since nothing in it was ever confirmed. Damage elsewhere stays where it is: what follows it is found
 * again by its magic and checksum, and its `previous` says which messages were lost in between.
 */
import { BatchRecovery } from "./batch-recovery.ts";
import type { Block } from "./block.ts";
import { MARK_NUMBERS, TORN } from "./footer.ts";
import {
  ERASED,
  findRecord,
  FIRST,
  FOOTER,
  HOLE,
  looksLikeFooter,
  looksLikeMessage,
  MESSAGE,
  readRecord,
  RecordView,
  REMOVED,
  REMOVED_RUN,
  SETTLED,
} from "./record.ts";

export interface RecoveryHost {
  message(view: RecordView, block: Block): void;
  removed(sequence: number): void;
  first(first: number, last: number): void;
  /** Both included. */
  lost(from: number, to: number): void;
  /** Some bytes in which messages were cannot be read. */
  damaged(bytes: number): void;
}

/** What follows damage that a torn write may have left: a stream that gets it again from elsewhere cuts it, so that nothing is missing. */
export type DamagedTail = "kept" | "cut";

export class Recovery {
  private readonly host: RecoveryHost;
  private readonly view = new RecordView();
  /** The last message that was met, or known to have been there. */
  lastSeen = 0;
  readonly batches = new BatchRecovery();
  isAtStart = true;
  private readonly tail: DamagedTail;

  constructor(host: RecoveryHost, tail: DamagedTail = "kept") {
    this.host = host;
    this.tail = tail;
  }

  /** Returns where the block ends: earlier than its content where a torn tail is to be cut. */
  scan(block: Block, content: Buffer, isLast: boolean): number {
    const end = this.scanRecords(block, content, isLast);
    block.facts.lastSeen = this.lastSeen;
    block.facts.openBatch = this.batches.tornCount > 0 ? TORN : this.batches.openFrom;
    return end;
  }

  /** A message of a restored block whose record cannot be read. */
  lose(sequence: number): void {
    this.host.lost(sequence, sequence);
    this.host.first(0, sequence);
  }

  /** A block whose footer says what is in it: what it expects before it. */
  beginRestored({ facts }: Block): void {
    const { expected } = facts;
    if (this.isAtStart && expected >= 0) this.lastSeen = expected;
    else this.expect(expected);
    this.isAtStart = false;
  }

  endRestored({ facts }: Block): void {
    const { marks, openBatch, lastSequence, lastSeen } = facts;
    for (let i = 0; i < marks.length; i += MARK_NUMBERS) {
      const [kind, sequence, last] = [marks[i]!, marks[i + 1]!, marks[i + 2]!];
      if (kind === REMOVED) this.host.removed(sequence);
      else if (kind === REMOVED_RUN) this.removedRun(last, sequence);
      else if (kind === SETTLED) this.batches.settled(sequence);
      else this.host.first(sequence, last);
    }
    this.lastSeen = Math.max(this.lastSeen, lastSeen);
    if (lastSequence > 0) this.host.first(0, lastSequence);
    this.batches.resume(openBatch, lastSequence);
  }

  private scanRecords(block: Block, content: Buffer, isLast: boolean): number {
    const { view } = this;
    const end = content.length;
    for (let at = 0; at < end;) {
      if (readRecord(view, content, at, end)) {
        if (view.kind === FOOTER) {
          if (at + view.length === end) return at;
          block.isDamaged = true;
          return this.passForeign(content, at + view.length);
        }
        this.take(block);
        at += view.length;
        continue;
      }
      const next = findRecord(view, content, at + 1, end);
      if (looksLikeFooter(content, at, end)) {
        if (next === end) return at;
        block.isDamaged = true;
        return this.passForeign(content, next);
      }
      if (isLast && this.tail === "cut" && !this.wasOnDisk(content, next, end)) return at;
      if (next === end && isLast && !this.isDamagedMessage(content, at, end)) return at;
      block.isDamaged = true;
      this.isAtStart = false; // what was here was a part of the log: it did not begin behind it
      this.host.damaged(next - at);
      at = next;
    }
    return end;
  }

  /** Nothing is written behind a footer. Records that are found there are not served, and their sequences are not used again. */
  private passForeign(content: Buffer, from: number): number {
    const { view } = this;
    const end = content.length;
    for (let at = findRecord(view, content, from, end); at < end;) {
      if (view.kind === MESSAGE) this.expect(view.sequence);
      at = findRecord(view, content, at + view.length, end);
    }
    return end;
  }

  /** Whether a record behind the damage says that what was there had been on the disk: then no torn write made it. */
  private wasOnDisk(content: Buffer, from: number, end: number): boolean {
    const { view } = this;
    for (let at = from; at < end;) {
      if (!readRecord(view, content, at, end)) at = findRecord(view, content, at + 1, end);
      else if (view.kind === SETTLED && view.sequence > this.lastSeen) return true;
      else at += view.length;
    }
    return false;
  }

  /** A whole record at the end whose checksum is wrong: a torn write would be shorter. Its sequence is not used again. */
  private isDamagedMessage(content: Buffer, at: number, end: number): boolean {
    const { view, lastSeen } = this;
    if (!looksLikeMessage(view, content, at, end) || view.sequence !== lastSeen + 1) return false;
    this.host.lost(view.sequence, view.sequence);
    this.host.first(0, view.sequence);
    return true;
  }

  private take(block: Block): void {
    const { view, host } = this;
    const { kind, sequence, previous } = view;
    if (kind === MESSAGE || kind === ERASED || kind === HOLE) {
      const gap = previous > this.lastSeen && !this.isAtStart ? "gap" : "no gap";
      this.expect(previous);
      this.lastSeen = Math.max(this.lastSeen, sequence);
      if (kind === MESSAGE) this.batches.message(sequence, view.flags, gap);
      if (kind === MESSAGE) host.message(view, block);
      else host.first(0, sequence);
      noteSequence(block, sequence);
    } else if (kind === REMOVED || kind === SETTLED) {
      this.expect(previous);
      block.facts.marks.push(kind, sequence, previous);
      if (kind === REMOVED) host.removed(sequence);
      else this.batches.settled(sequence);
    } else if (kind === REMOVED_RUN) {
      const from = Number(view.timeNs);
      this.expect(previous);
      block.facts.marks.push(kind, sequence, from);
      this.removedRun(from, sequence);
    } else if (kind === FIRST) {
      const lastMessage = Number(view.timeNs);
      if (view.at === 0) block.facts.expected = lastMessage;
      block.facts.marks.push(kind, sequence, previous);
      if (this.isAtStart) this.lastSeen = lastMessage;
      else this.expect(lastMessage);
      host.first(sequence, previous);
    }
    this.isAtStart = false;
  }

  private removedRun(from: number, to: number): void {
    for (let sequence = from; sequence <= to; sequence++) this.host.removed(sequence);
  }

  private expect(previous: number): void {
    if (previous <= this.lastSeen) return;
    this.host.lost(this.lastSeen + 1, previous);
    this.host.first(0, previous);
    this.lastSeen = previous;
  }
}

/** The sequences whose records a block holds, live or not: marks for them are kept as long as it is there. */
export function noteSequence(block: Block, sequence: number): void {
  const { facts } = block;
  if (facts.firstSequence === 0) facts.firstSequence = sequence;
  facts.lastSequence = Math.max(facts.lastSequence, sequence);
}
