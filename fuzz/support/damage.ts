/** Damages files of a disk as bytes say: six for each wound. */
import type { Disk } from "../../src/store/disk.ts";
import { MemoryDisk } from "../../src/store/memory-disk.ts";

const WOUND = 6;
const WOUNDS_MAX = 8;
const SECTOR = 512;

/** Every file below the folder, with its content. */
export function filesBelow(disk: Disk, folder: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const name of disk.names(folder)) {
    const path = `${folder}/${name}`;
    const content = disk.read(path);
    if (content === null) for (const [inner, bytes] of filesBelow(disk, path)) found.set(inner, bytes);
    else found.set(path, Buffer.from(content));
  }
  return found;
}

export function diskOf(files: ReadonlyMap<string, Buffer>): MemoryDisk {
  const disk = new MemoryDisk();
  for (const [path, content] of files) disk.replace(path, content);
  return disk;
}

/**
 * Returns the files with the wounds. `older`: the same files at an earlier time, which a wound may bring back. `kinds`: "in place":
 * bytes change where they lie and nothing else does.
 */
export function wounded(
  files: ReadonlyMap<string, Buffer>,
  older: ReadonlyMap<string, Buffer>,
  wounds: Uint8Array,
  kinds: "in place" | "all",
): Map<string, Buffer> {
  const result = new Map([...files].map(([path, content]) => [path, Buffer.from(content)]));
  const paths = [...new Set([...files.keys(), ...older.keys()])].sort();
  for (let i = 0; i + WOUND <= wounds.length && i < WOUND * WOUNDS_MAX; i += WOUND) {
    const [kind = 0, which = 0, high = 0, low = 0, length = 0, value = 0] = wounds.subarray(i, i + WOUND);
    const path = paths[which % paths.length]!;
    const content = result.get(path);
    const at = content === undefined ? 0 : (high * 256 + low) % (content.length + 1);
    if (kind % 8 < 4 || kinds === "in place") {
      if (content !== undefined) hurt(content, kind % 4, at, length, value);
    } else {
      const sources = { older: older.get(path), other: result.get(paths[value % paths.length]!) };
      rearrange(result, path, { kind: kind % 8, at, length }, sources);
    }
  }
  return result;
}

function hurt(content: Buffer, kind: number, at: number, length: number, value: number): void {
  const start = at - (at % SECTOR);
  if (kind === 0 && at < content.length) content[at]! ^= 1 << (value & 7);
  else if (kind === 1) content.fill(value, at, Math.min(content.length, at + length));
  else if (kind === 2) content.fill(0, start, Math.min(content.length, start + SECTOR));
  else if (at < content.length) content[at] = value;
}

function rearrange(
  files: Map<string, Buffer>,
  path: string,
  { kind, at, length }: { kind: number; at: number; length: number },
  { older, other }: { older: Buffer | undefined; other: Buffer | undefined },
): void {
  const content = files.get(path) ?? Buffer.alloc(0);
  if (kind === 4) files.set(path, content.subarray(0, at));
  else if (kind === 5 && other !== undefined)
    files.set(path, Buffer.concat([content, other.subarray(at, at + length * 4)]));
  else if (kind === 6 && older !== undefined) files.set(path, Buffer.from(older));
  else files.delete(path);
}
