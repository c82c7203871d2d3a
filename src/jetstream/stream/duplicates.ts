/**
 * Message ids of the duplicate window: which sequence each was stored at. Ids older than the window are dropped when the next one
 * is noted. Bounded by what is published within the window.
 */
import type { StreamStore } from "../../store/stream-store.ts";
import { MessageHeaders } from "../headers.ts";

export class Duplicates {
  private readonly sequences = new Map<string, { sequence: number; timeNs: bigint }>();
  private windowNs: bigint;

  constructor(windowNs: number) {
    this.windowNs = BigInt(windowNs);
  }

  setWindow(windowNs: number): void {
    this.windowNs = BigInt(windowNs);
  }

  /** 0: the id is new, or too old to count. */
  find(id: string, nowNs: bigint): number {
    const known = this.sequences.get(id);
    return known === undefined || nowNs - known.timeNs > this.windowNs ? 0 : known.sequence;
  }

  note(id: string, sequence: number, timeNs: bigint): void {
    if (this.windowNs === 0n) return;
    this.sequences.delete(id); // so that the map stays in order of time
    this.sequences.set(id, { sequence, timeNs });
    this.expire(timeNs);
  }

  private expire(nowNs: bigint): void {
    for (const [id, { timeNs }] of this.sequences) {
      if (nowNs - timeNs <= this.windowNs) return;
      this.sequences.delete(id);
    }
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
