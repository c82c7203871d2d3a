/**
 * Reads the logs of a consumer at a start: one, or where a fold had not ended, two or more that follow each other.
 *
 * A torn tail is cut. Where an entry is damaged, those behind it are not replayed, since they depend on it: messages are delivered
 * again rather than lost. What cannot be replayed is kept beside the log.
 */
import type { Disk, DiskFile } from "./disk.ts";
import {
  BEGUN,
  ENTRY,
  hasEntry,
  isSoundEntry,
  logPath,
  readEntry,
  type ConsumerEntry,
} from "./consumer-entries.ts";

const LOG = /^log(?:\.(\d+))?$/;

export interface RecoveredLog {
  readonly file: DiskFile;
  readonly number: number;
  /** Bytes of sound entries. */
  readonly size: number;
}

interface Recovered {
  /** One at least. */
  readonly logs: RecoveredLog[];
  /** False: some of it is damaged. */
  readonly isSound: boolean;
}

/** Logs from this number on are replayed, one after the other; others are removed. */
export function readLogs(
  disk: Disk,
  folder: string,
  from: number,
  replay: (entry: ConsumerEntry) => void,
): Recovered {
  const numbers = disk
    .names(folder)
    .flatMap(
      (name) =>
        LOG.exec(name)
          ?.slice(1)
          .map((number) => Number(number ?? 0)) ?? [],
    )
    .toSorted((a, b) => a - b);
  const wanted = numbers.filter((number) => number >= from);
  const logs: RecoveredLog[] = [];
  let damaged: Buffer | null = null;
  for (const number of wanted.length === 0 ? [from] : wanted) {
    const before = logs.at(-1);
    const file = disk.open(logPath(folder, number));
    const content = Buffer.alloc(file.size);
    const length = file.read(content, 0);
    if (before !== undefined && !follows(content.subarray(0, length), before)) {
      file.close();
      break;
    }
    const size = replayed(content.subarray(0, length), replay);
    logs.push({ file, number, size });
    if (size === length) continue;
    if (hasEntry(content.subarray(size + ENTRY, length))) damaged = content.subarray(size, length);
    file.truncate(size);
    break;
  }
  if (damaged !== null) disk.replace(`${folder}/log.damaged`, damaged);
  removeLogs(
    disk,
    folder,
    numbers.filter((number) => !logs.some((log) => log.number === number)),
  );
  return { logs, isSound: damaged === null };
}

export function removeLogs(disk: Disk, folder: string, numbers: readonly number[]): void {
  for (const number of numbers) disk.remove(logPath(folder, number));
}

/** Whether all is there of the log before that there was when this one began. */
function follows(content: Buffer, before: RecoveredLog): boolean {
  if (content.length < ENTRY || !isSoundEntry(content, 0)) return false;
  const { kind, streamSequence, consumerSequence } = readEntry(content, 0);
  return kind === BEGUN && consumerSequence === before.number && streamSequence === before.size;
}

/** Returns where the sound entries end. */
function replayed(content: Buffer, replay: (entry: ConsumerEntry) => void): number {
  let at = 0;
  for (; at + ENTRY <= content.length && isSoundEntry(content, at); at += ENTRY) {
    const entry = readEntry(content, at);
    if (entry.kind !== BEGUN) replay(entry);
  }
  return at;
}
