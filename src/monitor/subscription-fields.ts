/** A subscription as `connz`, `routez` and `subsz` show it. */
import type { RemoteInterest } from "../core/subscription.ts";
import type { SubscriptionSnapshot } from "../links/client/snapshot.ts";
import { orOmit, shownText } from "./go-format.ts";
import { List } from "./json.ts";
import type { SubscriptionDetail } from "./query.ts";

export function subscriptionFields(subscription: SubscriptionSnapshot, cid: number): object {
  const { subject, queue, sid, delivered, max } = subscription;
  return {
    subject: shownText(subject),
    qgroup: queue === null ? undefined : shownText(queue),
    sid: shownText(sid),
    msgs: delivered,
    max: orOmit(max),
    cid,
  };
}

/** What a route's peer is interested in; `account` is "" on a route of one account. Messages are not counted by subject. */
export function interestFields(account: string, { subject, queue }: RemoteInterest, rid: number): object {
  const sid = ["R", account, subject, queue ?? ""].filter((part) => part !== "").join(" ");
  return {
    subject: shownText(subject),
    qgroup: queue === null ? undefined : shownText(queue),
    sid: shownText(sid),
    msgs: 0,
    cid: rid,
  };
}

/** The one of the two lists that was asked for, where there is anything to list. */
export function subscriptionLists<T>(
  wanted: SubscriptionDetail,
  items: { readonly count: number; all(): Iterable<T> },
  subject: (item: T) => string,
  fields: (item: T) => object,
): object {
  if (items.count === 0 || wanted === "none") return {};
  return wanted === "subjects"
    ? { subscriptions_list: new List(mapped(items.all(), (item) => shownText(subject(item)))) }
    : { subscriptions_list_detail: new List(mapped(items.all(), fields)) };
}

/** Lazily. */
export function* mapped<T, R>(items: Iterable<T>, map: (item: T) => R): Generator<R> {
  for (const item of items) yield map(item);
}
