/**
 * Stores for a stream or a consumer, besides its data, its configuration and the time of its creation, with a checksum over both.
 */
import { crc32 } from "node:zlib";
import type { Disk, DiskFile } from "../store/disk.ts";
import { ApiError } from "./api-error.ts";

type Json = Record<string, unknown>;

/** Durable when this returns. Throws `DiskError`. */
export function writeMeta(disk: Disk, path: string, created: string, config: Json): void {
  disk.replace(`${path}/meta.json`, metaOf(created, config));
}

/** The same for what is being made: durable when the file and its folder have been synced. */
export function createMeta(disk: Disk, path: string, created: string, config: Json): DiskFile {
  return disk.create(`${path}/meta.json`, metaOf(created, config));
}

function metaOf(created: string, config: Json): Buffer {
  const text = JSON.stringify({ created, config, checksum: checksumOf(created, config) }, null, 1);
  return Buffer.from(`${text}\n`, "latin1");
}

/** null: it is not there, or cannot be understood. */
export function readMeta<T>(
  disk: Disk,
  path: string,
  read: (config: unknown) => T,
): { config: T; created: string } | null {
  const meta = soundMeta(disk, path);
  if (meta === null) return null;
  try {
    return { created: meta.created, config: read(meta.config) };
  } catch (error) {
    if (error instanceof ApiError) return null;
    throw error;
  }
}

/** Whether what was written can be read back. */
export function isMetaSound(disk: Disk, path: string): boolean {
  return soundMeta(disk, path) !== null;
}

function soundMeta(disk: Disk, path: string): { created: string; config: unknown } | null {
  const content = disk.read(`${path}/meta.json`);
  if (content === null) return null;
  try {
    const { created, config, checksum } = JSON.parse(Buffer.from(content).toString("latin1")) as Json;
    if (typeof created !== "string") return null;
    return checksum === undefined || checksum === checksumOf(created, config) ? { created, config } : null;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}

/** Files without one were written before there were any. It covers numbers as they are read, which may be printed with fewer digits than written. */
function checksumOf(created: string, config: unknown): number {
  return crc32(JSON.stringify(JSON.parse(JSON.stringify({ created, config }))));
}
