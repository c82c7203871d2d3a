/**
 * The interest of one account: its sublist, and the plans built from it.
 *
 * Plans are kept in a table by a hash over the subject's raw bytes, four to a set, so that looking one up makes no
 * string, and so that the table is bounded by its size: a new plan takes the place of another of its set.
 *
 * Invalidation is precise where it can be. A change of interest in a literal subject drops the plan of that subject. A
 * change with wildcards counts up the generation of the plans whose first token it may cover; those are found stale
 * when they are used next. `version` counts every change: the parser's memo of the previous message holds by it.
 */
import { assert, halfChanged } from "../base/assert.ts";
import { Work } from "../base/work.ts";
import { hashBytes, sameBytes } from "../slab/hash.ts";
import {
  clearSpareHeads,
  HEAD_MAX,
  hasSpareHeads,
  leaveHeads,
  makeRoomForHeads,
  shareHeads,
  type HeadsUser,
} from "../slab/heads.ts";
import { AREA, LINE_MAX } from "../slab/layout.ts";
import { readText, writeText } from "../slab/memory.ts";
import { hasEmptyToken, hasWildcard } from "../subject/subject.ts";
import { Sublist } from "../subject/sublist.ts";
import { isAckSubject } from "../protocol/shown-subject.ts";
import { ageBuckets, BUCKETS, bucketOf } from "./buckets.ts";
import { Plan } from "./plan.ts";
import { UniqueSubjects } from "./unique-subjects.ts";
import { dropFiltered, type Interested } from "./subscription.ts";

const WAYS = 4;
const SETS_MIN = 32;
/** Bound of the table: 4 * 8192 plans for each account. */
const SETS_MAX = 8192;
/** From so many plans on, subjects that differ in their last token share one where nothing depends on that token. */
const SHARED_FROM = 16_384;
assert((SETS_MAX & (SETS_MAX - 1)) === 0, "the number of sets is a power of two");

export interface InterestSnapshot {
  readonly subscriptions: number;
  readonly cached: number;
  readonly inserts: number;
  readonly removes: number;
  readonly matches: number;
  readonly misses: number;
  /** Receivers of cached plans: the maximum and the sum. */
  readonly fanoutMax: number;
  readonly fanoutSum: number;
}

export class Interest implements Disposable, HeadsUser {
  /** Counts every change. */
  version = 0;
  /** Called with every subject, with wildcards, that gains its first interest; null: not needed. */
  onAdded: ((subject: string) => void) | null = null;
  private readonly account: string;
  private readonly work: Work;
  private readonly sublist = new Sublist<Interested>();
  private readonly generations = new Int32Array(BUCKETS);
  private table: (Plan | null)[] = new Array<Plan | null>(SETS_MIN * WAYS).fill(null);
  private mask = SETS_MIN - 1;
  private cached = 0;
  private turn = 0;
  private inserts = 0;
  private removes = 0;
  private misses = 0;
  /** Calls of `plan`; messages that the parser's memo resolved are not included. */
  private lookups = 0;
  private matched: Interested[] = [];
  private readonly unique: UniqueSubjects;

  constructor(account: string, work = new Work()) {
    this.account = account;
    this.work = work;
    this.unique = new UniqueSubjects(account, this.sublist, work);
    shareHeads(this);
  }

  /** Releases all memory in the slab. */
  [Symbol.dispose](): void {
    this.evictAll();
    leaveHeads(this);
  }

  get size(): number {
    return this.sublist.size;
  }

  add(item: Interested): void {
    this.sublist.insert(item);
    this.inserts++;
    this.unique.count(item.subject, 1);
    this.changed(item.subject);
    this.onAdded?.(item.subject);
  }

  remove(item: Interested): boolean {
    if (!this.sublist.remove(item)) return false;
    this.removes++;
    this.unique.count(item.subject, -1);
    this.changed(item.subject);
    return true;
  }

  /** Invalidates the plans that contain this item, whose weight or rights have changed. */
  changed(subject: string): void {
    this.version++;
    if (hasWildcard(subject)) {
      ageBuckets(this.generations, subject);
      this.unique.changed(subject);
    } else if (this.cached > 0) this.dropLiteral(subject);
  }

  /** Invalidates every plan. */
  changedAltogether(): void {
    this.version++;
    ageBuckets(this.generations, ">");
    this.unique.changedAltogether();
  }

  has(item: Interested): boolean {
    return this.sublist.has(item);
  }

  /** Safe to iterate while items come and go: items that stay are visited. */
  items(): Iterable<Interested> {
    return this.sublist;
  }

  /** Whether any interest, local or remote, covers the literal subject. */
  covers(subject: string): boolean {
    const found: Interested[] = [];
    this.sublist.match(subject, found);
    return found.length > 0;
  }

  /** Items that cover the literal subject and whose owners have no permission for it. */
  refusing(subject: string): Interested[] {
    const found: Interested[] = [];
    if (!hasEmptyToken(subject)) this.sublist.match(subject, found);
    const admitted = [...found];
    dropFiltered(admitted, subject);
    const isAdmitted = new Set(admitted);
    return found.filter((item) => !isAdmitted.has(item));
  }

  snapshot(): InterestSnapshot {
    const { inserts, removes, cached, misses } = this;
    let fanoutMax = 0;
    let fanoutSum = 0;
    for (const plan of this.table) {
      const fanout = plan?.fanout ?? 0;
      fanoutMax = Math.max(fanoutMax, fanout);
      fanoutSum += fanout;
    }
    const subscriptions = this.sublist.size;
    return { subscriptions, cached, inserts, removes, matches: this.lookups, misses, fanoutMax, fanoutSum };
  }

  /** The plan for the subject at `at` in the slab, with its hash (`hashBytes`). Valid until the next call. */
  plan(at: number, length: number, hash: number): Plan {
    this.lookups++;
    const set = (hash & this.mask) * WAYS;
    for (let slot = set; slot < set + WAYS; slot++) {
      const plan = this.table[slot]!;
      if (plan === null) break;
      if (plan.hash !== hash || !isFor(plan, at, length)) continue;
      if (plan.generation === this.generations[plan.bucket]) return plan;
      return this.replan(slot, at, length, hash);
    }
    return this.newPlan(at, length, hash);
  }

  private newPlan(at: number, length: number, hash: number): Plan {
    const shared = this.cached >= SHARED_FROM ? this.unique.ofInbox(at, length) : null;
    return shared ?? this.replan(this.freeSlot(hash), at, length, hash);
  }

  /** The same for a message that the server makes: most go to a different subject below an inbox each time. */
  planOfServer(at: number, length: number, hash: number): Plan {
    const plan = this.unique.ofInbox(at, length);
    if (plan === null) return this.plan(at, length, hash);
    this.lookups++;
    return plan;
  }

  /** Whether the plan of one message of the server's holds for all that goes to the same inbox, until interest changes. */
  standsForPrefix(plan: Plan): boolean {
    return !plan.isOfOneSubject && this.unique.isUniform(plan);
  }

  /** The same for a received message that may be an acknowledgement, each of which has a different subject. */
  planOfMessage(at: number, length: number, hash: number): Plan {
    if (!isAckSubject(at, length)) return this.plan(at, length, hash);
    const plan = this.unique.ofAck(at, length);
    if (plan === null) return this.plan(at, length, hash);
    this.lookups++;
    return plan;
  }

  /**
   * Whether a message that the server makes would have a receiver. Builds no plan, so it may be called during a delivery.
   */
  isAwaited(subject: string): boolean {
    return this.unique.isKnownAwaited(subject) || this.covers(subject);
  }

  /** A slot of the hash's set. Sets are filled from the front; in a full set, plans are evicted in turn. */
  private freeSlot(hash: number): number {
    const set = (hash & this.mask) * WAYS;
    for (let slot = set; slot < set + WAYS; slot++) if (this.table[slot] === null) return slot;
    const sets = this.mask + 1;
    if (sets >= SETS_MAX || sets > 8 * this.cached) return set + (this.turn & (WAYS - 1));
    this.grow();
    return this.freeSlot(hash);
  }

  private replan(slot: number, at: number, length: number, hash: number): Plan {
    this.misses++;
    const subject = readText(at, length);
    this.find(subject); // what depends on the subject's form comes first, since nothing is changed by it
    try {
      this.forget(slot);
      let plan = this.build(subject, hash);
      if (hasSpareHeads() && this.fitsArena(length)) {
        plan.release();
        makeRoomForHeads();
        plan = this.build(subject, hash);
      }
      if (hasSpareHeads()) {
        plan.release(); // it holds for this message alone
        this.closeGap(slot);
      } else {
        this.table[slot] = plan;
        this.cached++;
      }
      this.matched = [];
      return plan;
    } catch (error) {
      throw halfChanged(error);
    }
  }

  /** Whether both heads of a subject of this length fit into an empty arena. */
  private fitsArena(subjectLength: number): boolean {
    return this.account.length + subjectLength + 16 <= HEAD_MAX;
  }

  /** Collects the interest in the subject in `matched`. */
  private find(subject: string): void {
    const isEmpty = hasEmptyToken(subject);
    const matched = isEmpty ? [] : this.sublist.itemsOf(subject);
    const nodes = isEmpty ? 0 : this.sublist.matchPatterns(subject, matched);
    this.work.planned(nodes + matched.length);
    dropFiltered(matched, subject);
    this.matched = matched;
  }

  /** Builds a plan from the result of `find`. */
  private build(subject: string, hash: number): Plan {
    clearSpareHeads();
    const bucket = bucketOf(subject);
    const generation = this.generations[bucket]!;
    const { account, matched: interested, work } = this;
    return new Plan({
      subject,
      account,
      hash,
      bucket,
      generation,
      interested,
      work,
      turn: this.turn++,
    });
  }

  private forget(slot: number): void {
    const plan = this.table[slot];
    if (plan === null || plan === undefined) return;
    plan.release();
    this.table[slot] = null;
    this.cached--;
  }

  /** Gives back all heads in the slab. */
  evictAll(): void {
    for (let slot = 0; slot < this.table.length; slot++) this.forget(slot);
    this.unique.evictAll();
  }

  private grow(): void {
    const old = this.table;
    const sets = (this.mask + 1) * 4;
    this.mask = sets - 1;
    this.table = new Array<Plan | null>(sets * WAYS).fill(null);
    for (const plan of old) if (plan !== null) this.table[this.freeSlot(plan.hash)] = plan;
  }

  private dropLiteral(subject: string): void {
    if (subject.length > LINE_MAX) return; // no message has it
    const { at } = AREA.hashed;
    writeText(at, subject);
    const hash = hashBytes(at, subject.length);
    const set = (hash & this.mask) * WAYS;
    for (let slot = set; slot < set + WAYS; slot++) {
      const plan = this.table[slot]!;
      if (plan === null) return;
      if (plan.hash !== hash || !isFor(plan, at, subject.length)) continue;
      this.forget(slot);
      this.closeGap(slot);
      return;
    }
  }

  /** The last plan of the set moves into the gap. */
  private closeGap(gap: number): void {
    let last = gap | (WAYS - 1);
    while (last > gap && this.table[last] === null) last--;
    if (last === gap) return;
    this.table[gap] = this.table[last]!;
    this.table[last] = null;
  }
}

function isFor(plan: Plan, at: number, length: number): boolean {
  return plan.subjectLength === length && sameBytes(plan.subjectAt, at, length);
}
