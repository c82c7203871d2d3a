/**
 * Writes log lines to standard error or a file at once, so that the last line before a crash is there. A sink never throws and never
 * ends the server: unwritten text is kept up to PENDING_MAX, beyond which lines are lost and counted.
 */
import { closeSync, fstatSync, openSync, writeSync } from "node:fs";
import { moveAside, removeOldest, type RotationOptions } from "./rotation.ts";

/** Text that waits for a full pipe or disk, in UTF-16 units. */
const PENDING_MAX = 1024 * 1024;
/** As in nats-server: the owner writes, the group reads. */
const FILE_MODE = 0o640;
const STDERR = 2;

export interface SinkOptions {
  /** Appended to; without it: standard error. */
  readonly path: string | undefined;
  readonly rotation: RotationOptions | undefined;
}

export class Sink implements Disposable {
  private readonly path: string | undefined;
  private readonly rotation: RotationOptions | undefined;
  private fd: number;
  private size = 0;
  /** The size at which the file is next moved aside. */
  private rotateAt = Infinity;
  private pending = Buffer.alloc(0);
  private lost = 0;

  /** Throws when the file cannot be opened. */
  constructor({ path, rotation }: SinkOptions) {
    this.path = path;
    this.rotation = rotation;
    this.fd = path === undefined ? STDERR : openLogFile(path);
    this.measure();
  }

  /** Lines that were lost because their destination did not take them. */
  get linesLost(): number {
    return this.lost;
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    this.pending = this.pending.length === 0 ? bytes : Buffer.concat([this.pending, bytes]);
    try {
      while (this.pending.length > 0) {
        const written = writeSync(this.fd, this.pending);
        this.pending = this.pending.subarray(written);
        this.size += written;
      }
      if (this.size > this.rotateAt) this.rotate();
    } catch {
      // The log cannot report its own failure; `linesLost` does.
      if (this.pending.length > PENDING_MAX) this.losePending();
    }
  }

  /** Reopens the file after a rotation has moved it. Throws and keeps the old file if the new one cannot be opened. */
  reopen(): void {
    if (this.path === undefined) return;
    const fresh = openLogFile(this.path);
    closeSync(this.fd);
    this.fd = fresh;
    this.measure();
  }

  [Symbol.dispose](): void {
    if (this.path !== undefined && this.fd !== -1) closeSync(this.fd);
    this.fd = -1;
  }

  private measure(): void {
    if (this.path === undefined || this.rotation === undefined) return;
    this.size = fstatSync(this.fd).size;
    this.rotateAt = this.rotation.sizeMaxBytes;
  }

  private rotate(): void {
    if (this.path === undefined || this.rotation === undefined) return;
    // If this fails, the file keeps growing, and the next attempt comes after another file's length.
    this.rotateAt = this.size + this.rotation.sizeMaxBytes;
    moveAside(this.path, Math.floor((performance.timeOrigin + performance.now()) * 1000));
    this.reopen();
    if (this.rotation.filesMax !== undefined) removeOldest(this.path, this.rotation.filesMax);
  }

  private losePending(): void {
    for (const byte of this.pending) if (byte === 0x0a) this.lost++;
    this.pending = Buffer.alloc(0);
  }
}

function openLogFile(path: string): number {
  try {
    return openSync(path, "a", FILE_MODE);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new Error(`cannot open the log file ${path} (${code}): check the folder and its permissions`, {
      cause,
    });
  }
}
