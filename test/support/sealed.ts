/** Encrypted disks for tests. */
import { createHash } from "node:crypto";
import { seededRandom } from "../../src/base/random.ts";
import type { Disk } from "../../src/store/disk.ts";
import { MemoryDisk } from "../../src/store/memory-disk.ts";
import type { CipherName, Entropy } from "../../src/store/seal.ts";
import { SealedDisk } from "../../src/store/sealed-disk.ts";
import { StoreKeys } from "../../src/store/store-keys.ts";

/** Bytes that are the same at each run. */
export function drawnFrom(seed: number): Entropy {
  const random = seededRandom(seed);
  return (into) => {
    for (let i = 0; i < into.length; i++) into[i] = Math.floor(random.next() * 256);
  };
}

/** Quick, since nothing is secret here. */
export function quickly(text: string, salt: Uint8Array): Buffer {
  return createHash("sha256").update(salt).update(text).digest();
}

const known = new Map<CipherName, StoreKeys>();

/** `disk`, with what lies in the folders of streams below `folder` encrypted. */
export function sealed(disk: Disk, folder: string, cipher: CipherName = "aes-256-gcm"): SealedDisk {
  let keys = known.get(cipher);
  if (keys === undefined) {
    const options = { key: "secret", previousKey: null, cipher, entropy: drawnFrom(1), stretch: quickly };
    known.set(cipher, (keys = new StoreKeys(new MemoryDisk(), "/keys", options)));
  }
  const made = new SealedDisk(disk, folder);
  made.unlock(keys);
  return made;
}
