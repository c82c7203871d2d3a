/**
 * The scrub of the server: reads all that its streams and consumers have on the disk, again and again, each time spread over the
 * interval, so that damage is known before anybody needs what it has taken. What memory still knows is written again.
 *
 * A slice is some files, or 64 KiB of one. However short the interval is, no more than 64 MiB are read in a second: then a pass takes longer.
 */
import { TIMER_MAX_MS } from "../base/duration.ts";
import type { Clock } from "../base/clock.ts";
import { DiskError } from "../store/disk.ts";
import type { Finding } from "../store/scrub.ts";
import type { Assets, StreamAssets } from "./assets.ts";
import { writeObject } from "./codec.ts";
import { isMetaSound, writeMeta } from "./meta.ts";
import { streamShape } from "./stream/config.ts";

const SLICE_BYTES = 64 * 1024;
const SLICE_FILES = 16;
const RATE_MAX_BYTES_PER_MS = (64 * 1024 * 1024) / 1000;
/** How often it is looked at how much there is to read. */
const MEASURE_MS = 1000;
/** Part of the interval that a pass is spread over. */
const SPREAD = 0.9;
/** What one slice may take of that, however little there is to read: there may soon be more. */
const PART_MAX = 1 / 32;

export interface ScrubCounters {
  /** Complete ones. */
  passes: number;
  /** Read since the start. */
  bytes: number;
  /** Files, or blocks of a stream, in which something was damaged. */
  damaged: number;
  /** Of these, those that have been written again. */
  mended: number;
  /** Part of the present pass that is done: 0 to 1. */
  progress: number;
  /** Milliseconds since the epoch; 0: no pass is complete yet. */
  finishedMs: number;
}

export interface ScrubberOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly accounts: readonly Assets[];
}

export class Scrubber {
  readonly counters: ScrubCounters = {
    passes: 0,
    bytes: 0,
    damaged: 0,
    mended: 0,
    progress: 0,
    finishedMs: 0,
  };
  private readonly options: ScrubberOptions;
  private pass: Generator<number, void> | null = null;
  private passBytes = 0;
  private totalBytes = 0;
  private measuredMs = 0;
  private startedMs = 0;
  private timer: Disposable | null = null;

  constructor(options: ScrubberOptions) {
    this.options = options;
  }

  start(): void {
    this.begin();
  }

  stop(): void {
    this.timer?.[Symbol.dispose]();
    this.timer = this.pass = null;
  }

  private begin(): void {
    this.startedMs = this.options.clock.nowMs();
    this.pass = this.all();
    this.passBytes = 0;
    this.measure();
    this.later(0);
  }

  /** How much there is to read: it grows while a pass goes on. */
  private measure(): void {
    this.measuredMs = this.options.clock.nowMs();
    this.totalBytes = 0;
    for (const { streams } of this.options.accounts)
      for (const assets of streams.values()) this.totalBytes += bytesOf(assets);
  }

  private later(bytes: number): void {
    const { intervalMs, clock } = this.options;
    if (clock.nowMs() - this.measuredMs >= MEASURE_MS || this.totalBytes < this.passBytes) this.measure();
    const part = Math.min(PART_MAX, bytes / Math.max(this.totalBytes, this.passBytes, 1));
    const delayMs = Math.max(1, bytes / RATE_MAX_BYTES_PER_MS, SPREAD * intervalMs * part);
    this.timer = clock.setTimer(Math.min(TIMER_MAX_MS, delayMs), () => this.step());
  }

  private step(): void {
    const { pass, counters } = this;
    let bytes = 0;
    for (let files = 0; files < SLICE_FILES && bytes < SLICE_BYTES; files++) {
      const { done, value } = pass!.next();
      if (done === true) {
        this.end();
        return;
      }
      bytes += value;
    }
    counters.bytes += bytes;
    this.passBytes += bytes;
    counters.progress = Math.min(1, this.passBytes / Math.max(this.totalBytes, this.passBytes, 1));
    this.later(bytes);
  }

  private end(): void {
    const { counters, startedMs } = this;
    const { clock, intervalMs } = this.options;
    counters.passes++;
    counters.progress = 1;
    counters.finishedMs = clock.nowMs();
    const restMs = Math.max(1, startedMs + intervalMs - counters.finishedMs);
    this.timer = clock.setTimer(Math.min(TIMER_MAX_MS, restMs), () => this.begin());
  }

  private *all(): Generator<number, void> {
    for (const assets of this.options.accounts)
      for (const [name, one] of [...assets.streams])
        if (assets.streams.get(name) === one) yield* this.guarded(assets, one);
  }

  /** Ends when the stream is deleted: its files are closed then. A disk that cannot be read is said, and the next stream follows. */
  private *guarded(assets: Assets, one: StreamAssets): Generator<number, void> {
    const { name } = one.stream.config;
    const slices = scrubStream(assets, one, (finding) => this.found(assets, name, finding));
    for (;;) {
      try {
        const { done, value } = slices.next();
        if (done === true) return;
        yield value;
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        const where = { account: assets.host.name, stream: name, error: error.message };
        assets.host.logger.error("the scrub cannot read or mend what a stream has on the disk", where);
        return;
      }
      if (assets.streams.get(name) !== one) return;
    }
  }

  private found(assets: Assets, stream: string, { file, outcome }: Finding): void {
    this.counters.damaged++;
    if (outcome === "mended") this.counters.mended++;
    assets.host.logger.error("the scrub has found damage on the disk", {
      account: assets.host.name,
      stream,
      file,
      outcome: OUTCOMES[outcome],
    });
  }
}

const OUTCOMES = {
  lost: "messages are lost and known missing",
  mended: "the file has been written again",
  kept: "no message that is still there is lost; the file stays as it is",
};

/** Bytes that a pass reads of it. */
function bytesOf({ stream, consumers }: StreamAssets): number {
  if (stream.store.isInMemory) return 0;
  let sum = stream.store.log.sizeBytes;
  for (const consumer of consumers.values()) sum += consumer.journal.log.sizeBytes;
  return sum;
}

function* scrubStream(
  assets: Assets,
  one: StreamAssets,
  found: (finding: Finding) => void,
): Generator<number, void> {
  const { stream, consumers } = one;
  if (stream.store.isInMemory) return;
  const { disk } = assets.options;
  const folder = `${assets.options.folder}/streams/${stream.config.name}`;
  if (!isMetaSound(disk, folder)) {
    writeMeta(disk, folder, stream.created, writeObject(streamShape, stream.config));
    found({ file: `${folder}/meta.json`, outcome: "mended" });
  }
  if (!stream.positions.isSound()) {
    stream.positions.saveAgain(stream.store);
    found({ file: `${folder}/sources.json`, outcome: "mended" });
  }
  yield 0;
  for (const [name, consumer] of [...consumers]) {
    if (consumers.get(name) !== consumer || consumer.journal.log.isInMemory) continue;
    const path = `${folder}/obs/${name}`;
    if (!isMetaSound(disk, path)) {
      assets.keepConfig(consumer, consumer.config);
      found({ file: `${path}/meta.json`, outcome: "mended" });
    }
    if (!consumer.journal.log.isSound()) {
      consumer.journal.fold();
      found({ file: path, outcome: "mended" });
    }
    yield consumer.journal.log.sizeBytes;
  }
  yield* stream.store.scrub(found);
}
