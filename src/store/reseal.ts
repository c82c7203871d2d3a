/**
 * Encrypts the streams of a store again: where they are in the clear, or under an older key or another cipher. It is done before they are
 * opened, file by file, each replaced as a whole: a kill in between costs nothing, and the next start goes on.
 *
 *     key file with the old keys and a new one ─▶ each file under the new one ─▶ key file with the new one alone
 *
 * Damage stays damage: the place of a record that cannot be opened is filled with zeros, so that its message is known missing.
 */
import { checksum, getU32 } from "./bytes.ts";
import type { Disk } from "./disk.ts";
import { findRecord, FOOTER, readRecord, RecordView, SEAL_BYTES, writeRecord } from "./record.ts";
import { ENTRY_BYTES, isSealedText, Seal } from "./seal.ts";
import { KEY_FILE } from "./sealed-disk.ts";
import type { StoreKeys, StreamKeys } from "./store-keys.ts";

export interface Resealed {
  readonly account: string;
  readonly stream: string;
  /** What it was before. */
  readonly from: "plain" | "sealed";
}

/** Those that a cluster does not know yet lie in a folder of their own. */
const STREAM_FOLDERS = ["streams", "offered"];
/** The names of the logs of a consumer. */
const LOG = /^log(?:\.\d+)?$/;

interface Folder {
  readonly disk: Disk;
  readonly path: string;
  readonly seal: (rest: string) => Seal;
  readonly takesPlain: boolean;
}

/** `disk`: as it is. Yields each stream whose files are all under the present key now. Throws `DiskError`. */
export function* resealStore(disk: Disk, folder: string, keys: StoreKeys): Generator<Resealed, void> {
  for (const account of disk.names(folder).filter(isAccount)) {
    for (const streams of STREAM_FOLDERS)
      for (const stream of disk.names(`${folder}/${account}/${streams}`)) {
        const from = resealStream(disk, `${folder}/${account}/${streams}/${stream}`, keys);
        if (from !== null) yield { account: decodeURIComponent(account), stream, from };
      }
    for (const name of disk.names(`${folder}/${account}/quarantine`))
      rewrap(disk, `${folder}/${account}/quarantine/${name}/${KEY_FILE}`, keys);
  }
  keys.settle();
}

/** What lies beside the folders of accounts begins as no name of an account that is encoded for a URL can. */
const isAccount = (name: string): boolean => !/^%(?![0-9A-F]{2})/.test(name);

/** null: nothing had to be done, or it cannot be opened. */
function resealStream(disk: Disk, path: string, keys: StoreKeys): Resealed["from"] | null {
  const keyFile = `${path}/${KEY_FILE}`;
  const content = disk.read(keyFile);
  if (content === null && !keys.takesPlain) return null; // only somebody without a key can have put it there
  const before = content === null ? { keys: [], isChanging: true, isOld: false } : keys.openStream(content);
  if (before === null) return null;
  const cipher = before.keys.at(-1)?.cipher;
  if (cipher === keys.cipher && !before.isOld && !before.isChanging) return null;
  let changing: StreamKeys = before;
  if (cipher !== keys.cipher || before.isOld) {
    changing = { keys: [...before.keys, keys.newKey(before.keys)], isChanging: true };
    disk.replace(keyFile, keys.sealStream(changing));
  }
  resealFiles(
    {
      disk,
      path,
      seal: (rest) => new Seal(changing.keys, rest, keys.entropy),
      takesPlain: keys.takesPlain,
    },
    "",
  );
  disk.replace(keyFile, keys.sealStream({ keys: changing.keys.slice(-1), isChanging: false }));
  return before.keys.length === 0 ? "plain" : "sealed";
}

/** `rest`: the folder within that of the stream, with a slash behind it. */
function resealFiles(folder: Folder, rest: string): void {
  const { disk, path } = folder;
  for (const name of disk.names(`${path}/${rest}`.replace(/\/$/, ""))) {
    const at = `${rest}${name}`;
    if (at === KEY_FILE || name.endsWith(".new")) continue;
    if (rest === "" ? name === "msgs" || name === "obs" : rest === "obs/") resealFiles(folder, `${at}/`);
    else if (name.endsWith(".blk")) resealBlock(folder, at);
    else if (LOG.test(name)) resealLog(folder, at);
    else resealText(folder, at);
  }
}

function resealText({ disk, path, seal: sealOf, takesPlain }: Folder, rest: string): void {
  const content = disk.read(`${path}/${rest}`);
  const seal = sealOf(rest);
  if (content === null || seal.isCurrentText(content)) return;
  const plain = seal.openText(content) ?? (takesPlain && !isSealedText(content) ? content : null);
  if (plain !== null) disk.replace(`${path}/${rest}`, seal.sealText(plain));
}

function resealLog({ disk, path, seal: sealOf, takesPlain }: Folder, rest: string): void {
  const content = Buffer.from(disk.read(`${path}/${rest}`) ?? []);
  const seal = sealOf(rest);
  const isPlain =
    takesPlain && content.length >= ENTRY_BYTES && getU32(content, 0) === checksum(content, 4, ENTRY_BYTES);
  const whole = content.length - (content.length % ENTRY_BYTES);
  const plain = isPlain ? content.subarray(0, whole) : seal.openEntries(content);
  disk.replace(`${path}/${rest}`, seal.sealEntries(plain));
}

function resealBlock({ disk, path, seal: sealOf, takesPlain }: Folder, rest: string): void {
  const content = Buffer.from(disk.read(`${path}/${rest}`) ?? []);
  const seal = sealOf(rest);
  const view = new RecordView();
  const pieces: Buffer[] = [];
  let isChanged = false;
  for (let at = 0; at < content.length;) {
    if (readRecord(view, content, at, content.length)) {
      if (seal.isCurrent(content, view)) pieces.push(content.subarray(at, at + view.length));
      else {
        isChanged = true;
        pieces.push(resealed(view, content, seal, takesPlain));
      }
      at += view.length;
    } else {
      const next = findRecord(view, content, at + 1, content.length);
      pieces.push(Buffer.alloc(next - at));
      at = next;
    }
  }
  if (isChanged) disk.replace(`${path}/${rest}`, Buffer.concat(pieces));
}

function resealed(view: RecordView, content: Buffer, seal: Seal, takesPlain: boolean): Buffer {
  const { at, length, kind, flags, sequence, timeNs, previous, subject, headerLength } = view;
  if (view.sealBytes > 0) {
    const record = Buffer.from(content.subarray(at, at + length));
    seal.openRecords(record);
    return readRecord(new RecordView(), record, 0, length) ? seal.sealRecords(record) : Buffer.alloc(length);
  }
  if (!takesPlain) return Buffer.alloc(length);
  // records are longer now: a footer, which says where they lie, is left out, and written again by the start
  if (kind === FOOTER) return Buffer.alloc(0);
  const record = Buffer.alloc(length + SEAL_BYTES);
  const fields = { kind, flags, sequence, timeNs, previous, subject, headerLength, body: view.body };
  writeRecord(record, 0, fields, SEAL_BYTES);
  return seal.sealRecords(record);
}

/** The keys of a folder that was put aside stay those that it has. */
function rewrap(disk: Disk, path: string, keys: StoreKeys): void {
  const content = disk.read(path);
  const opened = content === null ? null : keys.openStream(content);
  if (opened !== null && opened.isOld) disk.replace(path, keys.sealStream(opened));
}
