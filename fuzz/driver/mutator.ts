/**
 * Makes inputs for a fuzz target: seeds that were damaged in one to eight places, now and then a sentence of words from
 * the dictionary. The same random sequence gives the same inputs. No allocation per input: all work happens in one
 * buffer of `lengthMax` bytes.
 */
import { randomInt, type Random } from "../../src/base/random.ts";

const EDITS_MAX = 8;
const SENTENCE_WORDS_MAX = 24;
const TELLING_BYTES = [0, 9, 10, 13, 32, 34, 42, 46, 48, 57, 62, 92, 123, 125, 127, 128, 255];
const TELLING_NUMBERS = [
  "0",
  "-1",
  "1",
  "64",
  "65536",
  "1048577",
  "2147483648",
  "99999999999999999999",
  "1e9",
  "0x10",
];

export class Mutator {
  private readonly random: Random;
  private readonly seeds: readonly Uint8Array[];
  private readonly words: readonly Uint8Array[];
  private readonly bytes: Uint8Array;
  private length = 0;

  constructor(
    random: Random,
    seeds: readonly Uint8Array[],
    dictionary: readonly Uint8Array[],
    lengthMax: number,
  ) {
    this.random = random;
    this.seeds = seeds.length > 0 ? seeds : [new Uint8Array(0)];
    this.words = [...dictionary, ...TELLING_NUMBERS.map((text) => Buffer.from(text))];
    this.bytes = new Uint8Array(lengthMax);
  }

  /** Valid until the next call. */
  next(): Uint8Array {
    this.length = 0;
    if (this.below(8) === 0) this.writeSentence();
    else this.insert(0, this.pick(this.seeds));
    for (let edits = 1 + this.below(EDITS_MAX); edits > 0; edits--) this.edit();
    return this.bytes.subarray(0, this.length);
  }

  private writeSentence(): void {
    for (let words = 1 + this.below(SENTENCE_WORDS_MAX); words > 0; words--) {
      this.insert(this.length, this.pick(this.words));
    }
  }

  private edit(): void {
    const at = this.below(this.length + 1);
    switch (this.below(8)) {
      case 0:
        return this.overwrite(at, (this.bytes[at] ?? 0) ^ (1 << this.below(8)));
      case 1:
        return this.overwrite(at, this.pick(TELLING_BYTES));
      case 2:
        return this.overwrite(at, this.below(256));
      case 3:
        return this.insert(at, this.pick(this.words));
      case 4:
        return this.remove(at, 1 + this.below(16));
      case 5:
        return this.repeat(at, 1 + this.below(64));
      case 6:
        return this.splice(at);
      default:
        this.length = this.below(4) === 0 ? at : this.length;
    }
  }

  private overwrite(at: number, byte: number): void {
    if (at < this.length) this.bytes[at] = byte;
  }

  private remove(at: number, count: number): void {
    const end = Math.min(this.length, at + count);
    this.bytes.copyWithin(at, end, this.length);
    this.length -= end - at;
  }

  private repeat(at: number, count: number): void {
    this.insert(at, this.bytes.slice(at, Math.min(this.length, at + count)));
  }

  /** The rest is that of another seed. */
  private splice(at: number): void {
    const other = this.pick(this.seeds);
    this.length = at;
    this.insert(at, other.subarray(this.below(other.length + 1)));
  }

  /** What does not fit falls off the end. */
  private insert(at: number, piece: Uint8Array): void {
    const fits = Math.min(piece.length, this.bytes.length - at);
    this.bytes.copyWithin(at + fits, at, this.length);
    this.bytes.set(piece.subarray(0, fits), at);
    this.length = Math.min(this.bytes.length, this.length + fits);
  }

  private pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  private below(limit: number): number {
    return randomInt(this.random, limit);
  }
}
