/**
 * The keys of the journal of an encrypted store, and its encryption where it lies in the clear or under an older key. That is done before
 * the journal is opened, segment by segment, each replaced as a whole: a kill in between costs nothing, and the next start goes on.
 *
 * Damage stays damage: a record that cannot be opened is copied as it is, and is found damaged when the journal is read.
 */
import { DiskError, type Disk } from "../disk.ts";
import type { SealKey } from "../seal.ts";
import type { StoreKeys } from "../store-keys.ts";
import { SealedBodies, type BodySeal } from "./body-seal.ts";
import { isBodySound, nextHead, readHead, recordLength, writeRecord } from "./journal-record.ts";
import { isSegment } from "./segments.ts";

const KEY_FILE = "key";

/** `disk`: as it is. Called before `keys.settle()`. Throws `DiskError`. */
export function sealJournal(disk: Disk, folder: string, keys: StoreKeys): BodySeal {
  const path = `${folder}/${KEY_FILE}`;
  const content = disk.read(path);
  const before = content === null ? { keys: [], isChanging: true, isOld: true } : keys.openStream(content);
  if (before === null)
    throw new DiskError(`the key of the journal in ${folder} cannot be opened`, "EKEYREJECTED");
  const isCurrent = !before.isOld && before.keys.at(-1)?.cipher === keys.cipher;
  if (isCurrent && !before.isChanging) return new SealedBodies(before.keys, keys.entropy);
  const all = isCurrent ? before.keys : [...before.keys, keys.newKey(before.keys)];
  disk.makeFolder(folder);
  disk.replace(path, keys.sealStream({ keys: all, isChanging: true }));
  const bodies = new SealedBodies(all, keys.entropy);
  for (const name of disk.names(folder).filter(isSegment)) {
    const segment = disk.read(`${folder}/${name}`);
    if (segment !== null)
      disk.replace(`${folder}/${name}`, resealed(Buffer.from(segment), bodies, keys.takesPlain));
  }
  const last: readonly SealKey[] = all.slice(-1);
  disk.replace(path, keys.sealStream({ keys: last, isChanging: false }));
  return new SealedBodies(last, keys.entropy);
}

function resealed(memory: Buffer, bodies: BodySeal, takesPlain: boolean): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < memory.length;) {
    const record = readHead(memory, at);
    const isWhole = record !== undefined && at + record.length <= memory.length;
    const next = isWhole ? at + record.length : nextHead(memory, at + 8);
    const end = next < 0 ? memory.length : next;
    let piece = memory.subarray(at, end);
    if (isWhole && isBodySound(memory, at, record)) {
      const body = memory.subarray(at + record.bodyAt, at + record.bodyAt + record.bodyLength);
      const plain = bodies.open(body, record) ?? (takesPlain ? body : null);
      if (plain !== null) {
        const sealed = bodies.seal(plain, record);
        piece = Buffer.alloc(recordLength(record.group, sealed.length));
        writeRecord(piece, 0, record, sealed);
      }
    }
    pieces.push(piece);
    at = end;
  }
  return Buffer.concat(pieces);
}
