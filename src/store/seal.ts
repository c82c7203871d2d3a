/**
 * Encrypts what lies in the files of one stream, and authenticates it: records one by one, whole texts, and entries of a consumer. What
 * was tampered with, or moved to another file, is as good as damaged.
 *
 * A seal has an id, which its nonces begin with, so that files under an old key and a new one can be told apart while they are encrypted
 * again. Each file has a key of its own, made of the seal's key and its path within the folder of the stream; nonces are drawn by chance.
 *
 *     record   head (in the clear, authenticated) | subject, headers, payload, encrypted | nonce 12 | tag 16
 *     footer   head | body without its trailer, encrypted | nonce 12 | tag 16 | trailer 8 (record.ts, footer.ts)
 *     text     magic 4 | nonce 12 | content, encrypted | tag 16
 *     entry    checksum 4 | content 36, encrypted | nonce 12 | tag 16
 *
 * Lengths, sequences and times of messages are in the clear.
 */
import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { assert } from "../base/assert.ts";
import { checksum, getU32, putU32 } from "./bytes.ts";
import {
  findRecord,
  FOOTER,
  RECORD_HEAD,
  readRecord,
  RecordView,
  SEAL_BYTES,
  spoil,
  sumAgain,
} from "./record.ts";

export type CipherName = "chacha20-poly1305" | "aes-256-gcm";

export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const TRAILER = 8;
const TEXT_MAGIC = Buffer.from("SHS1", "latin1");
/** Entries of a consumer's log. */
export const ENTRY_BYTES = 40;
export const SEALED_ENTRY_BYTES = ENTRY_BYTES + SEAL_BYTES;
const NONCES_AT_ONCE = 512;

assert(NONCE_BYTES + TAG_BYTES === SEAL_BYTES, "a record keeps room for nonce and tag");

/** Fills memory with bytes that nobody can foresee. */
export type Entropy = (into: Uint8Array) => void;

export interface SealKey {
  /** 0 to 255. */
  readonly id: number;
  readonly cipher: CipherName;
  readonly key: Buffer;
}

/** All that protects one file. */
export class Seal {
  private readonly keys = new Map<number, SealKey>();
  private readonly current: SealKey;
  private readonly entropy: Entropy;
  private readonly nonces = Buffer.alloc(NONCES_AT_ONCE * NONCE_BYTES);
  private nonceAt = this.nonces.length;

  /** `keys`: those of the stream; what is written has the last one. `path`: of the file within the folder of the stream. */
  constructor(keys: readonly SealKey[], path: string, entropy: Entropy) {
    for (const { id, cipher, key } of keys) {
      const own = Buffer.from(hkdfSync("sha256", key, Buffer.alloc(0), path, KEY_BYTES));
      this.keys.set(id, { id, cipher, key: own });
    }
    const last = keys.at(-1);
    assert(last !== undefined, "a seal has a key");
    this.current = this.keys.get(last.id)!;
    this.entropy = entropy;
  }

  // ---- records ----

  /** A copy of some records, each of which keeps room for its seal, as they are to lie on the disk. */
  sealRecords(content: Uint8Array): Buffer {
    const sealed = Buffer.from(content);
    const view = new RecordView();
    for (let at = 0; at < sealed.length; at += view.length) {
      const isRecord = readRecord(view, sealed, at, sealed.length);
      assert(isRecord && view.sealBytes === SEAL_BYTES, "only records that keep room for it are sealed");
      this.sealRecord(sealed, at, view);
    }
    return sealed;
  }

  private sealRecord(memory: Buffer, at: number, { kind, length }: RecordView): void {
    const end = at + length;
    const bodyEnd = end - SEAL_BYTES - (kind === FOOTER ? TRAILER : 0);
    if (kind === FOOTER) memory.copyWithin(end - TRAILER, bodyEnd, bodyEnd + TRAILER);
    const from = at + RECORD_HEAD;
    const { nonce, tag } = this.encrypt(
      memory.subarray(at + 4, from),
      memory.subarray(from, bodyEnd),
      memory,
      from,
    );
    nonce.copy(memory, bodyEnd);
    tag.copy(memory, bodyEnd + NONCE_BYTES);
    sumAgain(memory, at, length);
  }

  /** Opens the records that lie in memory, in place. What is no sound record, or was not sealed by this, is none afterwards. */
  openRecords(memory: Buffer): void {
    const view = new RecordView();
    for (let at = 0; at < memory.length;) {
      const isSound = readRecord(view, memory, at, memory.length);
      if (isSound && this.openRecord(memory, at, view)) at += view.length;
      else {
        if (isSound) spoil(memory, at);
        at = findRecord(view, memory, at + 1, memory.length); // it may pretend to be longer than it is
      }
    }
  }

  private openRecord(memory: Buffer, at: number, { kind, length, sealBytes }: RecordView): boolean {
    if (sealBytes !== SEAL_BYTES) return false;
    const end = at + length;
    const bodyEnd = end - SEAL_BYTES - (kind === FOOTER ? TRAILER : 0);
    const from = at + RECORD_HEAD;
    if (bodyEnd < from) return false;
    const nonce = memory.subarray(bodyEnd, bodyEnd + NONCE_BYTES);
    const tag = memory.subarray(bodyEnd + NONCE_BYTES, bodyEnd + SEAL_BYTES);
    const body = this.decrypt(memory.subarray(at + 4, from), memory.subarray(from, bodyEnd), nonce, tag);
    if (body === null) return false;
    body.copy(memory, from);
    if (kind === FOOTER) memory.copyWithin(bodyEnd, end - TRAILER, end);
    memory.fill(0, end - SEAL_BYTES, end);
    sumAgain(memory, at, length);
    return true;
  }

  /** Whether the record was sealed by the key that writes now. */
  isCurrent(memory: Buffer, { at, kind, length, sealBytes }: RecordView): boolean {
    const nonceAt = at + length - SEAL_BYTES - (kind === FOOTER ? TRAILER : 0);
    return sealBytes === SEAL_BYTES && memory[nonceAt] === this.current.id;
  }

  // ---- bodies: of records whose heads others know ----

  /** `about`: what it belongs to; it opens as that alone. */
  sealBody(content: Uint8Array, about: Uint8Array): Buffer {
    const memory = Buffer.alloc(NONCE_BYTES + content.length + TAG_BYTES);
    const { nonce, tag } = this.encrypt(about, content, memory, NONCE_BYTES);
    nonce.copy(memory);
    tag.copy(memory, memory.length - TAG_BYTES);
    return memory;
  }

  /** null: it was not sealed by this, is damaged, or belongs to something else. */
  openBody(sealed: Uint8Array, about: Uint8Array): Buffer | null {
    const end = sealed.length - TAG_BYTES;
    if (end < NONCE_BYTES) return null;
    return this.decrypt(
      about,
      sealed.subarray(NONCE_BYTES, end),
      sealed.subarray(0, NONCE_BYTES),
      sealed.subarray(end),
    );
  }

  // ---- texts ----

  sealText(content: Uint8Array): Buffer {
    const memory = Buffer.alloc(content.length);
    const { nonce, tag } = this.encrypt(TEXT_MAGIC, content, memory, 0);
    return Buffer.concat([TEXT_MAGIC, nonce, memory, tag]);
  }

  /** null: it was not sealed by this, or is damaged. */
  openText(sealed: Uint8Array): Buffer | null {
    const memory = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length);
    const from = TEXT_MAGIC.length + NONCE_BYTES;
    if (memory.length < from + TAG_BYTES || !memory.subarray(0, TEXT_MAGIC.length).equals(TEXT_MAGIC))
      return null;
    const end = memory.length - TAG_BYTES;
    const nonce = memory.subarray(TEXT_MAGIC.length, from);
    return this.decrypt(TEXT_MAGIC, memory.subarray(from, end), nonce, memory.subarray(end));
  }

  isCurrentText(sealed: Uint8Array): boolean {
    return isSealedText(sealed) && sealed[TEXT_MAGIC.length] === this.current.id;
  }

  // ---- entries ----

  sealEntries(content: Uint8Array): Buffer {
    assert(content.length % ENTRY_BYTES === 0, "whole entries are written");
    const count = content.length / ENTRY_BYTES;
    const sealed = Buffer.alloc(count * SEALED_ENTRY_BYTES);
    for (let i = 0; i < count; i++) {
      const at = i * SEALED_ENTRY_BYTES;
      const plain = content.subarray(i * ENTRY_BYTES + 4, (i + 1) * ENTRY_BYTES);
      const { nonce, tag } = this.encrypt(TEXT_MAGIC, plain, sealed, at + 4);
      nonce.copy(sealed, at + ENTRY_BYTES);
      tag.copy(sealed, at + ENTRY_BYTES + NONCE_BYTES);
      putU32(sealed, at, checksum(sealed, at + 4, at + SEALED_ENTRY_BYTES));
    }
    return sealed;
  }

  /** An entry that was not sealed by this becomes zeros, which are no entry. */
  openEntries(sealed: Buffer): Buffer {
    const count = Math.floor(sealed.length / SEALED_ENTRY_BYTES);
    const content = Buffer.alloc(count * ENTRY_BYTES);
    for (let i = 0; i < count; i++) {
      const entry = sealed.subarray(i * SEALED_ENTRY_BYTES, (i + 1) * SEALED_ENTRY_BYTES);
      if (getU32(entry, 0) !== checksum(entry, 4, entry.length)) continue;
      const nonce = entry.subarray(ENTRY_BYTES, ENTRY_BYTES + NONCE_BYTES);
      const tag = entry.subarray(ENTRY_BYTES + NONCE_BYTES);
      const plain = this.decrypt(TEXT_MAGIC, entry.subarray(4, ENTRY_BYTES), nonce, tag);
      if (plain === null) continue;
      const at = i * ENTRY_BYTES;
      plain.copy(content, at + 4);
      putU32(content, at, checksum(content, at + 4, at + ENTRY_BYTES));
    }
    return content;
  }

  // ---- ciphers ----

  private encrypt(
    about: Uint8Array,
    plain: Uint8Array,
    into: Buffer,
    at: number,
  ): { nonce: Buffer; tag: Buffer } {
    const { id, cipher: name, key } = this.current;
    const nonce = this.nextNonce();
    nonce[0] = id;
    const cipher = createCipheriv(name as "aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(about, { plaintextLength: plain.length });
    cipher.update(plain).copy(into, at);
    cipher.final();
    return { nonce, tag: cipher.getAuthTag() };
  }

  private decrypt(about: Uint8Array, sealed: Uint8Array, nonce: Uint8Array, tag: Uint8Array): Buffer | null {
    const own = this.keys.get(nonce[0]!);
    if (own === undefined) return null;
    const cipher = createDecipheriv(own.cipher as "aes-256-gcm", own.key, nonce, {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(about, { plaintextLength: sealed.length });
    cipher.setAuthTag(tag);
    const plain = cipher.update(sealed);
    try {
      cipher.final();
    } catch {
      return null; // what node:crypto throws where the tag is another one
    }
    return plain;
  }

  /** Valid until many more are drawn. */
  private nextNonce(): Buffer {
    if (this.nonceAt === this.nonces.length) {
      this.entropy(this.nonces);
      this.nonceAt = 0;
    }
    this.nonceAt += NONCE_BYTES;
    return this.nonces.subarray(this.nonceAt - NONCE_BYTES, this.nonceAt);
  }
}

export function isSealedText(content: Uint8Array): boolean {
  return content.length >= TEXT_MAGIC.length && TEXT_MAGIC.equals(content.subarray(0, TEXT_MAGIC.length));
}
