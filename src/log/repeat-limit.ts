/**
 * Keeps a peer that repeats its mistake a thousand times a second from filling the log: the first line passes, further ones within the
 * window are counted, and one line with `repeated` gives the count when the window ends.
 *
 * Only warnings and errors that name a `peer` are limited. A peer is its host: its port changes with each connection. Lines that
 * differ in `detail`, `user` or `reason` are not repetitions: each user whose login fails is reported. The number of such variants of one
 * message about one host is bounded per window; the rest is counted in one line with `leftOut`.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import type { LogFields, Logger } from "../base/logger.ts";
import { PassingLogger } from "./passing-logger.ts";

export interface RepeatLimitOptions {
  readonly windowMs: number;
  /** Most keys watched at a time; the oldest makes room, and its count is written at once. */
  readonly keysMax: number;
  /** Most variants of a message about one host that are distinguished in a window. */
  readonly variantsMax: number;
}

const defaultRepeatLimit: RepeatLimitOptions = { windowMs: 10_000, keysMax: 1024, variantsMax: 20 };
/** The part of a field that tells lines apart. */
const VARIANT_LENGTH_MAX = 200;

interface Watched {
  readonly timer: Disposable;
  /** The field that gives the number of suppressed lines. */
  readonly as: "repeated" | "leftOut";
  repeated: number;
  /** Writes the line again, with the fields of its last occurrence. */
  write: (extra: LogFields) => void;
}

/** Disposing writes the open counts. */
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
  private readonly clock: Clock;
  private readonly options: RepeatLimitOptions;
  /** Oldest window first. */
  private readonly watched = new Map<string, Watched>();
  /** Watched variants by message and host. */
  private readonly variants = new Map<string, number>();

  constructor(clock: Clock, options: RepeatLimitOptions) {
    this.clock = clock;
    this.options = options;
  }

  /** `about`: the message and the host; `variant`: the other fields that distinguish lines. */
  writeOrCount(about: string, variant: string, write: (extra: LogFields) => void): void {
    const key = `${about}\n${variant}`;
    if (this.count(key, write)) return;
    const variants = this.variants.get(about) ?? 0;
    if (variants >= this.options.variantsMax) {
      // No line has this key: the key of a variant contains a line feed.
      if (this.count(about, write)) return;
      this.makeRoom();
      this.watch(about, "leftOut", 1, write);
      return;
    }
    this.makeRoom();
    this.variants.set(about, variants + 1);
    write({});
    this.watch(key, "repeated", 0, write);
  }

  /** Counts a line that is watched; returns whether it is. */
  private count(key: string, write: (extra: LogFields) => void): boolean {
    const known = this.watched.get(key);
    if (known === undefined) return false;
    known.repeated++;
    known.write = write;
    return true;
  }

  private makeRoom(): void {
    const oldest = this.watched.keys().next();
    if (this.watched.size >= this.options.keysMax && !oldest.done) this.close(oldest.value);
  }

  [Symbol.dispose](): void {
    for (const key of this.watched.keys()) this.close(key);
  }

  private watch(key: string, as: Watched["as"], repeated: number, write: (extra: LogFields) => void): void {
    const timer = this.clock.setTimer(this.options.windowMs, () => {
      const isOfVariant = as === "repeated";
      // A line that still repeats stays watched, so that it costs one line per window.
      if (this.close(key) > 0 && isOfVariant) {
        this.watch(key, as, 0, write);
        this.addVariant(key, 1);
      }
    });
    assert(!this.watched.has(key), "a line is watched once");
    this.watched.set(key, { timer, as, repeated, write });
    assert(this.watched.size <= this.options.keysMax, "watched lines stay within their bound");
  }

  private addVariant(key: string, by: 1 | -1): void {
    const about = key.slice(0, key.indexOf("\n"));
    const variants = (this.variants.get(about) ?? 0) + by;
    assert(variants >= 0, "a variant is counted once");
    if (variants === 0) this.variants.delete(about);
    else this.variants.set(about, variants);
  }

  /** Returns the number of repetitions. */
  private close(key: string): number {
    const watched = this.watched.get(key);
    if (watched === undefined) return 0;
    this.watched.delete(key);
    watched.timer[Symbol.dispose]();
    if (watched.as === "repeated") this.addVariant(key, -1);
    if (watched.repeated > 0) watched.write({ [watched.as]: watched.repeated });
    return watched.repeated;
  }
}

class LimitedLogger extends PassingLogger {
  private readonly table: RepeatTable;
  private readonly peer: unknown;

  constructor(inner: Logger, table: RepeatTable, peer: unknown) {
    super(inner);
    this.table = table;
    this.peer = peer;
  }

  override warn(message: string, fields?: LogFields): void {
    this.limited("warn", message, fields);
  }

  override error(message: string, fields?: LogFields): void {
    this.limited("error", message, fields);
  }

  override child(fields: LogFields): Logger {
    return new LimitedLogger(this.inner.child(fields), this.table, fields["peer"] ?? this.peer);
  }

  private limited(level: "warn" | "error", message: string, fields: LogFields | undefined): void {
    const peer = fields?.["peer"] ?? this.peer;
    if (typeof peer !== "string") {
      this.inner[level](message, fields);
      return;
    }
    const host = peer.replace(/:\d+$/, "");
    const variant = ["detail", "user", "reason"].map((name) => shown(fields?.[name])).join("\n");
    this.table.writeOrCount(`${level} ${host} ${message.replaceAll("\n", " ")}`, variant, (extra) =>
      this.inner[level](message, { ...fields, ...extra }),
    );
  }
}

function shown(value: unknown): string {
  return typeof value === "string" ? value.slice(0, VARIANT_LENGTH_MAX) : "";
}
