/**
 * The subscriptions of a client: how they begin and end, and what is counted for each. What may be subscribed to is decided in rights.ts. Bounded by
 * `max_subscriptions`.
 *
 * They end with the connection, and at a second CONNECT, in slices, since there may be some hundred thousand of them.
 */
import { assertOwn } from "../../base/assert.ts";
import { WideMap } from "../../base/wide-map.ts";
import type { Account } from "../../core/account.ts";
import type { Subscriber, Subscription } from "../../core/subscription.ts";
import type { ClientHello } from "../../protocol/connect.ts";
import * as errors from "../../protocol/errors.ts";
import { CHUNK_SIZE } from "../../slab/chunks.ts";
import { isValidSubject } from "../../subject/subject.ts";
import { ClientConnection } from "./connection.ts";
import type { ClientHost } from "./host.ts";
import * as rights from "./rights.ts";

/** More subscriptions than one round removes. */
const MANY_SUBSCRIPTIONS = 1000;

export abstract class SubscribingConnection extends ClientConnection {
  subscriptions = new WideMap<Subscription>();
  /** How many of them are in a queue group. */
  queueSubscriptions = 0;
  abstract account: Account;
  abstract hello: ClientHello;
  abstract limits: ClientHost["limits"];
  abstract rights: rights.Rights | null;
  /** The receiver of its messages. */
  abstract receiver: Subscriber;

  protected sayOk(): boolean {
    if (this.hello.verbose) this.say("+OK\r\n");
    return this.isOpen;
  }

  onSubscribe(subject: string, queue: string | null, sid: string): boolean {
    const problem = rights.subscriptionProblem(this, subject, queue);
    if (problem !== null) return this.onPeerError(problem, subject);
    if (this.subscriptions.has(sid) || this.isLeaving) return this.sayOk();
    if (!isValidSubject(subject)) return this.onPeerError(errors.invalidSubject, subject);
    const subscription = rights.subscriptionFor(this, subject, queue, sid);
    this.subscriptions.set(sid, subscription);
    if (queue !== null) this.queueSubscriptions++;
    this.host.turn.chores.keepUp();
    this.account.subscribe(subscription);
    this.countChange();
    return this.sayOk();
  }

  onUnsubscribe(sid: string, max: number): boolean {
    const subscription = this.subscriptions.get(sid);
    if (subscription !== undefined) {
      if (max > subscription.delivered) subscription.max = max;
      else this.unsubscribe(subscription);
      this.countChange();
    }
    return this.sayOk();
  }

  /** A read may bring tens of thousands of these: others come in between. */
  private countChange(): void {
    this.host.turn.work.interestChanged();
    this.hasRoom();
  }

  /**
   * Queue groups on other servers no longer choose it. Messages in flight, and all others, still arrive. In as many rounds as it takes;
   * resolves after the last.
   */
  async withdrawFromQueues(): Promise<void> {
    const { account, subscriptions } = this;
    if (this.queueSubscriptions === 0) return;
    await this.host.turn.chores.each({
      items: subscriptions.values(),
      count: subscriptions.size,
      cost: 1,
      act: (subscription) => {
        const isCurrent = this.account === account && this.subscriptions === subscriptions;
        if (isCurrent && subscription.queue !== null) account.withdraw(subscription);
      },
    });
  }

  // ---- deliveries that are written straight: see `core/lane.ts` ----

  room(length: number, kind: "plain" | "headed"): number {
    if (length > CHUNK_SIZE || this.tap !== null || (kind === "headed" && !this.hello.headers)) return 0;
    return Math.max(0, this.outbox.reserve(length));
  }

  wrote(subscription: Subscription, end: number, size: number): void {
    const { outbox } = this;
    assertOwn(end <= outbox.end, "a delivery fits into the room that was asked for");
    outbox.at = end;
    if (!outbox.isDirty) this.host.turn.touch(outbox);
    this.countDelivery(subscription, size);
  }

  countDelivery(subscription: Subscription, size: number): void {
    this.outMessages++;
    this.outBytes += size;
    if (++subscription.delivered === subscription.max) this.unsubscribe(subscription);
  }

  unsubscribe(subscription: Subscription): void {
    this.subscriptions.delete(subscription.sid);
    if (subscription.queue !== null) this.queueSubscriptions--;
    assertOwn(this.queueSubscriptions >= 0, "members of queue groups are counted");
    this.account.unsubscribe(subscription);
  }

  /** In as many rounds as it takes; calls `done` after the last. */
  protected override dropInterest(done?: () => void): void {
    const { account, subscriptions } = this;
    this.subscriptions = new WideMap();
    this.queueSubscriptions = 0;
    // Lookups must not visit the remaining subscriptions again and again.
    if (subscriptions.size > MANY_SUBSCRIPTIONS && this.isGone) account.interest.changedAltogether();
    const steps = unsubscribeAll(account, subscriptions.values(), done);
    this.host.turn.chores.add({ steps, count: subscriptions.size });
  }

  get isGone(): boolean {
    return !this.isOpen || this.isLeaving;
  }
}

function* unsubscribeAll(
  account: Account,
  subscriptions: Iterable<Subscription>,
  done: (() => void) | undefined,
): Generator<undefined, void> {
  for (const subscription of subscriptions) {
    account.unsubscribe(subscription);
    yield;
  }
  done?.();
}
