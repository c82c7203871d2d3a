/**
 * Message ids of the duplicate window: which sequence each was stored at. Ids older than the window are dropped when the next one
 * is noted. Bounded by what is published within the window.
 */
import type { StreamStore } from "../../store/stream-store.ts";
import { MessageHeaders } from "../headers.ts";

/** Ids that are dropped with each one that comes: more than come, and few, where a million were noted within the window. */
const EXPIRED_AT_ONCE = 64;
/** Places at the front that are given back together. */
const GONE_MAX = 4096;

export class Duplicates {
  /** By the id: a place in what follows, counted from the first id that there ever was. */
  private readonly places = new Map<string, number>();
  /** In order of time. */
  private ids: string[] = [];
  private sequences: number[] = [];
  private timesMs: number[] = [];
  /** The place of the first of them, and of the first that counts. */
  private base = 0;
  private first = 0;
  private windowMs: number;

  constructor(windowNs: number) {
    this.windowMs = windowNs / 1e6;
  }

  /** Ids that are held; some may be too old to count. */
  get size(): number {
    return this.places.size;
  }

  setWindow(windowNs: number): void {
    this.windowMs = windowNs / 1e6;
  }

  /** 0: the id is new, or too old to count. */
  find(id: string, nowNs: bigint): number {
    return this.findAt(id, Number(nowNs) / 1e6);
  }

  findAt(id: string, nowMs: number): number {
    const place = this.places.get(id);
    if (place === undefined) return 0;
    const i = place - this.base;
    return nowMs - this.timesMs[i]! > this.windowMs ? 0 : this.sequences[i]!;
  }

  note(id: string, sequence: number, timeNs: bigint): void {
    this.noteAt(id, sequence, Number(timeNs) / 1e6);
  }

  noteAt(id: string, sequence: number, timeMs: number): void {
    if (this.windowMs === 0) return;
    this.places.set(id, this.base + this.ids.length);
    this.ids.push(id);
    this.sequences.push(sequence);
    this.timesMs.push(timeMs);
    this.expire(timeMs);
  }

  private expire(nowMs: number): void {
    const { ids, timesMs, places, base } = this;
    const start = this.first - base;
    const end = Math.min(ids.length, start + EXPIRED_AT_ONCE);
    for (let i = start; i < end && nowMs - timesMs[i]! > this.windowMs; i++) {
      if (places.get(ids[i]!) === base + i) places.delete(ids[i]!);
      ids[i] = "";
      this.first = base + i + 1;
    }
    const gone = this.first - base;
    if (gone < GONE_MAX || gone * 2 < ids.length) return;
    this.ids = ids.slice(gone);
    this.sequences = this.sequences.slice(gone);
    this.timesMs = timesMs.slice(gone);
    this.base = this.first;
  }
}

/** Ids of messages that were stored since are known again. Returns that of the last message; null: it has none, or is older. */
export function recallIds(store: StreamStore, fromNs: bigint, duplicates: Duplicates): string | null {
  let lastId: string | null = null;
  for (let at = store.next(store.atTime(fromNs), null); at !== 0; at = store.next(at + 1, null)) {
    const view = store.read(at);
    if (view === null || view.headerLength === 0) continue;
    const id = MessageHeaders.of(view.body, view.headerLength).get("Nats-Msg-Id");
    if (id !== null && id !== "") duplicates.note(id, at, view.timeNs);
    if (at === store.last) lastId = id;
  }
  return lastId;
}
