/**
 * Plans for subjects that differ from message to message behind a prefix: the reply subjects of an inbox, which differ in their last
 * token, and acknowledgements of one consumer. One plan stands for all subjects below the prefix, with the same number of tokens behind
 * it; the rest is written into its heads for each message. No plan is made or kept for a subject that is used once.
 *
 * That holds where nothing depends on the rest. Where something does (a pattern that names a token there, a filter, a way into another
 * account), the entry says so, and subjects below it are looked up one by one. Literal subscriptions are looked for before an entry is
 * used: see `Interest`.
 *
 * Invalidation is by generation, as for plans; `changed` makes it precise for inboxes: a change of interest in `prefix.*` evicts the
 * entry of that prefix alone. Bounded by the table: SETS * WAYS entries, of which a new one takes the place of another of its set.
 */
import { hasWildcard } from "../subject/subject.ts";
import { hashBytes, sameBytes } from "../slab/hash.ts";
import { releaseHead, takeHead } from "../slab/heads.ts";
import { AREA, LINE_MAX } from "../slab/layout.ts";
import { writeText } from "../slab/memory.ts";
import type { Plan } from "./plan.ts";

const WAYS = 4;
const SETS = 512;

export interface PrefixPlan {
  /** Where the prefix lies, with its dot. */
  readonly at: number;
  readonly length: number;
  readonly hash: number;
  readonly bucket: number;
  readonly generation: number;
  /** null: what is found depends on the rest. */
  readonly plan: Plan | null;
}

export class PrefixPlans {
  /** null: nothing has been looked up yet. */
  private table: (PrefixPlan | null)[] | null = null;
  private turn = 0;

  /** `length`: of the prefix with its dot. null: it is not known, or not as it is now. */
  find(at: number, length: number, hash: number, generations: Int32Array): PrefixPlan | null {
    const { table } = this;
    if (table === null) return null;
    const set = (hash & (SETS - 1)) * WAYS;
    for (let slot = set; slot < set + WAYS; slot++) {
      const entry = table[slot]!;
      if (entry === null || entry.hash !== hash || entry.length !== length) continue;
      if (!sameBytes(entry.at, at, length)) continue;
      if (entry.generation === generations[entry.bucket]) return entry;
      this.evict(slot);
      return null;
    }
    return null;
  }

  add(entry: PrefixPlan): void {
    const table = (this.table ??= new Array<PrefixPlan | null>(SETS * WAYS).fill(null));
    const set = (entry.hash & (SETS - 1)) * WAYS;
    let slot = set;
    while (slot < set + WAYS && table[slot] !== null) slot++;
    if (slot === set + WAYS) {
      slot = set + (this.turn++ & (WAYS - 1));
      this.evict(slot);
    }
    table[slot] = entry;
  }

  /** Interest in the pattern has changed. False: it does not name one prefix, and the entries that it covers have to become stale. */
  changed(pattern: string): boolean {
    const from = pattern.lastIndexOf(".") + 1;
    const prefix = pattern.slice(0, from);
    if (from === 0 || pattern.length !== from + 1 || pattern[from] !== "*" || hasWildcard(prefix))
      return false;
    if (this.table !== null && from <= LINE_MAX) this.evictPrefix(prefix);
    return true;
  }

  evictAll(): void {
    if (this.table === null) return;
    for (let slot = 0; slot < this.table.length; slot++) this.evict(slot);
  }

  private evictPrefix(prefix: string): void {
    const { at } = AREA.hashed;
    const { length } = prefix;
    writeText(at, prefix);
    const hash = hashBytes(at, length);
    const set = (hash & (SETS - 1)) * WAYS;
    for (let slot = set; slot < set + WAYS; slot++) {
      const entry = this.table![slot]!;
      if (entry !== null && entry.hash === hash && entry.length === length && sameBytes(entry.at, at, length))
        this.evict(slot);
    }
  }

  private evict(slot: number): void {
    const entry = this.table![slot]!;
    if (entry === null) return;
    this.table![slot] = null;
    if (entry.plan === null) releaseHead(entry.at, entry.length);
    else entry.plan.release();
  }
}

/** Keeps a prefix whose subjects are looked up one by one. */
export function keepPrefix(prefix: string): number {
  const at = takeHead(prefix.length);
  writeText(at, prefix);
  return at;
}
