/** The rows of a block by the hashes of their subjects: how many there are of each, and where the first and the last lie. */
import type { Block } from "./block.ts";
import { ROW_WORDS, type BlockRows } from "./block-rows.ts";
import type { SubjectTable } from "./subject-table.ts";

const SLOTS_MIN = 16;
const HAS_HEADERS = 0x8000_0000;

export class RowGroups {
  readonly hashes: Uint32Array;
  private readonly counts: Uint32Array;
  /** Sequences, less the base. */
  private readonly firsts: Uint32Array;
  private readonly lasts: Uint32Array;
  /** Groups, and rows. */
  size = 0;
  private rows = 0;
  /** Bytes of all records, and how many of them have headers. */
  bytes = 0;
  headed = 0;
  private readonly slots: Uint32Array;
  private readonly base: number;

  private constructor(base: number, most: number) {
    this.base = base;
    let size = SLOTS_MIN;
    while (size < 2 * most) size *= 2;
    this.slots = new Uint32Array(size);
    this.hashes = new Uint32Array(most);
    this.counts = new Uint32Array(most);
    this.firsts = new Uint32Array(most);
    this.lasts = new Uint32Array(most);
  }

  /** null: there are more than `most` groups. */
  static of({ words, count, base }: BlockRows, most: number): RowGroups | null {
    const groups = new RowGroups(base, most);
    const { counts, lasts } = groups;
    groups.rows = count;
    for (let row = 0; row < count; row++) {
      const at = row * ROW_WORDS;
      const place = words[at]!;
      const group = groups.find(words[at + 3]!, place);
      if (group < 0) return null;
      counts[group]!++;
      lasts[group] = place;
      const length = words[at + 2]!;
      groups.bytes += length & ~HAS_HEADERS;
      if (length >= HAS_HEADERS) groups.headed++;
    }
    return groups;
  }

  /** The messages come behind those that the subjects have. `numbers`: of the subject of each group. */
  addTo(subjects: SubjectTable, numbers: Uint32Array, block: Block): void {
    const { base, firsts, lasts, counts } = this;
    for (let i = 0; i < this.size; i++)
      subjects.addSome(numbers[i]!, base + firsts[i]!, base + lasts[i]!, counts[i]!);
    block.live += this.rows;
    block.liveBytes += this.bytes;
    block.headed += this.headed;
  }

  /** The group of the hash, which begins at this place if it is new; below 0: there is no room for it. */
  private find(hash: number, place: number): number {
    const { slots, hashes } = this;
    const mask = slots.length - 1;
    let slot = (hash ^ (hash >>> 16)) & mask;
    for (; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const group = slots[slot]! - 1;
      if (hashes[group] === hash) return group;
    }
    if (this.size === hashes.length) return -1;
    hashes[this.size] = hash;
    this.firsts[this.size] = place;
    slots[slot] = ++this.size;
    return this.size - 1;
  }
}
