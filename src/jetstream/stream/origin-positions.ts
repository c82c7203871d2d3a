/**
 * How far a stream has taken messages from each of its sources. Each message that came from one says so in its header
 * `Nats-Stream-Source`, so that a position is as durable as the message, and a restart finds both or none of them:
 *
 *     <stream>[:<hash of the api prefix>] <sequence> <filters> <destinations> <subject there> [<identity of that stream>]
 *
 * Records of messages that are gone leave the disk in time: the positions are written to a file before (`save`), with the last
 * sequence of the stream then. Where damage has taken messages of the stream, those of a source may be among them: it is read again from
 * there, and what is still here is passed over. Bounded by the sources that the stream has had, and by places of damage.
 */
import { crc32 } from "node:zlib";
import type { Disk } from "../../store/disk.ts";
import { Ranges } from "../../store/ranges.ts";
import { MessageHeaders } from "../headers.ts";

export const SOURCE_HEADER = "Nats-Stream-Source";

export interface OriginPosition {
  /** Everything up to here was taken; 0: nothing was. */
  readonly sequence: number;
  /** Tells apart streams of the same name that were made at different times; "": not known. */
  readonly identity: string;
}

interface SavedPosition extends OriginPosition {
  /** Taken beyond a gap that damage has left: both ends are included. */
  readonly beyond: readonly (readonly [from: number, to: number])[];
}

interface Saved {
  /** Messages up to this sequence are counted. */
  readonly through: number;
  readonly positions: readonly (readonly [key: string, SavedPosition])[];
}

/** A message as it was stored. */
interface Noted {
  readonly sequence: number;
  readonly headerLength: number;
  readonly body: Uint8Array;
}

interface SavedStore {
  readonly last: number;
  syncNow(): void;
}

/** Messages that are stored between checkpoints. */
const CHECKPOINT_MESSAGES = 10_000;
const NOWHERE: OriginPosition = { sequence: 0, identity: "" };
const MARK = Buffer.from(`\r\n${SOURCE_HEADER}:`, "latin1");

/** How far one source has come. */
class SourcePosition {
  sequence: number;
  readonly identity: string;
  readonly beyond = new Ranges();
  /** The message that was noted last, and how much damage there was before it. */
  private last: number;
  private damage: number;

  constructor({ sequence, identity }: OriginPosition, damage: number) {
    this.sequence = this.last = sequence;
    this.identity = identity;
    this.damage = damage;
  }

  /** Messages come in the order of their sequences there. Begins again behind `sequence` after a restart. */
  note(sequence: number, damage: number): void {
    const from = damage !== this.damage ? sequence : sequence > this.last ? this.last + 1 : this.sequence + 1;
    this.last = sequence;
    this.damage = damage;
    this.cover(from, sequence);
  }

  cover(from: number, to: number): void {
    const { beyond } = this;
    if (from <= this.sequence + 1) this.sequence = Math.max(this.sequence, to);
    else beyond.add(from, to);
    while (beyond.lowest <= this.sequence + 1) {
      const [first] = beyond;
      this.sequence = Math.max(this.sequence, first!.to);
      beyond.removeBelow(this.sequence + 1);
    }
  }
}

export class OriginPositions {
  /** The file cannot be understood: only what messages say is known. */
  readonly isDamaged: boolean;
  private readonly positions = new Map<string, SourcePosition>();
  private readonly disk: Disk | null;
  private readonly path: string;
  /** Messages up to this sequence are counted in the file. */
  through: number;
  private isSaved = true;
  private isInFile: boolean;
  private damage = 0;

  /** `disk`: null for streams in memory. */
  constructor(disk: Disk | null, path: string) {
    this.disk = disk;
    this.path = path;
    const content = disk?.read(path) ?? null;
    this.isInFile = content !== null;
    const saved = content === null ? NOTHING : readSaved(Buffer.from(content).toString("latin1"));
    this.isDamaged = saved === null;
    this.through = saved?.through ?? 0;
    for (const [key, position] of saved?.positions ?? []) {
      const there = new SourcePosition(position, 0);
      for (const [from, to] of position.beyond) there.cover(from, to);
      this.positions.set(key, there);
    }
  }

  /** By the key of a source (origin-config.ts). */
  of(key: string): OriginPosition {
    return this.positions.get(key) ?? NOWHERE;
  }

  /** Whether the message of the stream with this identity is here, or was: beyond a gap, too. */
  hasTaken(key: string, sequence: number, identity: string): boolean {
    const there = this.positions.get(key);
    if (there === undefined) return false;
    const isAnother = there.identity !== "" && identity !== "" && there.identity !== identity;
    return !isAnother && (sequence <= there.sequence || there.beyond.has(sequence));
  }

  /** Everything there up to this sequence has been taken. */
  pass(key: string, sequence: number): void {
    this.positions.get(key)?.cover(0, sequence);
    this.isSaved = false;
  }

  /** A message was found on the disk, in the order in which messages were stored. `damage`: how many are known missing so far. */
  recall(message: Noted, damage: number): void {
    if (message.sequence > this.through) this.damage = damage;
    this.note(message);
  }

  /** A message was stored. */
  note({ sequence, headerLength, body }: Noted): void {
    if (headerLength === 0 || sequence <= this.through) return;
    const block = Buffer.from(body.buffer, body.byteOffset, headerLength);
    if (!block.includes(MARK)) return;
    const value = new MessageHeaders(block.toString("latin1")).get(SOURCE_HEADER) ?? "";
    const [name, text, filters, destinations, , identity = ""] = value.split(" ");
    const there = Number(text);
    if (destinations === undefined || !Number.isSafeInteger(there) || there < 1) return;
    const key = `${name} ${filters} ${destinations}`;
    this.positionOf(key, identity).note(there, this.damage);
    this.isSaved = false;
  }

  /** Writes what is not in the file yet, once the messages themselves are durable. Throws `DiskError`. */
  save(store: SavedStore): void {
    if (this.isSaved || this.disk === null) return;
    store.syncNow();
    this.through = store.last;
    const positions = [...this.positions].map(([key, { sequence, identity, beyond }]) => {
      const ranges = [...beyond].map(({ from, to }) => [from, to] as const);
      return [key, { sequence, identity, beyond: ranges }] as const;
    });
    const saved: Saved = { through: this.through, positions };
    const text = JSON.stringify({ ...saved, checksum: checksumOf(saved) });
    this.disk.replace(this.path, Buffer.from(`${text}\n`, "latin1"));
    this.isSaved = this.isInFile = true;
  }

  /** Whether what was written can be read back. */
  isSound(): boolean {
    if (!this.isInFile) return true;
    const content = this.disk?.read(this.path) ?? null;
    return content !== null && readSaved(Buffer.from(content).toString("latin1")) !== null;
  }

  saveAgain(store: SavedStore): void {
    this.isSaved = false;
    this.save(store);
  }

  /** Now and then, so that a start has few messages to read for it. Throws `DiskError`. */
  checkpoint(store: SavedStore): void {
    if (store.last - this.through < CHECKPOINT_MESSAGES) return;
    this.isSaved = false;
    this.save(store);
  }

  /** A stream of that name that was made again is another one: its messages start again. */
  private positionOf(key: string, identity: string): SourcePosition {
    const there = this.positions.get(key);
    if (there?.identity === identity) return there;
    const isSame = there !== undefined && there.identity === ""; // it was not known
    const made = new SourcePosition({ sequence: isSame ? there.sequence : 0, identity }, 0);
    this.positions.set(key, made);
    return made;
  }
}

const NOTHING: Saved = { through: 0, positions: [] };

/** Files without one were written before there were any. */
function checksumOf({ through, positions }: Saved): number {
  return crc32(JSON.stringify({ through, positions }));
}

/** null: it cannot be understood. */
function readSaved(text: string): Saved | null {
  try {
    const { through, positions, checksum } = JSON.parse(text) as Saved & { readonly checksum?: number };
    const isSound = positions.every(
      ([key, { sequence, identity, beyond }]) =>
        typeof key === "string" &&
        [sequence, ...beyond.flat()].every(Number.isSafeInteger) &&
        typeof identity === "string",
    );
    if (!isSound || !Number.isSafeInteger(through)) return null;
    const isIntact = checksum === undefined || checksum === checksumOf({ through, positions });
    return isIntact ? { through, positions } : null;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}
