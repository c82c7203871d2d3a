/**
 * The keys of an encrypted store. What the configuration has opens nothing by itself: a key is made of it, which opens the key
 * files of the streams, which open what lies in their folders.
 *
 *     <folder>.keys             salt, and a text by which the configured key is known to be the right one
 *     <stream>/key              keys of one stream, sealed: the one that is written with, and while it is encrypted again, those before it
 *
 * A wrong key is refused before anything is touched.
 */
import type { Disk } from "./disk.ts";
import { KEY_BYTES, Seal, type CipherName, type Entropy, type SealKey } from "./seal.ts";

const CHECK = "the key of this store";
const SALT_BYTES = 16;

export interface StoreKeyOptions {
  readonly key: string;
  /** The key before, where it is being changed; null: it is not. */
  readonly previousKey: string | null;
  readonly cipher: CipherName;
  readonly entropy: Entropy;
  /** Makes a key of so many bytes of a text; slowly, since people think of the text. */
  readonly stretch: Stretch;
}

export type Stretch = (text: string, salt: Uint8Array, bytes: number) => Buffer;

/** The key of the configuration does not fit the store. */
export class KeyRefused extends Error {}

interface StoreFile {
  readonly salt: string;
  readonly check: string;
  /** Streams without a key are encrypted at a start: they were there before. */
  readonly takesPlain: boolean;
}

export interface StreamKeys {
  /** The last one is written with. */
  readonly keys: readonly SealKey[];
  /** Files under older keys, or none, may be left. */
  readonly isChanging: boolean;
}

interface StreamKeyFile {
  readonly keys: readonly { readonly id: number; readonly cipher: CipherName; readonly key: string }[];
  readonly isChanging: boolean;
}

/** Throws `KeyRefused` where the store is encrypted, and no key is configured. */
export function refuseEncrypted(disk: Disk, folder: string): void {
  if (disk.read(`${folder}.keys`) !== null)
    throw new KeyRefused(
      `encryption not enabled: the store in ${folder} is encrypted: set jetstream.key to its key`,
    );
}

export class StoreKeys {
  readonly cipher: CipherName;
  /** Streams without a key may be there, to be encrypted. */
  takesPlain: boolean;
  readonly entropy: Entropy;
  private readonly disk: Disk;
  private readonly path: string;
  private readonly stretch: Stretch;
  /** The file says what holds. */
  private isSettled: boolean;
  private readonly salt: Buffer;
  private readonly seal: Seal;
  /** Seal of the previous key; null: the key is not being changed. */
  private readonly previous: Seal | null;

  /** `folder`: of the whole store. Throws `KeyRefused`. */
  constructor(disk: Disk, folder: string, { key, previousKey, cipher, entropy, stretch }: StoreKeyOptions) {
    this.disk = disk;
    this.path = `${folder}.keys`;
    this.cipher = cipher;
    this.entropy = entropy;
    this.stretch = stretch;
    const file = readStoreFile(disk.read(this.path), this.path);
    this.salt = file === null ? this.drawn(SALT_BYTES) : Buffer.from(file.salt, "hex");
    this.seal = this.sealOf(key);
    this.previous = previousKey === null ? null : this.sealOf(previousKey);
    this.takesPlain = file?.takesPlain ?? true;
    if (file === null) this.save();
    else this.check(file, folder);
    this.isSettled =
      !this.takesPlain && this.seal.openText(Buffer.from(file?.check ?? "", "base64")) !== null;
  }

  /** All streams are under the present key from here on. Durable when this returns. */
  settle(): void {
    if (this.isSettled) return;
    this.takesPlain = false;
    this.isSettled = true;
    this.save();
  }

  /** null: it cannot be opened. `isOld`: it is under the key before. */
  openStream(content: Uint8Array): (StreamKeys & { readonly isOld: boolean }) | null {
    const text = this.seal.openText(content);
    const plain = text ?? this.previous?.openText(content) ?? null;
    if (plain === null) return null;
    const { keys, isChanging } = JSON.parse(plain.toString()) as StreamKeyFile;
    const opened = keys.map(({ id, cipher, key }) => ({ id, cipher, key: Buffer.from(key, "hex") }));
    return { keys: opened, isChanging, isOld: text === null };
  }

  sealStream({ keys, isChanging }: StreamKeys): Buffer {
    const shown = keys.map(({ id, cipher, key }) => ({ id, cipher, key: key.toString("hex") }));
    const file: StreamKeyFile = { keys: shown, isChanging };
    return this.seal.sealText(Buffer.from(JSON.stringify(file)));
  }

  /** A key that no file is under. `after`: those that there are. */
  newKey(after: readonly SealKey[]): SealKey {
    const id = ((after.at(-1)?.id ?? 0) + 1) & 0xff;
    return { id, cipher: this.cipher, key: this.drawn(KEY_BYTES) };
  }

  private check({ check }: StoreFile, folder: string): void {
    const sealed = Buffer.from(check, "base64");
    if ((this.seal.openText(sealed) ?? this.previous?.openText(sealed))?.toString() === CHECK) return;
    throw new KeyRefused(
      `unable to recover keys: the store in ${folder} is encrypted with another key: ` +
        "set jetstream.key to that one, or jetstream.prev_encryption_key where it is being changed",
    );
  }

  private save(): void {
    const check = this.seal.sealText(Buffer.from(CHECK)).toString("base64");
    const file: StoreFile = { salt: this.salt.toString("hex"), check, takesPlain: this.takesPlain };
    this.disk.replace(this.path, Buffer.from(`${JSON.stringify(file, null, 1)}\n`));
  }

  private sealOf(text: string): Seal {
    const key = this.stretch(text, this.salt, KEY_BYTES);
    // the cipher of the streams may change; that of their key files is always the same
    return new Seal([{ id: 0, cipher: "chacha20-poly1305", key }], "keys", this.entropy);
  }

  private drawn(count: number): Buffer {
    const bytes = Buffer.alloc(count);
    this.entropy(bytes);
    return bytes;
  }
}

function readStoreFile(content: Uint8Array | null, path: string): StoreFile | null {
  if (content === null) return null;
  try {
    const file = JSON.parse(Buffer.from(content).toString()) as Partial<StoreFile>;
    if (typeof file.salt === "string" && typeof file.check === "string")
      return { salt: file.salt, check: file.check, takesPlain: file.takesPlain === true };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new KeyRefused(`unable to recover keys: ${path} is damaged: restore it from a copy`);
}
