/**
 * The disk of one simulated member: what is durable, and writes that are on their way. A crash loses writes that are not done, or half
 * of one; damage takes what was durable.
 */
import { randomInt, type Random } from "../../../src/base/random.ts";
import { indexOf, type AppendEntry } from "../../../src/raft/messages.ts";
import type { Restored } from "../../../src/raft/node.ts";
import type { HardState, Ready, RaftSnapshot } from "../../../src/raft/state.ts";
import { decodeAppend, encodeAppend } from "../../../src/raft/wire.ts";
import { Snapshots, type StoredSnapshot } from "./snapshots.ts";

export class MemberDisk {
  hard: HardState | undefined;
  snapshot: StoredSnapshot | undefined;
  /** Bytes by index, without a gap behind the snapshot. */
  log = new Map<number, Uint8Array>();
  /** Entries that were durable are gone. */
  isDamaged = false;

  get lastIndex(): number {
    return (this.snapshot?.index ?? 0) + this.log.size;
  }

  /** Each part of what a step wants durable, in order: a crash may come between any two. */
  *parts(ready: Ready): Generator<() => void> {
    const { save, cutAfter, snapshot } = ready;
    if (save !== undefined) yield () => this.save(save);
    if (cutAfter >= 0) yield () => this.cutAfter(cutAfter);
    if (snapshot !== undefined) yield () => this.install(snapshot);
    for (const entry of ready.append) {
      const bytes = encodeAppend(entry);
      yield () => this.log.set(indexOf(entry), bytes);
    }
  }

  compact(snapshot: StoredSnapshot): void {
    for (let index = (this.snapshot?.index ?? 0) + 1; index <= snapshot.index; index++)
      this.log.delete(index);
    this.snapshot = snapshot;
  }

  restore(): Restored {
    const { hard, snapshot, isDamaged } = this;
    return { hard, snapshot, entries: this.entries(), isDamaged };
  }

  read(fromIndex: number, bytesMax: number): AppendEntry[] {
    const entries: AppendEntry[] = [];
    for (let index = fromIndex, left = bytesMax; left > 0; index++) {
      const bytes = this.log.get(index);
      if (bytes === undefined) break;
      entries.push(decodeAppend(bytes)!);
      left -= bytes.length;
    }
    return entries;
  }

  /** Takes the end of the log, or all; the term and the vote with it, or not. */
  damage(random: Random): void {
    const keeps = randomInt(random, 4) === 0 ? 0 : randomInt(random, this.log.size + 1);
    this.log = new Map([...this.log].slice(0, keeps));
    this.isDamaged = true;
    if (randomInt(random, 3) > 0) return;
    this.hard = undefined;
    if (randomInt(random, 2) > 0) return;
    this.log.clear();
    this.snapshot = undefined;
  }

  private *entries(): Generator<AppendEntry> {
    for (const bytes of this.log.values()) yield decodeAppend(bytes)!;
  }

  /** Damage is seen at each start until it is on record. */
  private save(hard: HardState): void {
    this.hard = hard;
    if (hard.loss !== "none") this.isDamaged = false;
  }

  private cutAfter(index: number): void {
    for (let each = index + 1, last = this.lastIndex; each <= last; each++) this.log.delete(each);
  }

  private install(snapshot: RaftSnapshot): void {
    this.log.clear();
    this.snapshot = { ...snapshot, operations: Snapshots.decode(snapshot.data) };
  }
}
