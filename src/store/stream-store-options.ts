/** What a store of messages is made with. */
import type { Birth } from "./births.ts";
import type { Disk } from "./disk.ts";
import type { RecordView } from "./record.ts";
import type { DamagedTail } from "./recovery.ts";
import type { RowCache } from "./row-cache.ts";

/** Messages that are read at a start, though an index tells where they lie. */
type Recall = "all" | "with headers" | "none";

export interface StreamStoreOptions {
  /** null: in memory. */
  readonly disk: Disk | null;
  readonly folder: string;
  /** What the store belongs to, where that was just made; absent: it is durable. */
  readonly birth?: Birth | null;
  /** The sequence that the first message gets in a new store. */
  readonly firstSequence: number;
  readonly blockBytes?: number;
  /** Absent: a block is on the disk when the next one begins. */
  readonly sealedBlocks?: "synced" | "synced later";
  /** Absent: it is kept. */
  readonly damagedTail?: DamagedTail;
  /** Rows of blocks that are in memory; absent: of this store alone. */
  readonly cache?: RowCache;
  /** Seed of the hashes of subjects, where none is on the disk. */
  readonly seed?: number;
  /** Called with messages that are found on the disk, in order: with all, or with those that have headers. `lost`: how many are known missing so far. */
  readonly onRecovered?: (view: RecordView, lost: number) => void;
  /** A message is found to be damaged after the start: it is known missing from here on. */
  readonly onLost?: (sequence: number) => void;
  /** Called before records of messages that are gone leave the disk. */
  readonly beforeForgetting?: () => void;
  /** Which messages `onRecovered` has to see; absent: those of blocks that are read anyway. */
  readonly recall?: Recall;
  /** Where it has to see all: those up to here it need not. */
  readonly recallAbove?: number;
}

export interface PurgeOptions {
  /** A pattern; null: all subjects. */
  readonly filter: string | null;
  /** Only what is below; 0: no bound. */
  readonly below: number;
  /** How many of the newest stay. */
  readonly keep: number;
}

/** Facts about a message beside its record. */
export interface Noted {
  readonly sequence: number;
  /** Of its subject. */
  readonly number: number;
  readonly hasHeaders: boolean;
  /** Length of the record. */
  readonly length: number;
}
