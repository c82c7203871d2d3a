/**
 * Message ids of the duplicate window: which sequence each was stored at. Ids older than the window are dropped when the next one
 * is noted. Bounded by what is published within the window: 24 bytes for each, and 5 to 11 in the table.
 *
 *     chunk  4096 ids in order of time: two hashes, sequence, time
 */
import { assert } from "../../base/assert.ts";
import type { StreamStore } from "../../store/stream-store.ts";
import { MessageHeaders } from "../headers.ts";
import { IdTable } from "./id-table.ts";

/** Ids that are dropped with each one that comes: more than come, and few, where a million were noted within the window. */
const EXPIRED_AT_ONCE = 64;
const CHUNK_BITS = 12;
const CHUNK = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK - 1;
const START = 16;

class Chunk {
  firsts: Uint32Array;
  seconds: Uint32Array;
  sequences: Float64Array;
  timesMs: Float64Array;

  constructor(size: number) {
    this.firsts = new Uint32Array(size);
    this.seconds = new Uint32Array(size);
    this.sequences = new Float64Array(size);
    this.timesMs = new Float64Array(size);
  }

  get size(): number {
    return this.firsts.length;
  }

  grown(): Chunk {
    const larger = new Chunk(Math.min(CHUNK, 4 * this.size));
    larger.firsts.set(this.firsts);
    larger.seconds.set(this.seconds);
    larger.sequences.set(this.sequences);
    larger.timesMs.set(this.timesMs);
    return larger;
  }
}

export class Duplicates {
  private chunks: Chunk[] = [];
  /** Places are counted from the first id that there ever was: that of the first chunk, of the first id that counts, and of the next. */
  private base = 0;
  private first = 0;
  private end = 0;
  private windowMs: number;
  private readonly table = new IdTable(this);
  /** Hashes of the id that was read last. */
  private readId = "";
  private readFirst = 0;
  private readSecond = 0;

  constructor(windowNs: number) {
    this.windowMs = windowNs / 1e6;
    this.read("");
  }

  /** Ids that are held; some may be too old to count. */
  get size(): number {
    return this.table.size;
  }

  setWindow(windowNs: number): void {
    this.windowMs = windowNs / 1e6;
  }

  /** 0: the id is new, or too old to count. */
  find(id: string, nowNs: bigint): number {
    return this.findAt(id, Number(nowNs) / 1e6);
  }

  findAt(id: string, nowMs: number): number {
    this.read(id);
    const place = this.table.find(this.readFirst, this.readSecond);
    if (place < 0) return 0;
    const { timesMs, sequences } = this.chunkAt(place);
    return nowMs - timesMs[place & CHUNK_MASK]! > this.windowMs ? 0 : sequences[place & CHUNK_MASK]!;
  }

  note(id: string, sequence: number, timeNs: bigint): void {
    this.noteAt(id, sequence, Number(timeNs) / 1e6);
  }

  noteAt(id: string, sequence: number, timeMs: number): void {
    if (this.windowMs === 0) return;
    this.read(id);
    const { readFirst, readSecond } = this;
    const place = this.end++;
    const chunk = this.roomAt(place);
    const at = place & CHUNK_MASK;
    chunk.firsts[at] = readFirst;
    chunk.seconds[at] = readSecond;
    chunk.sequences[at] = sequence;
    chunk.timesMs[at] = timeMs;
    this.table.set(readFirst, readSecond, place);
    this.expire(timeMs);
  }

  firstAt(place: number): number {
    return this.chunkAt(place).firsts[place & CHUNK_MASK]!;
  }

  secondAt(place: number): number {
    return this.chunkAt(place).seconds[place & CHUNK_MASK]!;
  }

  private expire(nowMs: number): void {
    const end = Math.min(this.end, this.first + EXPIRED_AT_ONCE);
    for (; this.first < end; this.first++) {
      const { timesMs, firsts } = this.chunkAt(this.first);
      const at = this.first & CHUNK_MASK;
      if (nowMs - timesMs[at]! <= this.windowMs) break;
      this.table.remove(firsts[at]!, this.first);
    }
    while (this.first - this.base >= CHUNK) {
      this.chunks.shift();
      this.base += CHUNK;
      this.table.base = this.base;
    }
  }

  private chunkAt(place: number): Chunk {
    const chunk = this.chunks[(place - this.base) >> CHUNK_BITS];
    assert(chunk !== undefined, "a place lies in a chunk");
    return chunk;
  }

  /** The first chunk begins small. */
  private roomAt(place: number): Chunk {
    const index = (place - this.base) >> CHUNK_BITS;
    const chunk = this.chunks[index];
    if (chunk !== undefined && (place & CHUNK_MASK) < chunk.size) return chunk;
    return (this.chunks[index] = chunk?.grown() ?? new Chunk(index === 0 ? START : CHUNK));
  }

  /** Both hashes of 32 bits, of different multipliers. */
  private read(id: string): void {
    if (id === this.readId && id !== "") return;
    let first = id.length;
    let second = ~id.length;
    for (let i = 0; i < id.length; i++) {
      const code = id.charCodeAt(i);
      first = Math.imul(first ^ code, 0x5bd1e995);
      first ^= first >>> 15;
      second = Math.imul(second ^ code, 0x85ebca6b);
      second ^= second >>> 13;
    }
    first = Math.imul(first ^ (first >>> 13), 0x5bd1e995);
    second = Math.imul(second ^ (second >>> 16), 0xc2b2ae35);
    this.readId = id;
    this.readFirst = (first ^ (first >>> 15)) >>> 0;
    this.readSecond = (second ^ (second >>> 14)) >>> 0;
  }
}

/** Ids of messages that were stored since are known again. Returns that of the last message; null: it has none, or is older. */
export function recallIds(store: StreamStore, fromNs: bigint, duplicates: Duplicates): string | null {
  let lastId: string | null = null;
  store.visitHeaded(store.atTime(fromNs), (at) => {
    const view = store.read(at);
    if (view === null || view.headerLength === 0) return;
    const id = MessageHeaders.of(view.body, view.headerLength).get("Nats-Msg-Id");
    if (id !== null && id !== "") duplicates.note(id, at, view.timeNs);
    if (at === store.last) lastId = id;
  });
  return lastId;
}
