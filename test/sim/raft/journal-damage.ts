/** Damage to a journal that can be told from a write that was torn off. */
import { randomInt, type Random } from "../../../src/base/random.ts";
import { isSegment } from "../../../src/store/journal/segments.ts";
import { durableIn } from "../../../src/store/journal/recovery.ts";
import type { FaultyDisk } from "../../support/faulty-disk.ts";

export function damageJournal(disk: FaultyDisk, folder: string, random: Random): void {
  const all = disk
    .names(folder)
    .filter(isSegment)
    .map((name) => `${folder}/${name}`);
  const last = all.pop();
  const fault = randomInt(random, 4);
  if (fault === 0 || last === undefined) return disk.removeFolder(folder);
  if (fault === 1 && all.length > 0) return disk.remove(all[randomInt(random, all.length)]!);
  if (fault === 2 && all.length > 0) {
    const file = disk.open(all[randomInt(random, all.length)]!);
    return file.truncate(randomInt(random, file.size));
  }
  for (let flips = 1 + randomInt(random, 3); flips > 0; flips--) {
    const durable = durableIn(Buffer.from(disk.read(last)!));
    const isLast = all.length === 0 || (durable > 0 && randomInt(random, 2) === 0);
    if (isLast && durable === 0) return;
    disk.flipBit(
      () => (isLast ? last : all[randomInt(random, all.length)]!),
      (size) => randomInt(random, isLast ? durable : size),
    );
  }
}
