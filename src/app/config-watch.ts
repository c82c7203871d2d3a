/**
 * Watches the files that the configuration comes from, those of certificates included, and says when they have changed and come
 * to rest. Folders are watched, not files, since Kubernetes exchanges the files of a volume all at once, by renaming a link
 * `..data`; and files are looked at every few seconds, since not every file system tells.
 *
 * Invariant: a change is told once, after the files have been the same for a while, or have not come to rest for long.
 */
import { existsSync, watch, type FSWatcher } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";

/** `auto`: files that Kubernetes has mounted, which change on purpose and all at once. */
type WatchMode = "auto" | "always" | "never";

const LOOK_EVERY_MS = 5000;
const SETTLE_MS = 100;
/** Looks in a row that find other files each time. */
const RESTLESS_MAX = 20;
/** Folders to watch; files elsewhere are polled anyway. */
const FOLDERS_MAX = 64;

export interface ConfigWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** As they are now: reloads may change both. */
  mode(): WatchMode;
  files(): readonly string[];
  /** When they were read last. */
  readMs(): number;
  onChange(): void;
}

export class ConfigWatch implements Disposable {
  private readonly options: ConfigWatchOptions;
  private readonly folders = new Map<string, FSWatcher>();
  private timer: Disposable | null = null;
  private isLooking = false;
  private isDisposed = false;
  /** By file, what it looked like when a change was told last. */
  private told = new Map<string, string>();
  private last = "";
  private restless = 0;

  constructor(options: ConfigWatchOptions) {
    this.options = options;
  }

  start(): void {
    void this.look();
  }

  [Symbol.dispose](): void {
    this.isDisposed = true;
    this.timer?.[Symbol.dispose]();
    for (const watcher of this.folders.values()) watcher.close();
    this.folders.clear();
  }

  private lookIn(delayMs: number): void {
    this.timer?.[Symbol.dispose]();
    if (!this.isDisposed) this.timer = this.options.clock.setTimer(delayMs, () => void this.look());
  }

  private async look(): Promise<void> {
    if (this.isLooking) return this.lookIn(SETTLE_MS);
    this.isLooking = true;
    const files = watchedFiles(this.options.mode(), this.options.files());
    this.follow(new Set(files.map((file) => dirname(file))));
    const looks = await Promise.all(files.map((file) => lookOf(file)));
    this.isLooking = false;
    if (this.isDisposed) return;
    for (const { file, text, changedMs } of looks) {
      if (this.told.has(file)) continue;
      this.told.set(file, changedMs > this.options.readMs() ? "not read yet" : text);
    }
    this.lookIn(this.isSettled(looks) ? LOOK_EVERY_MS : SETTLE_MS);
  }

  /** False: to look again soon. */
  private isSettled(looks: readonly FileLook[]): boolean {
    const now = looks.map(({ text }) => text).join("\n");
    const isSame = now === this.last;
    this.last = now;
    if (looks.every(({ file, text }) => this.told.get(file) === text)) {
      this.restless = 0;
      return true;
    }
    if (!isSame && ++this.restless < RESTLESS_MAX) return false;
    assert(isSame || this.restless === RESTLESS_MAX, "files are at rest, or have not come to rest for long");
    this.restless = 0;
    this.told = new Map(looks.map(({ file, text }) => [file, text]));
    this.options.onChange();
    return true;
  }

  private follow(folders: ReadonlySet<string>): void {
    for (const [folder, watcher] of this.folders) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.folders.delete(folder);
    }
    for (const folder of folders) {
      if (!this.folders.has(folder) && this.folders.size < FOLDERS_MAX) this.watchFolder(folder);
    }
  }

  private watchFolder(folder: string): void {
    const drop = (error: unknown): void => {
      this.folders.delete(folder);
      this.options.logger.debug("A folder cannot be watched, its files are looked at instead", {
        folder,
        error: String(error),
      });
    };
    try {
      const watcher = watch(folder, { persistent: false }, () => this.lookIn(SETTLE_MS));
      watcher.on("error", (error) => {
        watcher.close();
        drop(error);
      });
      this.folders.set(folder, watcher);
    } catch (error) {
      drop(error);
    }
  }
}

function watchedFiles(mode: WatchMode, files: readonly string[]): readonly string[] {
  if (mode === "never") return [];
  const all = [...new Set(files)];
  return mode === "always" ? all : all.filter((file) => existsSync(join(dirname(file), "..data")));
}

interface FileLook {
  readonly file: string;
  readonly text: string;
  readonly changedMs: number;
}

async function lookOf(file: string): Promise<FileLook> {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = await stat(file);
    return { file, text: [file, dev, ino, size, mtimeMs, ctimeMs].join(" "), changedMs: ctimeMs };
  } catch (error) {
    return { file, text: `${file} ${String((error as NodeJS.ErrnoException).code)}`, changedMs: 0 };
  }
}
