/**
 * Responses that an account's services owe to other accounts: each request has a reply subject of its own below one prefix
 * (`_R_.` and six characters), which the servers of the cluster know to lead here. A response is published in the requester's
 * account, under the subject that the requester has asked for.
 *
 * Bounded by `EXPECTED_MAX`, and in time by the response threshold of each service.
 */
import { assert } from "../base/assert.ts";
import type { Chores } from "../base/chores.ts";
import { OldestFirst } from "../base/oldest-first.ts";
import type { Clock } from "../base/clock.ts";
import { randomToken } from "../base/base62.ts";
import type { Random } from "../base/random.ts";
import { readText } from "../slab/memory.ts";
import type { Message, Via } from "../protocol/message.ts";
import { isAckReply } from "../protocol/shown-subject.ts";
import type { Crossed, Expected, Request, ResponseLoss } from "./crossed.ts";
import { withDerived } from "./derived-message.ts";
import type { Source } from "./reach.ts";
import type { Crossing } from "./subscription.ts";
import { withoutTrace } from "./tracing.ts";

/** Per account; beyond it, the oldest is evicted. */
const EXPECTED_MAX = 262_144;
/** With more than these outstanding, who is late is looked for no more often than this. */
const MANY = 1000;
const LOOK_AGAIN_MS = 100;
const PREFIX_LENGTH = 6;
const ID_LENGTH = 10;

interface ResponsesWorld {
  readonly chores: Chores;
  readonly clock: Clock;
  readonly random: Random;
}

export class ServiceResponses implements Crossing {
  readonly isCrossing = true;
  readonly takesRouted = true;
  readonly queue = null;
  /** Everything below the prefix. */
  readonly subject: string;
  private readonly prefix: string;
  private readonly bySubject = new OldestFirst<string, Expected>();
  private isSubscribed = false;
  private timer: Disposable | null = null;
  private readonly chores: Chores;
  private readonly account: Crossed;
  private readonly clock: Clock;
  private readonly random: Random;

  constructor(account: Crossed, { chores, clock, random }: ResponsesWorld) {
    this.account = account;
    this.chores = chores;
    this.clock = clock;
    this.random = random;
    this.prefix = `_R_.${randomToken(random, PREFIX_LENGTH)}.`;
    this.subject = `${this.prefix}>`;
  }

  get size(): number {
    return this.bySubject.size;
  }

  isExpected(subject: string): boolean {
    return this.bySubject.has(subject);
  }

  expect(request: Request): Expected {
    if (!this.isSubscribed) this.account.subscribe(this);
    this.isSubscribed = true;
    const nowMs = this.clock.nowMs();
    const suffix = request.tracking === null ? "" : this.account.latency.replySuffix;
    const subject = `${this.prefix}${randomToken(this.random, ID_LENGTH)}${suffix}`;
    const expected = { ...request, subject, sinceMs: nowMs, activeMs: nowMs };
    this.bySubject.set(subject, expected);
    if (this.bySubject.size > EXPECTED_MAX) this.forget(this.bySubject.oldest()![1], "too late");
    assert(this.bySubject.size <= EXPECTED_MAX, "responses that are owed stay within their bound");
    this.timer ??= this.clock.setTimer(request.service.responseThresholdMs, () => this.expire());
    return expected;
  }

  /** No response will come, or none that reaches anyone. */
  forget(expected: Expected, loss: ResponseLoss): void {
    if (!this.bySubject.delete(expected.subject)) return;
    const { service, tracking } = expected;
    if (tracking !== null && service.latency !== null)
      this.account.latency.lost(service.latency, expected, loss);
  }

  /** Withdraws a request that reached nobody. */
  cancel(expected: Expected): void {
    this.bySubject.delete(expected.subject);
  }

  cross(message: Message, source: Source): boolean {
    const subject = readText(message.at + message.subjectFrom, message.subjectLength);
    const expected = this.bySubject.get(subject);
    if (expected === undefined) return false;
    const { trace } = message;
    if (trace === null) return this.carry(message, expected, source);
    // A response is traced up to here, as with nats-server.
    trace.crossed(expected.account.name, subject, expected.reply);
    if (trace.isOnly) {
      this.cancel(expected);
      return false;
    }
    return withoutTrace(message, (untraced) => this.carry(untraced, expected, source));
  }

  private carry(message: Message, expected: Expected, source: Source): boolean {
    const { subject } = expected;
    const { account, service, reply } = expected;
    const isLast = service.responseType === "singleton" || message.size === 0;
    if (isLast) this.bySubject.delete(subject);
    if (isLast) this.account.latency.responded(expected, message.origin);
    expected.activeMs = this.clock.nowMs();
    const { via: before } = message;
    const via: Via = {
      export: service,
      isShared: before?.isShared ?? false,
      reply: before?.reply ?? "",
      before,
    };
    const answer = this.expectAnswer(expected, message);
    const change = { subject: reply, reply: answer?.subject ?? keptReply(message), header: null };
    const reached = withDerived(message, change, (derived) => {
      derived.via = via;
      return account.publish(derived, source);
    });
    if (!reached) this.bySubject.delete(subject);
    if (!reached && answer !== null) account.responses.forget(answer, "nobody there");
    return reached;
  }

  /** A responder that names a reply subject wants an answer from the requester: the same the other way round. */
  private expectAnswer({ account, service }: Expected, message: Message): Expected | null {
    if (message.replyLength === 0 || isAckReply(message)) return null;
    const reply = readText(message.at + message.replyFrom, message.replyLength);
    return account.responses.expect({ account: this.account, reply, service, tracking: null });
  }

  /** In slices, since all that were asked at one time are late at one time. */
  private expire(): void {
    this.timer = null;
    this.chores.add({ steps: this.expireAll(), count: this.bySubject.size });
  }

  private *expireAll(): Generator<undefined, void> {
    const nowMs = this.clock.nowMs();
    let left = this.bySubject.size;
    // Those that are asked meanwhile are looked at next time.
    let nextMs = nowMs + LOOK_AGAIN_MS;
    let isEarlier = false;
    for (const expected of this.bySubject.values()) {
      if (left-- === 0) break;
      const dueMs = expected.activeMs + expected.service.responseThresholdMs;
      if (dueMs <= nowMs) this.forget(expected, "too late");
      else if (!isEarlier || dueMs < nextMs) {
        nextMs = dueMs;
        isEarlier = true;
      }
      yield;
    }
    if (this.bySubject.size === 0) return;
    const pauseMs = this.bySubject.size > MANY ? LOOK_AGAIN_MS : 0;
    this.timer?.[Symbol.dispose]();
    this.timer = this.clock.setTimer(Math.max(pauseMs, nextMs - this.clock.nowMs()), () => this.expire());
  }

  /** The server has stopped. */
  stop(): void {
    this.timer?.[Symbol.dispose]();
    this.bySubject.clear();
  }
}

/** Where a message of a stream is acknowledged stays as it is, as in nats-server: the requester imports that subject, too. */
function keptReply(message: Message): string {
  return isAckReply(message) ? readText(message.at + message.replyFrom, message.replyLength) : "";
}
