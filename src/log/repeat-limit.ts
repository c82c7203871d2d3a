/**
 * A peer that repeats its mistake a thousand times a second shall not fill the log: the first line passes, the ones
 * that follow within the window are counted, and the count comes as one line with `repeated` when the window ends.
 *
 * Only warnings and errors that name a `peer` are limited. A peer is its host: its port changes with each connection.
 */
import type { Clock } from "../base/clock.ts";
import type { LogFields, Logger } from "../base/logger.ts";
import { PassingLogger } from "./passing-logger.ts";

export interface RepeatLimitOptions {
  readonly windowMs: number;
  /** Most keys under watch; the oldest makes room, and its count is written at once. */
  readonly keysMax: number;
}

const defaultRepeatLimit: RepeatLimitOptions = { windowMs: 10_000, keysMax: 1024 };

interface Watched {
  readonly timer: Disposable;
  repeated: number;
  /** Writes the line again, with the fields of its last occurrence. */
  write: (extra: LogFields) => void;
}

/** Dispose writes the counts that are still open. */
export function limitRepeats(
  logger: Logger,
  clock: Clock,
  options: RepeatLimitOptions = defaultRepeatLimit,
): { readonly logger: Logger } & Disposable {
  const table = new RepeatTable(clock, options);
  return {
    logger: new LimitedLogger(logger, table, undefined),
    [Symbol.dispose]: () => table[Symbol.dispose](),
  };
}

class RepeatTable implements Disposable {
  readonly #clock: Clock;
  readonly #options: RepeatLimitOptions;
  /** Oldest window first. */
  readonly #watched = new Map<string, Watched>();

  constructor(clock: Clock, options: RepeatLimitOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  writeOrCount(key: string, write: (extra: LogFields) => void): void {
    const known = this.#watched.get(key);
    if (known !== undefined) {
      known.repeated++;
      known.write = write;
      return;
    }
    const oldest = this.#watched.keys().next();
    if (this.#watched.size >= this.#options.keysMax && !oldest.done) this.#close(oldest.value);
    write({});
    this.#watch(key, write);
  }

  [Symbol.dispose](): void {
    for (const key of this.#watched.keys()) this.#close(key);
  }

  #watch(key: string, write: (extra: LogFields) => void): void {
    const timer = this.#clock.setTimer(this.#options.windowMs, () => {
      // one that still repeats stays under watch, so that it costs one line per window
      if (this.#close(key) > 0) this.#watch(key, write);
    });
    this.#watched.set(key, { timer, repeated: 0, write });
  }

  /** Returns how often it had repeated. */
  #close(key: string): number {
    const watched = this.#watched.get(key);
    if (watched === undefined) return 0;
    this.#watched.delete(key);
    watched.timer[Symbol.dispose]();
    if (watched.repeated > 0) watched.write({ repeated: watched.repeated });
    return watched.repeated;
  }
}

class LimitedLogger extends PassingLogger {
  readonly #table: RepeatTable;
  readonly #peer: unknown;

  constructor(inner: Logger, table: RepeatTable, peer: unknown) {
    super(inner);
    this.#table = table;
    this.#peer = peer;
  }

  override warn(message: string, fields?: LogFields): void {
    this.#limited("warn", message, fields);
  }

  override error(message: string, fields?: LogFields): void {
    this.#limited("error", message, fields);
  }

  override child(fields: LogFields): Logger {
    return new LimitedLogger(this.inner.child(fields), this.#table, fields["peer"] ?? this.#peer);
  }

  #limited(level: "warn" | "error", message: string, fields: LogFields | undefined): void {
    const peer = fields?.["peer"] ?? this.#peer;
    if (typeof peer !== "string") {
      this.inner[level](message, fields);
      return;
    }
    const host = peer.replace(/:\d+$/, "");
    this.#table.writeOrCount(`${level} ${host} ${message}`, (extra) =>
      this.inner[level](message, { ...fields, ...extra }),
    );
  }
}
