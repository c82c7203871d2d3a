/**
 * How far a stream has taken messages from each of its sources. Each message that came from one says so in its header
 * `Nats-Stream-Source`, so that a position is as durable as the message, and a restart finds both or none of them:
 *
 *     <stream>[:<hash of the api prefix>] <sequence> <filters> <destinations> <subject there> [<identity of that stream>]
 *
 * Records of messages that are gone leave the disk in time: the positions are written to a file before (`save`), with the last
 * sequence of the stream then. Bounded by the sources that the stream has had.
 */
import type { Disk } from "../../store/disk.ts";
import { MessageHeaders } from "../headers.ts";

export const SOURCE_HEADER = "Nats-Stream-Source";

export interface OriginPosition {
  /** Of the last message that was taken; 0: none was. */
  readonly sequence: number;
  /** Tells apart streams of the same name that were made at different times; "": not known. */
  readonly identity: string;
}

interface Saved {
  /** What was stored up to here is counted. */
  readonly through: number;
  readonly positions: readonly (readonly [key: string, OriginPosition])[];
}

/** A message as it was stored. */
interface Noted {
  readonly sequence: number;
  readonly headerLength: number;
  readonly body: Uint8Array;
}

const NOWHERE: OriginPosition = { sequence: 0, identity: "" };
const MARK = Buffer.from(`\r\n${SOURCE_HEADER}:`, "latin1");

export class OriginPositions {
  /** The file cannot be understood: only what messages say is known. */
  readonly isDamaged: boolean;
  private readonly positions: Map<string, OriginPosition>;
  private readonly disk: Disk | null;
  private readonly path: string;
  private through: number;
  private isSaved = true;

  /** `disk`: null for streams in memory. */
  constructor(disk: Disk | null, path: string) {
    this.disk = disk;
    this.path = path;
    const content = disk?.read(path) ?? null;
    const saved = content === null ? NOTHING : readSaved(Buffer.from(content).toString("latin1"));
    this.isDamaged = saved === null;
    this.through = saved?.through ?? 0;
    this.positions = new Map(saved?.positions);
  }

  /** By the key of a source (origin-config.ts). */
  of(key: string): OriginPosition {
    return this.positions.get(key) ?? NOWHERE;
  }

  /** A message was stored, or found on the disk, in the order in which it was stored. */
  note({ sequence, headerLength, body }: Noted): void {
    if (headerLength === 0 || sequence <= this.through) return;
    const block = Buffer.from(body.buffer, body.byteOffset, headerLength);
    if (!block.includes(MARK)) return;
    const value = new MessageHeaders(block.toString("latin1")).get(SOURCE_HEADER) ?? "";
    const [name, text, filters, destinations, , identity = ""] = value.split(" ");
    const there = Number(text);
    if (destinations === undefined || !Number.isSafeInteger(there) || there < 1) return;
    this.positions.set(`${name} ${filters} ${destinations}`, { sequence: there, identity });
    this.isSaved = false;
  }

  /**
   * Writes what is not in the file yet. `sync` makes all that was stored durable before, and returns the last sequence of it. Throws
   * `DiskError`.
   */
  save(sync: () => number): void {
    if (this.isSaved || this.disk === null) return;
    this.through = sync();
    const saved: Saved = { through: this.through, positions: [...this.positions] };
    this.disk.replace(this.path, Buffer.from(`${JSON.stringify(saved)}\n`, "latin1"));
    this.isSaved = true;
  }
}

const NOTHING: Saved = { through: 0, positions: [] };

/** null: it cannot be understood. */
function readSaved(text: string): Saved | null {
  try {
    const { through, positions } = JSON.parse(text) as Saved;
    const isSound = positions.every(
      ([key, { sequence, identity }]) =>
        typeof key === "string" && Number.isSafeInteger(sequence) && typeof identity === "string",
    );
    return isSound && Number.isSafeInteger(through) ? { through, positions } : null;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}
