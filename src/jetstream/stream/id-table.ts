/**
 * A hash table of ids, each of which is two hashes of 32 bits and a place in a list that its owner keeps: no text of an id is held. Two ids
 * of a million share both hashes once in ten million such lists.
 *
 * It grows in steps, some slots with each id that comes, so that no turn pays for all of it.
 */
import { assert } from "../../base/assert.ts";

const SLOTS_START = 64;
/** Slots that move to another table with each id that comes. */
const MOVED_PER_STEP = 64;
/** Values of slots: the place of an id, by this number, and FIRST. */
const PLACES = 2 ** 31;
const FREE = 0;
const GONE = 1;
const FIRST = 2;

/** The hashes of the id at a place. */
export interface IdHashes {
  firstAt(place: number): number;
  secondAt(place: number): number;
}

class Slots {
  readonly words: Uint32Array;
  readonly mask: number;

  constructor(size: number) {
    this.words = new Uint32Array(size);
    this.mask = size - 1;
  }
}

export class IdTable {
  /** Ids. */
  size = 0;
  /** No place lies below it. */
  base = 0;
  private slots = new Slots(SLOTS_START);
  /** Slots that have not moved to `slots` yet; null: none. */
  private old: Slots | null = null;
  private moved = 0;
  private readonly hashes: IdHashes;

  constructor(hashes: IdHashes) {
    this.hashes = hashes;
  }

  /** The place of an id; -1: it is not here. */
  find(first: number, second: number): number {
    const at = this.slotOf(this.slots, first, second);
    if (at >= 0) return this.placeIn(this.slots.words[at]!);
    if (this.old === null) return -1;
    const before = this.slotOf(this.old, first, second);
    return before < 0 ? -1 : this.placeIn(this.old.words[before]!);
  }

  /** The id has this place from here on. Its hashes can be asked for. */
  set(first: number, second: number, place: number): void {
    this.move();
    const at = this.slotOf(this.slots, first, second);
    if (at >= 0) {
      this.slots.words[at] = FIRST + (place % PLACES);
      return;
    }
    const before = this.old === null ? -1 : this.slotOf(this.old, first, second);
    if (before >= 0) this.old!.words[before] = GONE;
    else this.size++;
    this.put(first, place);
    this.fit();
  }

  /** The id is gone, unless it has another place now. */
  remove(first: number, place: number): void {
    const value = FIRST + (place % PLACES);
    const { slots, old } = this;
    const at = slotWith(slots, first, value);
    if (at >= 0) this.close(at);
    const before = at >= 0 || old === null ? -1 : slotWith(old, first, value);
    if (before >= 0) old!.words[before] = GONE;
    if (at < 0 && before < 0) return;
    this.size--;
    assert(this.size >= 0, "an id is removed once");
    if (this.size > 0) return;
    this.slots = new Slots(SLOTS_START);
    this.old = null;
  }

  private placeIn(value: number): number {
    const place = value - FIRST;
    return this.base + ((place - (this.base % PLACES) + PLACES) % PLACES);
  }

  private slotOf({ words, mask }: Slots, first: number, second: number): number {
    const { hashes } = this;
    for (let at = first & mask; words[at] !== FREE; at = (at + 1) & mask) {
      if (words[at] === GONE) continue;
      const place = this.placeIn(words[at]!);
      if (hashes.firstAt(place) === first && hashes.secondAt(place) === second) return at;
    }
    return -1;
  }

  private put(first: number, place: number): void {
    const { words, mask } = this.slots;
    let at = first & mask;
    while (words[at] !== FREE) at = (at + 1) & mask;
    words[at] = FIRST + (place % PLACES);
  }

  /** Frees a slot: those behind it that would not be found any more move up. */
  private close(slot: number): void {
    const { words, mask } = this.slots;
    let free = slot;
    for (let at = (slot + 1) & mask; words[at] !== FREE; at = (at + 1) & mask) {
      const home = this.hashes.firstAt(this.placeIn(words[at]!)) & mask;
      if (((at - home) & mask) < ((at - free) & mask)) continue;
      words[free] = words[at]!;
      free = at;
    }
    words[free] = FREE;
  }

  private fit(): void {
    const size = this.slots.mask + 1;
    if (this.old !== null || (this.size * 4 < size * 3 && (this.size * 16 > size || size === SLOTS_START)))
      return;
    let next = SLOTS_START;
    while (next < this.size * 2) next *= 2;
    this.old = this.slots;
    this.moved = 0;
    this.slots = new Slots(next);
  }

  private move(): void {
    const { old } = this;
    if (old === null) return;
    const end = Math.min(old.mask + 1, this.moved + MOVED_PER_STEP);
    for (let at = this.moved; at < end; at++) {
      const value = old.words[at]!;
      if (value === FREE || value === GONE) continue;
      const place = this.placeIn(value);
      this.put(this.hashes.firstAt(place), place);
      old.words[at] = GONE;
    }
    this.moved = end;
    if (end === old.mask + 1) this.old = null;
  }
}

/** -1: there is none. */
function slotWith({ words, mask }: Slots, first: number, value: number): number {
  for (let at = first & mask; words[at] !== FREE; at = (at + 1) & mask) if (words[at] === value) return at;
  return -1;
}
