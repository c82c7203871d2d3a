/**
 * What one client may do: the permissions of its user, which it shares with the user's other connections, and the answers that it may
 * give (`allow_responses`), which are its own. To learn what it may answer, it receives in the session's place.
 */
import type { Clock } from "../../base/clock.ts";
import { readText } from "../../base/slab.ts";
import type { Permissions, ResponseRules } from "../../core/permissions.ts";
import type { Plan } from "../../core/plan.ts";
import type { DeliveryFilter, Subscriber, Subscription } from "../../core/subscription.ts";
import type { Message } from "../../protocol/message.ts";

export interface Rights {
  readonly permissions: Permissions;
  readonly answers: AnswerRights | null;
}

export function rightsOf(permissions: Permissions | null, session: Subscriber, clock: Clock): Rights | null {
  if (permissions === null) return null;
  const { responses } = permissions.rules;
  const answers = responses === null ? null : new AnswerRights(permissions, responses, session, clock);
  return { permissions, answers };
}

/** Answers that may be outstanding; the oldest is forgotten beyond that. */
const ANSWERS_MAX = 65_536;

interface Answer {
  readonly sinceMs: number;
  given: number;
}

class AnswerRights implements Subscriber {
  private readonly permissions: Permissions;
  private readonly rules: ResponseRules;
  private readonly session: Subscriber;
  private readonly clock: Clock;
  /** By reply subject, oldest first. */
  private readonly owed = new Map<string, Answer>();

  constructor(permissions: Permissions, rules: ResponseRules, session: Subscriber, clock: Clock) {
    this.permissions = permissions;
    this.rules = rules;
    this.session = session;
    this.clock = clock;
  }

  deliver(subscription: Subscription, message: Message): boolean {
    if (!this.session.deliver(subscription, message)) return false;
    if (message.replyLength > 0) this.owe(readText(message.at + message.replyFrom, message.replyLength));
    return true;
  }

  /** Whether an answer on this subject may be given, which is counted. */
  mayAnswer(subject: string): boolean {
    const answer = this.owed.get(subject);
    if (answer === undefined) return false;
    const { max } = this.rules;
    const isLate = this.isLate(answer);
    answer.given++;
    if (isLate || (max > 0 && answer.given >= max)) this.owed.delete(subject);
    return !isLate;
  }

  private owe(reply: string): void {
    // A reply subject that may be answered already is counted as if it were, as in nats-server 2.15.
    if (this.permissions.mayPublishTo(reply) || this.mayAnswer(reply)) return;
    this.owed.delete(reply);
    this.owed.set(reply, { sinceMs: this.clock.nowMs(), given: 0 });
    for (const [oldest, answer] of this.owed) {
      if (this.owed.size <= ANSWERS_MAX && !this.isLate(answer)) break;
      this.owed.delete(oldest);
    }
  }

  private isLate({ sinceMs }: Answer): boolean {
    const { expiresMs } = this.rules;
    return expiresMs >= 0 && this.clock.nowMs() - sinceMs > expiresMs;
  }
}

export function mayPublish(rights: Rights | null, plan: Plan): boolean {
  return rights === null || rights.permissions.mayPublish(plan);
}

export function maySubscribe(rights: Rights | null, subject: string, queue: string | null): boolean {
  return rights === null || rights.permissions.maySubscribe(subject, queue);
}

export function filterOf(
  rights: Rights | null,
  subject: string,
  queue: string | null,
): DeliveryFilter | null {
  return rights === null ? null : rights.permissions.filterFor(subject, queue);
}
