/**
 * Moves a full log file aside, under the name that nats-server gives it (`shoal.log.2026.11.22.15.04.05.123456789`),
 * and removes the oldest of them.
 */
import { readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { formatTime } from "./classic-format.ts";

export interface RotationOptions {
  /** A log file longer than this is moved aside. */
  readonly sizeMaxBytes: number;
  /** Most files, the current one included; older ones are removed. Undefined: all are kept. */
  readonly filesMax?: number | undefined;
}

const BACKUP_STAMP = /^\d{4}(\.\d\d){5}\.\d{9}$/;

/** The caller opens the file again. Throws if the folder does not allow the move. */
export function moveAside(path: string, timeMicros: number): void {
  const stamp = `${formatTime(timeMicros, "local").replaceAll(/\D/g, ".")}000`;
  renameSync(path, `${path}.${stamp}`);
}

export function removeOldest(path: string, filesMax: number): void {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  const backups = readdirSync(folder).filter(
    (name) => name.startsWith(prefix) && BACKUP_STAMP.test(name.slice(prefix.length)),
  );
  const surplus = backups.length - Math.max(0, filesMax - 1);
  // the stamps sort by age
  for (const name of backups.sort().slice(0, Math.max(0, surplus)))
    rmSync(join(folder, name), { force: true });
}
