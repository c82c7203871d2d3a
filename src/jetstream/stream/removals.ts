/**
 * Removes many messages of a stream: purges, what nobody wants any more, what is too much for new limits. All of it is done in steps that
 * remove and look at a bounded number of messages, so that others have their turn; what is little is done when it returns.
 */
import type { PurgeOptions } from "../../store/stream-store-options.ts";
import type { StreamStore } from "../../store/stream-store.ts";
import type { WorkStep, LongWork } from "./long-work.ts";
import type { StreamConfig } from "./config.ts";
import { enforceLimits } from "./enforce.ts";
import type { Reader } from "./reader.ts";

/** Messages that a step removes, and messages or subjects that it looks at. */
const REMOVED_PER_STEP = 500;
const LOOKED_AT_PER_STEP = 4000;
/** Messages whose subjects a step looks at. */
const SUBJECTS_PER_STEP = 4000;

export interface RemovalsHost {
  readonly config: StreamConfig;
  readonly store: StreamStore;
  readonly readers: ReadonlySet<Reader>;
  readonly longWork: LongWork;
  /** False: another server decides. */
  readonly serves: boolean;
  remove(sequence: number): boolean;
  settled(sequence: number): void;
  touch(): void;
}

export class Removals {
  private readonly host: RemovalsHost;
  /** What nobody wants is looked for from here on; 0: it is not looked for. */
  private unwantedFrom = 0;
  private isEnforcing = false;

  constructor(host: RemovalsHost) {
    this.host = host;
  }

  /** `done` is told how many messages went. What is stored meanwhile stays. */
  purge(options: PurgeOptions, done: (gone: number) => void = () => undefined): void {
    const { store, readers, longWork } = this.host;
    const { filter, below, keep } = options;
    const isAll = filter === null || filter === ">";
    if (isAll && keep === 0 && (below === 0 || below > store.last)) {
      const gone = store.purge(options); // nothing stays
      for (const reader of readers) reader.purged();
      this.host.touch();
      done(gone);
      return;
    }
    const to = below === 0 ? store.last : Math.min(below - 1, store.last);
    const begin = (rest: number): void =>
      longWork.begin(this.purging({ filter: isAll ? null : filter, to, rest }, done));
    if (keep === 0) begin(Infinity);
    else if (isAll) begin(store.messages - keep);
    else this.count(filter, to, (count) => begin(count - keep));
  }

  /** A reader needs these no longer. */
  settleAll(sequences: Float64Array): void {
    if (sequences.length === 0) return;
    let at = 0;
    this.host.longWork.begin(() => {
      for (let left = this.perStep(); left > 0 && at < sequences.length; left--, at++)
        this.host.settled(sequences[at]!);
      return at === sequences.length ? "done" : "more";
    });
  }

  /** A reader has come or gone, or its filters have changed. Only for interest retention. */
  dropUnwanted(): void {
    const { config, store, longWork, serves } = this.host;
    if (config.retention !== "interest" || !serves) return;
    const isUnderWay = this.unwantedFrom > 0;
    this.unwantedFrom = 1;
    if (isUnderWay) return;
    longWork.begin(() => {
      for (let left = this.perStep(); left > 0; left--) {
        const at = store.next(this.unwantedFrom, null);
        this.unwantedFrom = at === 0 ? 0 : at + 1;
        if (at === 0) return "done";
        this.host.settled(at);
      }
      return "more";
    });
  }

  /** The limits may be others than they were. */
  enforce(): void {
    if (this.isEnforcing) return;
    this.isEnforcing = true;
    let judged: StreamConfig | null = null;
    let number = 1;
    let over = 0;
    let from = 0;
    this.host.longWork.begin(() => {
      const { store, config } = this.host;
      if (config !== judged) {
        judged = config; // it has changed meanwhile
        [number, over, from] = [1, 0, 0];
      }
      if (enforceLimits(this.host, "") === "more") return "more";
      const end = Math.min(store.subjects.numbersEnd, number + LOOKED_AT_PER_STEP);
      if (config.maxPerSubject > 0)
        for (; number < end; number++)
          over += Math.max(0, store.subjects.countOf(number) - config.maxPerSubject);
      if (config.maxPerSubject > 0 && number < store.subjects.numbersEnd) return "more";
      if (over > 0) from = this.enforcePerSubject(from);
      if (over > 0 && from !== 0) return "more";
      this.isEnforcing = false;
      return "done";
    });
  }

  /** Messages from a sequence on of which their subject has too many go, some of them. Returns where to go on; 0: all have been looked at. */
  private enforcePerSubject(from: number): number {
    const { config, store } = this.host;
    let at = from;
    let left = this.perStep();
    for (let looked = 0; looked < SUBJECTS_PER_STEP && left > 0; looked++) {
      at = store.next(at, null);
      if (at === 0) return 0;
      if (store.countOfSubjectAt(at) > config.maxPerSubject) {
        this.host.remove(at);
        left--;
      }
      at++;
    }
    return at;
  }

  private purging(
    { filter, to, rest }: { filter: string | null; to: number; rest: number },
    done: (gone: number) => void,
  ): WorkStep {
    const { store, readers } = this.host;
    const filters = filter === null ? null : [filter];
    let from = filter === null ? store.first : store.startOf(filter);
    let gone = 0;
    return () => {
      let left = this.perStep();
      for (let rows = LOOKED_AT_PER_STEP; left > 0 && rows > 0 && gone < rest; left--) {
        const at = store.nextWithin(from, filters, to, rows);
        rows -= store.lookedAt;
        from = at === 0 ? to + 1 : Math.abs(at);
        if (at <= 0) break;
        const subject = readers.size === 0 ? "" : store.subjectOf(at);
        if (filter !== null) store.remove(at);
        for (const reader of readers) reader.purgedOne(at, subject);
        from = at + 1;
        gone++;
      }
      if (filter === null) store.compact(from);
      this.host.touch();
      if (from <= to && gone < rest) return "more";
      for (const reader of readers) reader.wake();
      done(gone);
      return "done";
    };
  }

  private count(filter: string, to: number, done: (count: number) => void): void {
    const { store, longWork } = this.host;
    if (to === store.last && store.isCountedAtOnce(store.first, [filter])) {
      done(store.countFrom(store.first, [filter]));
      return;
    }
    let from = store.startOf(filter);
    let count = 0;
    longWork.begin(() => {
      for (let left = LOOKED_AT_PER_STEP; left > 0; left -= Math.max(1, store.lookedAt)) {
        const at = store.nextWithin(from, [filter], to, left);
        if (at === 0) {
          done(count);
          return "done";
        }
        from = at < 0 ? -at : at + 1;
        if (at < 0) return "more";
        count++;
      }
      return "more";
    });
  }

  /** Each reader is told of each message. */
  private perStep(): number {
    return Math.max(10, Math.floor(REMOVED_PER_STEP / (1 + this.host.readers.size / 4)));
  }
}
