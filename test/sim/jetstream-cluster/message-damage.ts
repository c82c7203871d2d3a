/** Flips bits of stored messages, as a disk may that grows old: one or some of a stream are not readable any more. */
import { randomInt, type Random } from "../../../src/base/random.ts";
import { findRecord, MESSAGE, RecordView } from "../../../src/store/record.ts";
import type { FaultyDisk } from "../../support/faulty-disk.ts";

/** Bytes of a record in front of its subject: what they are is checked by other means. */
const HEAD_BYTES = 48;

/** `folder`: that of the messages of a stream. False: it has none. */
export function damageMessages(disk: FaultyDisk, folder: string, random: Random): boolean {
  const found: { readonly path: string; readonly from: number; readonly to: number }[] = [];
  const view = new RecordView();
  for (const name of disk.names(folder).filter((each) => each.endsWith(".blk"))) {
    const path = `${folder}/${name}`;
    const content = Buffer.from(disk.read(path)!);
    for (let at = findRecord(view, content, 0, content.length); at < content.length;) {
      const to = at + view.length;
      if (view.kind === MESSAGE) found.push({ path, from: Math.min(at + HEAD_BYTES, to - 1), to });
      at = findRecord(view, content, to, content.length);
    }
  }
  for (let flips = Math.min(found.length, 1 + randomInt(random, 3)); flips > 0; flips--) {
    const { path, from, to } = found[randomInt(random, found.length)]!;
    disk.flipBit(
      () => path,
      () => from + randomInt(random, to - from),
    );
  }
  return found.length > 0;
}
