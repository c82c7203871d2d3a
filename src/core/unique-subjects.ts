/**
 * Finds the plans for messages whose subjects are used once: what the server sends to inboxes, acknowledgements, and what is published on
 * more subjects than plans are kept for. A plan of a prefix
 * stands for all subjects below it (prefix-plans.ts); this file says which prefix that is, builds its plan, and knows what invalidates
 * it.
 *
 *     _INBOX.Xa3k.17                                one token behind the last dot
 *     $JS.ACK.stream.consumer.1.17.17.1764….9       what follows stream and consumer, by the number of tokens
 *
 * null: the subject needs a lookup of its own.
 */
import { halfChanged } from "../base/assert.ts";
import type { Work } from "../base/work.ts";
import { isAckSubject } from "../protocol/shown-subject.ts";
import { hashBytes } from "../slab/hash.ts";
import { clearSpareHeads, hasSpareHeads, HEAD_MAX } from "../slab/heads.ts";
import { AREA, LINE_MAX } from "../slab/layout.ts";
import { bytes, readText, writeText } from "../slab/memory.ts";
import { hasEmptyToken, hasWildcard } from "../subject/subject.ts";
import type { Sublist } from "../subject/sublist.ts";
import { ageBuckets, BUCKETS, bucketOf } from "./buckets.ts";
import { Plan } from "./plan.ts";
import { keepPrefix, PrefixPlans } from "./prefix-plans.ts";
import { dropFiltered, isCrossing, type Interested } from "./subscription.ts";

const DOT = 0x2e;
/** Longest last token of an inbox's subject, and of what follows stream and consumer in an acknowledgement. */
const TOKEN_MAX = 64;
const ACK_REST_MAX = 128;
const ACK = "$JS.ACK.";
/** Counters of literal subscriptions. A power of two. */
const LITERALS = 1024;

export class UniqueSubjects {
  /** Plans built. */
  built = 0;
  private readonly account: string;
  private readonly sublist: Sublist<Interested>;
  private readonly inboxes = new PrefixPlans();
  private readonly acks = new PrefixPlans();
  /** Count the changes that no entry is evicted for: of inboxes those that name no prefix, of acknowledgements all with wildcards. */
  private readonly inboxGenerations = new Int32Array(BUCKETS);
  private readonly ackGenerations = new Int32Array(BUCKETS);
  /** Literal subscriptions by the hash of what stands before their last token, and those to one acknowledgement. */
  private readonly literals = new Int32Array(LITERALS);
  private ackLiterals = 0;

  private readonly work: Work;

  constructor(account: string, sublist: Sublist<Interested>, work: Work) {
    this.account = account;
    this.work = work;
    this.sublist = sublist;
  }

  /** Valid until another plan is looked up. */
  ofInbox(at: number, length: number): Plan | null {
    const from = lastDot(at, length) + 1;
    const tokenLength = length - from;
    if (from <= 0 || tokenLength === 0 || tokenLength > TOKEN_MAX) return null;
    const hash = hashBytes(at, from);
    const { inboxes, inboxGenerations: generations } = this;
    const known = inboxes.find(at, from, hash, generations);
    const plan =
      known === null
        ? this.open(at, from, { hash, rest: 1, room: TOKEN_MAX, into: inboxes, generations })
        : known.plan;
    if (plan === null) return null;
    if (this.literals[hash & (LITERALS - 1)]! > 0 && this.sublist.hasLiteral(readText(at, length)))
      return null;
    plan.setRest(at + from, tokenLength);
    return plan;
  }

  /** Whether no literal subscription takes a subject below the prefix of the plan. */
  isUniform(plan: Plan): boolean {
    return this.literals[plan.hash & (LITERALS - 1)] === 0;
  }

  /** Valid until another plan is looked up. null also for a subject of another kind. */
  ofAck(at: number, length: number): Plan | null {
    if (!isAckSubject(at, length) || this.ackLiterals > 0) return null;
    const from = fourTokens(at, length);
    const restLength = length - from;
    const rest = tokensOf(at + from, restLength);
    if (from === 0 || rest === 0 || restLength > ACK_REST_MAX) return null;
    const hash = hashBytes(at, from) ^ Math.imul(rest, 0x9e3779b1);
    const { acks, ackGenerations: generations } = this;
    const known = acks.find(at, from, hash, generations);
    const plan =
      known === null
        ? this.open(at, from, { hash, rest, room: ACK_REST_MAX, into: acks, generations })
        : known.plan;
    plan?.setRest(at + from, restLength);
    return plan;
  }

  /** Whether the plan of its inbox is there and says that somebody would get a message on the subject. Builds no plan. */
  isKnownAwaited(subject: string): boolean {
    const from = subject.lastIndexOf(".") + 1;
    if (from === 0 || subject.length === from || subject.length > LINE_MAX) return false;
    const { at } = AREA.hashed;
    writeText(at, subject);
    const inbox = this.inboxes.find(at, from, hashBytes(at, from), this.inboxGenerations);
    return inbox?.plan?.isEmpty === false;
  }

  /** Counts a subscription that came or went; `changed` is called as well. */
  count(subject: string, by: 1 | -1): void {
    if (hasWildcard(subject)) return;
    const { length } = subject;
    if (length > LINE_MAX) return; // no message has it
    const { at } = AREA.hashed;
    writeText(at, subject);
    const from = lastDot(at, length) + 1;
    this.literals[hashBytes(at, from) & (LITERALS - 1)]! += by;
    if (subject.startsWith(ACK)) this.ackLiterals += by;
  }

  /** Interest in a pattern with wildcards has changed. */
  changed(pattern: string): void {
    ageBuckets(this.ackGenerations, pattern);
    if (!this.inboxes.changed(pattern)) ageBuckets(this.inboxGenerations, pattern);
  }

  changedAltogether(): void {
    ageBuckets(this.ackGenerations, ">");
    ageBuckets(this.inboxGenerations, ">");
  }

  evictAll(): void {
    this.inboxes.evictAll();
    this.acks.evictAll();
  }

  /** `length`: of the prefix with its dot. null: what is found depends on the rest, or there is no room for the plan. */
  private open(at: number, length: number, how: Opening): Plan | null {
    const { account, work } = this;
    const { hash, rest, room: tokenRoom, into, generations } = how;
    if (account.length + length + tokenRoom + 16 > HEAD_MAX) return null;
    const prefix = readText(at, length);
    const interested: Interested[] = [];
    const isAnyRest =
      hasEmptyToken(prefix.slice(0, -1)) ||
      (this.sublist.matchBelow(prefix, rest, interested) && interested.every(isForAnySubject));
    work.planned(interested.length);
    dropFiltered(interested, prefix);
    try {
      clearSpareHeads();
      const bucket = bucketOf(prefix);
      const generation = generations[bucket]!;
      const turn = this.built++;
      const plan = isAnyRest
        ? new Plan({ subject: prefix, account, hash, bucket, generation, interested, work, turn, tokenRoom })
        : null;
      const prefixAt = plan === null ? keepPrefix(prefix) : plan.subjectAt;
      const isKept = !hasSpareHeads();
      if (isKept) into.add({ at: prefixAt, length, hash, bucket, generation, plan });
      else plan?.release(); // the arena is full: a look-up by subject makes room
      return isKept ? plan : null;
    } catch (error) {
      throw halfChanged(error);
    }
  }
}

interface Opening {
  readonly hash: number;
  /** Tokens behind the prefix, and the bytes that they may have. */
  readonly rest: number;
  readonly room: number;
  readonly into: PrefixPlans;
  readonly generations: Int32Array;
}

/** Whether it gets all that its pattern covers, whatever the subject. */
function isForAnySubject(item: Interested): boolean {
  return !isCrossing(item) && item.filter === null;
}

/** Length of the first four tokens, with the dot behind them; 0: there are fewer. */
function fourTokens(at: number, length: number): number {
  let dots = 0;
  for (let i = 0; i < length; i++) if (bytes[at + i] === DOT && ++dots === 4) return i + 1;
  return 0;
}

/** How many tokens lie there; 0: none, or one of them is empty. */
function tokensOf(at: number, length: number): number {
  let count = 1;
  let before = DOT;
  for (let i = 0; i < length; i++) {
    const code = bytes[at + i]!;
    if (code === DOT && before === DOT) return 0;
    if (code === DOT) count++;
    before = code;
  }
  return before === DOT ? 0 : count;
}

/** Position of the last dot from `at`; -1: there is none. */
function lastDot(at: number, length: number): number {
  let i = length - 1;
  while (i >= 0 && bytes[at + i] !== DOT) i--;
  return i;
}
