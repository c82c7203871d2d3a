/**
 * What one client may do: the permissions of its user, which it shares with the user's other connections, and the answers that it may
 * give (`allow_responses`), which are its own. To learn what it may answer, it receives in the session's place.
 */
import type { Live } from "../../base/live.ts";
import { assertOwn } from "../../base/assert.ts";
import { OldestFirst } from "../../base/oldest-first.ts";
import type { Clock } from "../../base/clock.ts";
import { readText } from "../../slab/memory.ts";
import type { WideMap } from "../../base/wide-map.ts";
import type { Account } from "../../core/account.ts";
import type { Permissions, ResponseRules } from "../../core/permissions.ts";
import { Subscription, type Subscriber, type TracedReceiver } from "../../core/subscription.ts";
import * as errors from "../../protocol/errors.ts";
import type { PeerError } from "../../protocol/errors.ts";
import type { ClientHello } from "../../protocol/connect.ts";
import type { Message } from "../../protocol/message.ts";
import { isValidLiteralSubject } from "../../subject/subject.ts";
import type { ClientLimits } from "./host.ts";

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

/** With or without a domain. */
const JETSTREAM_REQUEST = /^\$JS\.([^.]*\.)?API(\.|$)/;

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
  private owed = new OldestFirst<string, Answer>();

  constructor(permissions: Permissions, rules: ResponseRules, session: Subscriber, clock: Clock) {
    this.permissions = permissions;
    this.rules = rules;
    this.session = session;
    this.clock = clock;
  }

  get isGone(): boolean {
    return this.session.isGone === true;
  }

  get traced(): TracedReceiver | undefined {
    return this.session.traced;
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

  /** The user's rights have changed, and it may still answer: what it owed before, it owes by the rules of now. */
  takeOver(before: AnswerRights | null): void {
    if (before !== null) this.owed = before.owed;
  }

  private owe(reply: string): void {
    // An answer to a request to JetStream would be a request on behalf of who asked.
    if (JETSTREAM_REQUEST.test(reply)) return;
    // A reply subject that may be answered already is counted as if it were, as in nats-server 2.15.
    if (this.permissions.mayPublishTo(reply) || this.mayAnswer(reply)) return;
    this.owed.delete(reply);
    this.owed.set(reply, { sinceMs: this.clock.nowMs(), given: 0 });
    for (let oldest = this.owed.oldest(); oldest !== null; oldest = this.owed.oldest()) {
      if (this.owed.size <= ANSWERS_MAX && !this.isLate(oldest[1])) break;
      this.owed.delete(oldest[0]);
    }
    assertOwn(this.owed.size <= ANSWERS_MAX, "answers that may be given stay within their bound");
  }

  private isLate({ sinceMs }: Answer): boolean {
    const { expiresMs } = this.rules;
    return expiresMs >= 0 && this.clock.nowMs() - sinceMs > expiresMs;
  }
}

function maySubscribe(rights: Rights | null, subject: string, queue: string | null): boolean {
  return rights === null || rights.permissions.maySubscribe(subject, queue);
}

export function subscriptionFor(
  { receiver, rights }: Pick<Subscribing, "receiver" | "rights">,
  subject: string,
  queue: string | null,
  sid: string,
): Subscription {
  const filter = rights?.permissions.filterFor(subject, queue) ?? null;
  return new Subscription(receiver, subject, queue, sid, filter);
}

interface Renewing extends Pick<Subscribing, "receiver" | "rights"> {
  readonly subscriptions: WideMap<Subscription>;
  readonly account: Account;
  unsubscribe(subscription: Subscription): void;
  onPeerError(error: PeerError, detail: string): boolean;
}

/** After a change of rights: ends subscriptions that are no longer allowed and renews the others, one per step. */
export function* renewAll(session: Renewing): Generator<undefined, void> {
  const { subscriptions, account } = session;
  for (const old of subscriptions.values()) {
    // The session has ended or has started over.
    if (session.subscriptions !== subscriptions) return;
    const { subject, queue, sid, delivered, max } = old;
    const isAllowed = maySubscribe(session.rights, subject, queue);
    if (isAllowed) {
      const renewed = Object.assign(subscriptionFor(session, subject, queue, sid), { delivered, max });
      subscriptions.set(sid, renewed);
      account.subscribe(renewed); // first, so that other servers do not hear of it
      account.unsubscribe(old);
    } else session.unsubscribe(old);
    if (!isAllowed) session.onPeerError(errors.subscriptionRevoked(subject, queue, sid), "");
    yield;
  }
}

/** Groups of this name belong to the server. */
const RESERVED_QUEUE = "_sys_";

interface Subscribing {
  readonly receiver: Subscriber;
  readonly rights: Rights | null;
  readonly limits: Live<Pick<ClientLimits, "maxSubscriptions" | "maxSubscriptionTokens">>;
  readonly subscriptions: { readonly size: number };
}

/** The error for one more subscription, in nats-server's order; null: none. */
export function subscriptionProblem(
  { rights, limits, subscriptions }: Subscribing,
  subject: string,
  queue: string | null,
): PeerError | null {
  const { maxSubscriptions, maxSubscriptionTokens } = limits.current;
  if (queue === RESERVED_QUEUE || !maySubscribe(rights, subject, queue)) {
    return errors.subscriptionViolation(subject, queue);
  }
  if (maxSubscriptionTokens !== null && subject.split(".").length > maxSubscriptionTokens) {
    return errors.tooManyTokens(subject);
  }
  const isFull = maxSubscriptions !== null && subscriptions.size >= maxSubscriptions;
  return isFull ? errors.maxSubscriptionsExceeded : null;
}

/** The error for a message of a client that is not plain; null: none. */
export function messageProblem(hello: ClientHello, message: Message): PeerError | null {
  if (message.headerLength > 0 && !hello.headers) return errors.badArguments;
  if (!hello.pedantic) return null;
  const subject = readText(message.at + message.subjectFrom, message.subjectLength);
  return isValidLiteralSubject(subject) ? null : errors.invalidPublishSubject;
}
