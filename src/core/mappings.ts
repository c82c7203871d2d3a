/**
 * The mappings of one account: the subject under which a client's message continues. The first mapping whose source covers the
 * subject counts; one destination of it is chosen for each message.
 *
 * What mappings make of a subject is remembered by the subject's bytes, as plans are: a table of 4 * 2048 subjects, whose
 * bytes and those of their destinations lie in up to 16 chunks of the slab. When these are full, all is forgotten.
 */
import { hashBytes, sameBytes } from "../slab/hash.ts";
import { randomInt, type Random } from "../base/random.ts";
import { CHUNK_SIZE, releaseChunk, takeChunk } from "../slab/chunks.ts";
import { AREA, LINE_MAX } from "../slab/layout.ts";
import { readText, writeText } from "../slab/memory.ts";
import type { Mapping } from "../subject/mapping.ts";
import type { Transform } from "../subject/transform.ts";

const WAYS = 4;
const SETS = 2048;
const CHUNKS_MAX = 16;
/** A subject that takes more bytes with its destinations is worked out each time. */
const KEPT_MAX = 4096;
/** Words of eight bytes may be read past the end of a text. */
const SLACK = 8;

/** Where a subject lies in the slab. Valid until the next call of `map`. */
export interface MappedSubject {
  readonly at: number;
  readonly length: number;
  readonly hash: number;
}

interface Choice {
  readonly below: number;
  /** null: it differs from message to message, `transform` makes it of `tokens`. */
  readonly text: string | null;
  readonly transform: Transform;
  readonly tokens: readonly string[];
  /** Where `text` lies, or null. */
  place: MappedSubject | null;
}

interface Known extends MappedSubject {
  /** null: no mapping covers it. */
  readonly choices: readonly Choice[] | null;
}

/** A message that no destination is left for: nobody gets it. */
const LOST: MappedSubject = { at: AREA.mapped.at, length: 0, hash: hashBytes(AREA.mapped.at, 0) };

export class Mappings implements Disposable {
  readonly list: readonly Mapping[];
  private readonly random: Random;
  private cluster: string;
  private readonly table: (Known | null)[] = new Array<Known | null>(SETS * WAYS).fill(null);
  private turn = 0;
  private readonly chunks: number[] = [];
  private roomAt = 0;
  private roomEnd = 0;

  constructor(list: readonly Mapping[], cluster: string, random: Random) {
    this.list = list;
    this.cluster = cluster;
    this.random = random;
  }

  /** Gives back all memory of the slab. */
  [Symbol.dispose](): void {
    this.forgetAll();
  }

  /** Which destinations count depends on the name of the cluster. */
  setCluster(name: string): void {
    if (name === this.cluster) return;
    this.cluster = name;
    this.forgetAll();
  }

  /** The subject under which a message continues, for the one that lies in the slab (`hashBytes`); null: no mapping covers it. */
  map(at: number, length: number, hash: number): MappedSubject | null {
    const { choices } = this.lookUp(at, length, hash);
    if (choices === null) return null;
    const first = choices[0];
    if (first !== undefined && first.below === 100) return this.take(first);
    const roll = randomInt(this.random, 100);
    for (let i = 0; i < choices.length; i++) if (roll < choices[i]!.below) return this.take(choices[i]!);
    return LOST;
  }

  private lookUp(at: number, length: number, hash: number): Known {
    const { table } = this;
    const set = (hash & (SETS - 1)) * WAYS;
    for (let slot = set; slot < set + WAYS; slot++) {
      const known = table[slot]!;
      if (known === null) return this.learn(slot, at, length, hash);
      if (known.hash === hash && known.length === length && sameBytes(known.at, at, length)) return known;
    }
    return this.learn(set + (this.turn++ & (WAYS - 1)), at, length, hash);
  }

  private learn(slot: number, at: number, length: number, hash: number): Known {
    const subject = readText(at, length);
    const choices = this.choicesFor(subject);
    const size = sizeOf(subject) + (choices ?? []).reduce((sum, { text }) => sum + sizeOf(text), 0);
    if (!this.hasRoom(size)) return { at, length, hash, choices };
    const known = { ...this.keep(subject), choices };
    for (const choice of choices ?? []) choice.place = choice.text === null ? null : this.keep(choice.text);
    this.table[slot] = known;
    return known;
  }

  private choicesFor(subject: string): Choice[] | null {
    const tokens = subject.split(".");
    const mapping = this.list.find((each) => each.covers(tokens));
    if (mapping === undefined) return null;
    const own = mapping.tokensFor(tokens);
    return mapping.destinationsIn(this.cluster).map(({ transform, below }) => ({
      below,
      text: transform.isRandom ? null : transform.apply(own, this.random),
      transform,
      tokens: own,
      place: null,
    }));
  }

  /** A subject longer than any line reaches nobody. */
  private take(choice: Choice): MappedSubject {
    if (choice.place !== null) return choice.place;
    const text = choice.text ?? choice.transform.apply(choice.tokens, this.random);
    return text.length > LINE_MAX ? LOST : placed(text, AREA.mapped.at);
  }

  private hasRoom(size: number): boolean {
    if (size > KEPT_MAX) return false;
    if (this.roomAt + size <= this.roomEnd) return true;
    if (this.chunks.length === CHUNKS_MAX) this.forgetAll();
    const chunk = takeChunk();
    if (chunk === 0) return false;
    this.chunks.push(chunk);
    this.roomAt = chunk;
    this.roomEnd = chunk + CHUNK_SIZE;
    return true;
  }

  private keep(text: string): MappedSubject {
    const at = this.roomAt;
    this.roomAt += sizeOf(text);
    return placed(text, at);
  }

  private forgetAll(): void {
    this.table.fill(null);
    for (const chunk of this.chunks) releaseChunk(chunk);
    this.chunks.length = 0;
    this.roomAt = this.roomEnd = 0;
  }
}

function sizeOf(text: string | null): number {
  return text === null ? 0 : text.length + SLACK;
}

function placed(text: string, at: number): MappedSubject {
  writeText(at, text);
  return { at, length: text.length, hash: hashBytes(at, text.length) };
}
