/**
 * The interest that leaf nodes are told of, account by account. Interest is counted by its origin, so that each leaf connection is told only of
 * interest beyond it: neither of its own nor of that of its own cluster.
 *
 *     told to   local  routes  spokes  hubs   in addition
 *     spoke     yes    yes     others  yes    imported services, sources of mappings, `$LDS.<id>`
 *     hub       yes            others         the same
 *
 * An isolated spoke is not told of the interest of other leaf nodes. Interest is counted only in accounts with leaf connections. When the first one
 * opens, the existing interest is counted in slices, while changes are announced at once. Bounded by the interest in the account.
 */
import { assert } from "../../base/assert.ts";
import type { Chores } from "../../base/chores.ts";
import type { Account } from "../../core/account.ts";
import { interestKey, type InterestChange } from "../../core/local-interest.ts";
import { RemoteInterest } from "../../core/subscription.ts";
import { LOOP_DETECTION } from "./rules.ts";

/** A leaf connection as a listener of interest. */
export interface LeafListener {
  readonly tier: "spoke" | "hub";
  readonly leafCluster: string;
  /** It is not told of the interest of other leaf nodes. */
  readonly isIsolated: boolean;
  readonly isOpen: boolean;
  /** A count of 0 takes back what was told. */
  tell(change: InterestChange): void;
}

/** The interest in one subject, of one queue group or none. */
interface Tally {
  readonly subject: string;
  readonly queue: string | null;
  local: number;
  /** 1: an import or a mapping here begins with it. */
  own: number;
  /** Of clients of other servers of the cluster. */
  routes: number;
  /** Of leaf nodes, wherever they are connected, and of those that are connected here as spokes. */
  leaves: number;
  spokes: number;
  /** Of leaf nodes by origin; null: there are none. */
  byOrigin: Map<string, number> | null;
}

/** The interest of spokes has changed, all of one cluster: tells the other servers of this server's cluster. */
type TellRoutes = (account: Account, change: InterestChange, leafCluster: string) => void;

interface FeedHost {
  readonly chores: Chores;
  /** A new subject to detect loops by. */
  newLoopSubject(): string;
  readonly tellRoutes: TellRoutes;
}

export class LeafFeeds {
  private readonly feeds = new Map<Account, AccountFeed>();
  /** By account, for as long as the server runs. */
  private readonly loopSubjects = new Map<Account, string>();
  private readonly host: FeedHost;

  constructor(host: FeedHost) {
    this.host = host;
  }

  /** Tells the connection of all interest beyond it, and from now on of changes. */
  join(account: Account, leaf: LeafListener): void {
    let feed = this.feeds.get(account);
    if (feed === undefined) {
      feed = new AccountFeed(account, this.loopSubjectOf(account), this.host);
      this.feeds.set(account, feed);
      feed.count();
    }
    feed.join(leaf);
  }

  leave(account: Account, leaf: LeafListener): void {
    const feed = this.feeds.get(account);
    feed?.leave(leaf);
    if (feed?.isUnused === true) this.feeds.delete(account);
  }

  /** Subscriptions here have changed. */
  localChanged(account: Account, change: InterestChange): void {
    this.feeds.get(account)?.localChanged(change);
  }

  remoteChanged(account: Account, interest: RemoteInterest, members: number): void {
    const feed = this.feeds.get(account);
    feed?.remoteChanged(interest, members);
    if (feed?.isUnused === true) this.feeds.delete(account);
  }

  /** Imports or mappings may have changed. */
  recheckOwn(): void {
    for (const feed of this.feeds.values()) feed.recheckOwn();
  }

  /** Whether the subject is the one by which this server detects loops of the account. */
  isOwnLoopSubject(account: Account, subject: string): boolean {
    return this.loopSubjects.get(account) === subject;
  }

  /** Interest of spokes here by cluster, as routes are told of it. */
  of(account: Account): Iterable<readonly [leafCluster: string, change: InterestChange]> {
    return this.feeds.get(account)?.ofSpokes() ?? [];
  }

  countOf(account: Account, subject: string, queue: string | null): number {
    return this.feeds.get(account)?.countOfSpokes(subject, queue) ?? 0;
  }

  private loopSubjectOf(account: Account): string {
    let subject = this.loopSubjects.get(account);
    if (subject === undefined) this.loopSubjects.set(account, (subject = this.host.newLoopSubject()));
    return subject;
  }
}

class AccountFeed {
  private readonly account: Account;
  private readonly loopSubject: string;
  private readonly host: FeedHost;
  private readonly leaves = new Set<LeafListener>();
  private readonly tallies = new Map<string, Tally>();
  private own: ReadonlySet<string> = new Set();
  /** All that spokes here are interested in, as far as it is counted. */
  private ofSpokesHere = 0;
  /** The interest that has been counted so far; null: the first count is complete. */
  private counted: Set<RemoteInterest> | null = new Set();

  constructor(account: Account, loopSubject: string, host: FeedHost) {
    this.account = account;
    this.loopSubject = loopSubject;
    this.host = host;
  }

  /** The interest of spokes has to be withdrawn from routes, which takes longer than the end of a connection. */
  get isUnused(): boolean {
    return this.leaves.size === 0 && this.ofSpokesHere === 0;
  }

  /** Counts the existing interest. */
  count(): void {
    const { account, host } = this;
    this.recheckOwn();
    const { localInterest, interest } = account;
    void host.chores.each({
      items: localInterest,
      count: localInterest.size,
      cost: 1,
      act: (change) => this.localChanged(change),
    });
    void host.chores.each({
      items: interest.items(),
      count: interest.size,
      cost: 1,
      act: (item) => {
        if (!(item instanceof RemoteInterest) || item.neighbour.isShadow === true) return;
        if (interest.has(item)) this.countOnce(item);
      },
    });
    void host.chores.each({ items: [null], count: 1, cost: 1, act: () => (this.counted = null) });
  }

  private countOnce(item: RemoteInterest): void {
    assert(this.counted !== null, "what is there is counted once, before all else");
    if (this.counted.has(item)) return;
    this.counted.add(item);
    this.add(item, item.weight);
  }

  join(leaf: LeafListener): void {
    this.leaves.add(leaf);
    // Follows the count, which is a chore as well. Changes are announced meanwhile.
    void this.host.chores.each({
      items: this.tallies.values(),
      count: this.tallies.size,
      cost: 1,
      act: (tally) => {
        const count = countFor(tally, leaf);
        if (leaf.isOpen && count > 0) leaf.tell({ subject: tally.subject, queue: tally.queue, count });
      },
    });
  }

  leave(leaf: LeafListener): void {
    this.leaves.delete(leaf);
  }

  localChanged({ subject, queue, count }: InterestChange): void {
    this.change(this.tallyOf(subject, queue), (tally) => (tally.local = count));
  }

  remoteChanged(item: RemoteInterest, members: number): void {
    const { counted } = this;
    if (counted === null) return this.add(item, members);
    const isThere = this.account.interest.has(item);
    // Interest that ends before it is counted is not counted.
    if (!counted.has(item)) return isThere ? this.countOnce(item) : undefined;
    this.add(item, members);
    if (!isThere) counted.delete(item);
  }

  recheckOwn(): void {
    const { account, loopSubject } = this;
    const services = account.serviceImports.map(({ subject }) => subject);
    const sources = account.mappings?.list.map(({ source }) => source) ?? [];
    const now = new Set([...services, ...sources, loopSubject]);
    for (const subject of this.own)
      if (!now.has(subject)) this.change(this.tallyOf(subject, null), (tally) => (tally.own = 0));
    for (const subject of now) this.change(this.tallyOf(subject, null), (tally) => (tally.own = 1));
    this.own = now;
  }

  *ofSpokes(): Generator<readonly [string, InterestChange]> {
    for (const { subject, queue, byOrigin } of this.tallies.values()) {
      for (const [origin, count] of byOrigin ?? [])
        if (origin.startsWith(SPOKE)) yield [origin.slice(SPOKE.length), { subject, queue, count }];
    }
  }

  countOfSpokes(subject: string, queue: string | null): number {
    return this.tallies.get(interestKey(subject, queue))?.spokes ?? 0;
  }

  private add(item: RemoteInterest, members: number): void {
    const { subject, queue, neighbour, leafCluster } = item;
    const origin = originOf(item);
    const tally = this.tallyOf(subject, queue);
    const before = origin === null ? 0 : (tally.byOrigin?.get(origin) ?? 0);
    this.change(tally, () => {
      if (origin === null) tally.routes += members;
      else {
        tally.leaves += members;
        if (neighbour.tier === "spoke") {
          tally.spokes += members;
          this.ofSpokesHere += members;
        }
        count(tally, origin, before + members);
      }
    });
    if (neighbour.tier !== "spoke" || subject === this.loopSubject) return;
    const now = before + members;
    const isNews = queue === null ? before > 0 !== now > 0 : before !== now;
    if (isNews) this.host.tellRoutes(this.account, { subject, queue, count: now }, leafCluster);
  }

  /** Changes a tally, and tells each connection of the resulting change. */
  private change(tally: Tally, act: (tally: Tally) => void): void {
    const { leaves } = this;
    if (leaves.size === 0) act(tally);
    else {
      const before: number[] = [];
      for (const leaf of leaves) before.push(countFor(tally, leaf));
      act(tally);
      let i = 0;
      for (const leaf of leaves) tellIfNew(leaf, tally, before[i++]!);
    }
    if (tally.local + tally.own + tally.routes + tally.leaves === 0)
      this.tallies.delete(interestKey(tally.subject, tally.queue));
  }

  private tallyOf(subject: string, queue: string | null): Tally {
    const key = interestKey(subject, queue);
    let tally = this.tallies.get(key);
    if (tally === undefined) {
      tally = { subject, queue, local: 0, own: 0, routes: 0, leaves: 0, spokes: 0, byOrigin: null };
      this.tallies.set(key, tally);
    }
    return tally;
  }
}

/** Marks of origins: a spoke of this server, a leaf node that is connected to another server of the cluster, a hub. */
const SPOKE = "s ";
const ELSEWHERE = "r ";
const HUB = "h ";

/** null: clients of another server of the cluster. */
function originOf({ neighbour, leafCluster }: RemoteInterest): string | null {
  switch (neighbour.tier) {
    case "spoke":
      return SPOKE + leafCluster;
    case "hub":
      return HUB + leafCluster;
    default:
      return leafCluster === "" ? null : ELSEWHERE + leafCluster;
  }
}

function count(tally: Tally, origin: string, now: number): void {
  assert(now >= 0, "interest that ends was counted");
  tally.byOrigin ??= new Map();
  if (now > 0) tally.byOrigin.set(origin, now);
  else tally.byOrigin.delete(origin);
  if (tally.byOrigin.size === 0) tally.byOrigin = null;
}

/** How much of this interest lies beyond the connection. */
function countFor(tally: Tally, { tier, leafCluster, isIsolated }: LeafListener): number {
  const { local, own, routes, leaves, spokes, byOrigin, subject } = tally;
  // To detect loops, isolated connections are told of the subjects of others.
  const isAlone = isIsolated && !subject.startsWith(LOOP_DETECTION);
  const ofSpokes = byOrigin?.get(SPOKE + leafCluster) ?? 0;
  if (tier === "hub") return local + own + (isAlone ? 0 : spokes - ofSpokes);
  if (isAlone || byOrigin === null) return local + own + routes;
  const ofOwnCluster =
    ofSpokes + (byOrigin.get(ELSEWHERE + leafCluster) ?? 0) + (byOrigin.get(HUB + leafCluster) ?? 0);
  return local + own + routes + leaves - ofOwnCluster;
}

function tellIfNew(leaf: LeafListener, tally: Tally, before: number): void {
  const { subject, queue } = tally;
  const now = countFor(tally, leaf);
  const isNews = queue === null ? before > 0 !== now > 0 : before !== now;
  if (isNews) leaf.tell({ subject, queue, count: now });
}
