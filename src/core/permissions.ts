/**
 * What a user may publish and subscribe. `UserPermissions` is what the configuration says; `Permissions` is that, made
 * fit for asking, and shared by all connections of the user. It never changes: other rules are another object.
 *
 * Publishing is asked of a plan, so that the verdict for a subject asked lately is found by the number of its plan,
 * without looking at the subject again. Subscribing is asked once for each subscription. What a subscription gets in spite of a
 * deny that it is wider than is left out when a plan is built (`admits`), so that a delivery asks nothing.
 */
import { readText } from "../slab/memory.ts";
import { hasEmptyToken, hasWildcard, subjectCovers, subjectsMeet } from "../subject/subject.ts";
import { Sublist } from "../subject/sublist.ts";
import type { Plan } from "./plan.ts";
import type { DeliveryFilter } from "./subscription.ts";

export interface UserPermissions {
  /** null: everything. */
  readonly publish: SubjectRules | null;
  readonly subscribe: SubjectRules | null;
  /** null: none but by `publish`. */
  readonly responses: ResponseRules | null;
}

/** Subjects as byte strings; to subscribe, with the name of a queue group behind a blank, which may be a pattern. */
export interface SubjectRules {
  /** null: everything. */
  readonly allow: readonly string[] | null;
  readonly deny: readonly string[];
}

/** Answers to the reply subjects of messages that were received. */
export interface ResponseRules {
  /** For each request; below 0: any number. */
  readonly max: number;
  /** Below 0: at any time. */
  readonly expiresMs: number;
}

interface Rule {
  readonly subject: string;
  /** null: with or without a queue group. */
  readonly queue: string | null;
}

/** Bound of the verdicts that are remembered, for each user: a newer one takes the place of an older. */
const REMEMBERED = 1024;
/** In place of the verdicts of rules that nobody has asked of a plan yet, as most never are: plans have no number 0. Nothing is written to it. */
const NO_VERDICTS = new Float64Array(REMEMBERED);

export class Permissions implements DeliveryFilter {
  readonly rules: UserPermissions;
  private readonly publishAllow: Sublist<Rule> | null;
  private readonly publishDeny: Sublist<Rule> | null;
  private readonly subscribeAllow: Sublist<Rule> | null;
  private readonly subscribeDeny: Sublist<Rule> | null;
  /** By the low bits of a plan's number: the number, below 0 where it was refused. */
  private verdicts = NO_VERDICTS;
  private readonly found: Rule[] = [];

  constructor(rules: UserPermissions) {
    this.rules = rules;
    const { publish, subscribe, responses } = rules;
    // Users that may answer requests may publish nothing else, unless `publish` is configured.
    const allow = publish?.allow ?? (responses === null ? null : []);
    this.publishAllow = allow === null ? null : sublistOf(allow);
    this.publishDeny = sublistOrNull(publish?.deny ?? []);
    this.subscribeAllow = sublistOrNull(subscribe?.allow ?? []);
    this.subscribeDeny = sublistOrNull(subscribe?.deny ?? []);
  }

  /** Whether messages may be published on the plan's subject, answers apart. Valid for a plan just looked up. */
  mayPublish(plan: Plan): boolean {
    if (!plan.isOfOneSubject) return this.mayPublishTo(readText(plan.subjectAt, plan.subjectLength));
    const slot = plan.number & (REMEMBERED - 1);
    const remembered = this.verdicts[slot]!;
    if (remembered === plan.number) return true;
    if (remembered === -plan.number) return false;
    const may = this.mayPublishTo(readText(plan.subjectAt, plan.subjectLength));
    if (this.verdicts === NO_VERDICTS) this.verdicts = new Float64Array(REMEMBERED);
    this.verdicts[slot] = may ? plan.number : -plan.number;
    return may;
  }

  /** The same for a subject. */
  mayPublishTo(subject: string): boolean {
    if (this.publishAllow !== null && this.plainRules(this.publishAllow, subject) === 0) return false;
    return this.publishDeny === null || this.plainRules(this.publishDeny, subject) === 0;
  }

  /** A rule for a subject alone is one for all its queue groups, unless the subject has rules for queue groups, too. */
  maySubscribe(subject: string, queue: string | null): boolean {
    const { subscribeAllow } = this;
    if (subscribeAllow !== null) {
      const plain = this.plainRules(subscribeAllow, subject);
      const hasQueueRules = this.found.length > plain;
      const isAllowed = queue !== null && hasQueueRules ? this.namesQueue(queue) : plain > 0;
      if (!isAllowed) return false;
    }
    return this.admits(subject, queue);
  }

  /** Whether a subscription may be given a message on this literal subject. */
  admits(subject: string, queue: string | null): boolean {
    if (this.subscribeDeny === null) return true;
    if (this.plainRules(this.subscribeDeny, subject) > 0) return false;
    return queue === null || !this.namesQueue(queue);
  }

  /** The subjects to filter from an allowed subscription; null: none. */
  filterFor(subject: string, queue: string | null): DeliveryFilter | null {
    if (this.subscribeDeny === null || (queue === null && !hasWildcard(subject))) return null;
    for (const rule of this.subscribeDeny) if (subjectsMeet(rule.subject, subject)) return this;
    return null;
  }

  /** Finds the rules that cover the subject, and returns how many of them name no queue group. */
  private plainRules(rules: Sublist<Rule>, subject: string): number {
    this.found.length = 0;
    if (!hasEmptyToken(subject)) rules.match(subject, this.found);
    let plain = 0;
    for (const rule of this.found) if (rule.queue === null) plain++;
    return plain;
  }

  /** Among the rules that were just found. */
  private namesQueue(queue: string): boolean {
    return this.found.some(
      (rule) => rule.queue !== null && (rule.queue === queue || subjectCovers(rule.queue, queue)),
    );
  }
}

function sublistOrNull(subjects: readonly string[]): Sublist<Rule> | null {
  return subjects.length === 0 ? null : sublistOf(subjects);
}

function sublistOf(subjects: readonly string[]): Sublist<Rule> {
  const list = new Sublist<Rule>();
  for (const text of subjects) {
    const [subject = "", queue = null] = text.trim().split(/\s+/);
    list.insert({ subject, queue });
  }
  return list;
}
