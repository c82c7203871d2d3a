/**
 * The subjects of a stream's messages: how many each has, its first and its last. A subject has a number while it has messages.
 *
 * They are found by a hash of 32 bits, which the indexes of blocks keep for each message instead of a name. Two subjects may share a
 * hash: `numberOfHash` says so, and then the record itself has the name. The table grows in steps, a few slots with each subject that comes,
 * so that no turn pays for all of it.
 *
 * The first and the last message of a subject are looked for when they are asked for: until then a bound is known (`isFirstExact`).
 */
import { assert } from "../base/assert.ts";
import { SubjectFilter } from "./subject-filter.ts";

/** Filters whose results are remembered. */
const FILTERS_MAX = 64;
const SLOTS_START = 64;
const NUMBERS_START = 32;
/** Numbers of a chunk. */
const CHUNK_BITS = 13;
const CHUNK_MASK = (1 << CHUNK_BITS) - 1;
/** Value of a slot whose subject is gone. */
const GONE = 0xffff_ffff;
/** Slots that move to a larger table with each subject that comes. */
const MOVED_PER_STEP = 64;
/** `numberOfHash`: several subjects have it. */
export const AMBIGUOUS = -1;

/** Pairs of hash and number; number 0: free. Its size is a power of two. */
class Slots {
  readonly words: Uint32Array;
  readonly mask: number;
  /** Slots that are not free. */
  used = 0;

  constructor(size: number) {
    this.words = new Uint32Array(2 * size);
    this.mask = size - 1;
  }

  put(hash: number, number: number): void {
    const { words, mask } = this;
    let at = hash & mask;
    while (words[2 * at + 1] !== 0) at = (at + 1) & mask;
    words[2 * at] = hash;
    words[2 * at + 1] = number;
    this.used++;
  }

  /** False: it is not here. */
  remove(hash: number, number: number): boolean {
    const { words, mask } = this;
    for (let at = hash & mask; words[2 * at + 1] !== 0; at = (at + 1) & mask) {
      if (words[2 * at + 1] !== number) continue;
      words[2 * at + 1] = GONE;
      return true;
    }
    return false;
  }
}

/** A value for each number, in chunks: it grows without being copied. */
class Column {
  private readonly make: (size: number) => Uint32Array | Float64Array;
  private chunks: (Uint32Array | Float64Array)[];

  constructor(make: (size: number) => Uint32Array | Float64Array) {
    this.make = make;
    this.chunks = [make(NUMBERS_START)];
  }

  /** 0: it has none. */
  get(number: number): number {
    return this.chunks[number >>> CHUNK_BITS]?.[number & CHUNK_MASK] ?? 0;
  }

  set(number: number, value: number): void {
    const chunk = this.chunks[number >>> CHUNK_BITS];
    if (chunk !== undefined && (number & CHUNK_MASK) < chunk.length) chunk[number & CHUNK_MASK] = value;
    else this.grow(number, value);
  }

  clear(): void {
    this.chunks = [this.make(NUMBERS_START)];
  }

  /** The first chunk begins small; the others are whole ones. */
  private grow(number: number, value: number): void {
    const at = number >>> CHUNK_BITS;
    const size = at > 0 ? CHUNK_MASK + 1 : Math.max(2 * this.chunks[0]!.length, NUMBERS_START);
    const larger = this.make(Math.min(size, CHUNK_MASK + 1));
    if (at < this.chunks.length) larger.set(this.chunks[at]!);
    this.chunks[at] = larger;
    assert((number & CHUNK_MASK) < larger.length, "numbers are given one after the other");
    larger[number & CHUNK_MASK] = value;
  }
}

export class SubjectTable {
  /** Subjects. */
  size = 0;
  /** Seed of the hashes; it changes only while there are no subjects. */
  seed = 0;
  private slots = new Slots(SLOTS_START);
  /** Slots that have not moved to `slots` yet; null: none. */
  private old: Slots | null = null;
  private moved = 0;
  private readonly names: string[] = [""];
  private readonly free: number[] = [];
  private readonly hashes = new Column((size) => new Uint32Array(size));
  /** Below 0: what is known is a bound. */
  private readonly firsts = new Column((size) => new Float64Array(size));
  private readonly lasts = new Column((size) => new Float64Array(size));
  private readonly counts = new Column((size) => new Uint32Array(size));
  private readonly filters = new Map<string, SubjectFilter>();
  private lastAdded = 0;

  /** Numbers are below it. */
  get numbersEnd(): number {
    return this.names.length;
  }

  hashOf(subject: string): number {
    return hashSubject(subject, this.seed);
  }

  /** 0: it has no messages. */
  numberOf(subject: string): number {
    if (this.names[this.lastAdded] === subject) return this.lastAdded;
    return this.lookUp(subject, this.hashOf(subject));
  }

  /** 0: no subject has it; AMBIGUOUS: several have. */
  numberOfHash(hash: number): number {
    const found = this.probe(this.slots, hash, 0);
    return this.old === null || found === AMBIGUOUS ? found : this.probe(this.old, hash, found);
  }

  hashOfNumber(number: number): number {
    return this.hashes.get(number);
  }

  nameOf(number: number): string {
    return this.names[number] ?? "";
  }

  countOf(number: number): number {
    return this.counts.get(number);
  }

  /** The first message of the subject, or a sequence that it does not lie before: see `isFirstExact`. */
  firstOf(number: number): number {
    return Math.abs(this.firsts.get(number));
  }

  isFirstExact(number: number): boolean {
    return this.firsts.get(number) >= 0;
  }

  /** The last message of the subject, or a sequence that it does not lie behind: see `isLastExact`. */
  lastOf(number: number): number {
    return Math.abs(this.lasts.get(number));
  }

  isLastExact(number: number): boolean {
    return this.lasts.get(number) >= 0;
  }

  /** A message comes behind all others. Returns the subject's number. */
  add(subject: string, sequence: number): number {
    const known = this.numberOf(subject);
    return this.addNumber(known === 0 ? this.ensure(subject) : known, sequence);
  }

  /** The same of a subject that lies in memory: no text is made of one that is known. */
  addFrom(memory: Buffer, at: number, length: number, sequence: number): number {
    const known = this.lookUpFrom(memory, at, length);
    const number = known === 0 ? this.ensure(memory.toString("latin1", at, at + length)) : known;
    return this.addNumber(number, sequence);
  }

  private addNumber(number: number, sequence: number): number {
    if (this.counts.get(number) === 0) this.firsts.set(number, sequence);
    this.lastAdded = number;
    this.lasts.set(number, sequence);
    this.counts.set(number, this.counts.get(number) + 1);
    return number;
  }

  /** The same for a subject that is known, and may have no messages yet. */
  addTo(number: number, sequence: number): void {
    if (this.counts.get(number) === 0) this.firsts.set(number, sequence);
    this.lasts.set(number, sequence);
    this.counts.set(number, this.counts.get(number) + 1);
  }

  /** The same for some messages of the subject, of which these are the first and the last. */
  addSome(number: number, first: number, last: number, count: number): void {
    assert(count > 0 && first <= last, "some messages have a first and a last one");
    if (this.counts.get(number) === 0) this.firsts.set(number, first);
    this.lasts.set(number, last);
    this.counts.set(number, this.counts.get(number) + count);
  }

  /** The subject's number. It may have no messages yet: `drop` it if none come. */
  ensure(subject: string): number {
    const hash = this.hashOf(subject);
    const known = this.lookUp(subject, hash);
    if (known !== 0) return known;
    const number = this.free.pop() ?? this.names.length;
    this.makeRoom();
    this.slots.put(hash, number);
    this.names[number] = subject;
    this.hashes.set(number, hash);
    this.counts.set(number, 0);
    this.size++;
    for (const filter of this.filters.values()) filter.forget(number);
    return number;
  }

  /** The message of this sequence has gone, and was not the last one that the subject had. */
  remove(number: number, sequence: number): void {
    assert(this.countOf(number) > 1, "the last message of a subject goes by drop");
    this.counts.set(number, this.counts.get(number) - 1);
    if (this.firstOf(number) === sequence) this.firsts.set(number, -(sequence + 1));
    if (this.lastOf(number) === sequence) this.lasts.set(number, -(sequence - 1));
    if (this.counts.get(number) !== 1) return;
    // the one that is left is its first and its last
    if (this.isLastExact(number)) this.firsts.set(number, this.lasts.get(number));
    else if (this.isFirstExact(number)) this.lasts.set(number, this.firsts.get(number));
  }

  setFirst(number: number, sequence: number): void {
    this.firsts.set(number, sequence);
  }

  setLast(number: number, sequence: number): void {
    this.lasts.set(number, sequence);
  }

  /** The subject has no messages any more. */
  drop(number: number): void {
    const hash = this.hashes.get(number);
    const isHere = this.slots.remove(hash, number) || this.old?.remove(hash, number) === true;
    assert(isHere, "a subject is dropped once");
    this.names[number] = "";
    this.counts.set(number, 0);
    this.free.push(number);
    this.size--;
  }

  clear(): void {
    this.slots = new Slots(SLOTS_START);
    this.old = null;
    this.names.length = 1;
    this.free.length = this.size = this.lastAdded = 0;
    for (const column of [this.hashes, this.firsts, this.lasts, this.counts]) column.clear();
    this.filters.clear();
  }

  /** What the patterns cover. Holds until the next call but one of `clear`. */
  filterOf(patterns: readonly string[]): SubjectFilter {
    const key = patterns.join(" ");
    let filter = this.filters.get(key);
    if (filter === undefined) {
      filter = new SubjectFilter(patterns, this);
      if (this.filters.size >= FILTERS_MAX) this.filters.clear();
      this.filters.set(key, filter);
    }
    return filter;
  }

  private lookUp(subject: string, hash: number): number {
    const { names } = this;
    for (const slots of [this.slots, this.old]) {
      if (slots === null) break;
      const { words, mask } = slots;
      for (let at = hash & mask; words[2 * at + 1] !== 0; at = (at + 1) & mask) {
        const number = words[2 * at + 1]!;
        if (words[2 * at] === hash && number !== GONE && names[number] === subject) return number;
      }
    }
    return 0;
  }

  private lookUpFrom(memory: Buffer, from: number, length: number): number {
    const { names } = this;
    const hash = hashBytes(memory, from, length, this.seed);
    for (
      let slots: Slots | null = this.slots;
      slots !== null;
      slots = slots === this.slots ? this.old : null
    ) {
      const { words, mask } = slots;
      for (let at = hash & mask; words[2 * at + 1] !== 0; at = (at + 1) & mask) {
        const number = words[2 * at + 1]!;
        if (words[2 * at] === hash && number !== GONE && isText(names[number]!, memory, from, length))
          return number;
      }
    }
    return 0;
  }

  private probe(slots: Slots, hash: number, before: number): number {
    const { words, mask } = slots;
    let found = before;
    for (let at = hash & mask; words[2 * at + 1] !== 0; at = (at + 1) & mask) {
      const number = words[2 * at + 1]!;
      if (words[2 * at] !== hash || number === GONE) continue;
      if (found !== 0) return AMBIGUOUS;
      found = number;
    }
    return found;
  }

  /** Moves some slots on, or begins to where more than half are taken. */
  private makeRoom(): void {
    const { slots, old } = this;
    if (old === null) {
      if (2 * slots.used < slots.mask + 1) return;
      this.old = slots;
      this.moved = 0;
      this.slots = new Slots(this.size * 2 < slots.mask ? slots.mask + 1 : 2 * (slots.mask + 1));
      return;
    }
    const end = Math.min(old.mask + 1, this.moved + MOVED_PER_STEP);
    for (let at = this.moved; at < end; at++) {
      const number = old.words[2 * at + 1]!;
      if (number === 0 || number === GONE) continue;
      slots.put(old.words[2 * at]!, number);
      old.words[2 * at + 1] = GONE;
    }
    this.moved = end;
    if (end === old.mask + 1) this.old = null;
  }
}

/** Of 32 bits. The seed keeps clients from choosing subjects that share one. */
export function hashSubject(subject: string, seed: number): number {
  let hash = seed ^ subject.length;
  for (let i = 0; i < subject.length; i++) {
    hash = Math.imul(hash ^ subject.charCodeAt(i), 0x5bd1e995);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 13), 0x5bd1e995);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** The same of a subject that lies in memory. */
function hashBytes(memory: Buffer, from: number, length: number, seed: number): number {
  let hash = seed ^ length;
  for (let i = from; i < from + length; i++) {
    hash = Math.imul(hash ^ memory[i]!, 0x5bd1e995);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 13), 0x5bd1e995);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function isText(text: string, memory: Buffer, from: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== memory[from + i]) return false;
  return true;
}
