/** What the two forms of a backup have in common when one is taken. */
import { parseJsonBytes } from "../../base/json.ts";
import { DamagedBackup } from "../backup/s2-stream.ts";

export interface BackupForm {
  /** Takes the next bytes. Throws `DamagedBackup` and `ApiError`. */
  push(bytes: Buffer): void;
  /** Does a part of what is left to do with the bytes so far; false: nothing is. */
  work(): boolean;
  /** All has come. Throws `DamagedBackup`. */
  end(): void;
}

export type Json = Record<string, unknown>;

export function jsonOf(body: Uint8Array): Json {
  const value = parseJsonBytes(Buffer.from(body).toString("latin1"));
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new DamagedBackup("a part of the backup is no JSON object");
  return value as Json;
}

/** A sequence or a number of messages in JSON; absent: 0. */
export function whole(value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw new DamagedBackup("a number of the backup is no sequence that can be kept");
  return value;
}
