/**
 * The most recently closed client connections, for `/connz?state=closed`.
 *
 * Bounds: `max_closed_clients` connections, the oldest goes first; LIST_MAX subscriptions of one, whose list is not kept
 * beyond that; and LISTS_BYTES_MAX for all lists, beyond which the oldest lose theirs. The number of subscriptions stays.
 */
import { assert } from "../base/assert.ts";
import type { ClientSnapshot, SubscriptionSnapshot } from "../links/client/snapshot.ts";

const LIST_MAX = 10_000;
const LISTS_BYTES_MAX = 8 * 1024 * 1024;
/** Memory of a listed subscription besides its texts, rounded up. */
const OVERHEAD_BYTES = 100;
const NONE: readonly SubscriptionSnapshot[] = [];
const NO_CERTIFICATES: readonly never[] = [];

/** Looked at as an open one is. */
export class ClosedConnection {
  readonly stoppedMs: number;
  readonly client: ClientSnapshot;
  listed: readonly SubscriptionSnapshot[];

  constructor(client: ClientSnapshot, stoppedMs: number, listed: readonly SubscriptionSnapshot[]) {
    this.client = client;
    this.stoppedMs = stoppedMs;
    this.listed = listed;
  }

  get cid(): number {
    return this.client.cid;
  }

  get user(): string {
    return this.client.user;
  }

  get account(): string {
    return this.client.account;
  }

  snapshot(): ClientSnapshot {
    return this.client;
  }

  get subscriptions(): { readonly count: number; all(): Iterable<SubscriptionSnapshot> } {
    return { count: this.listed.length, all: () => this.listed };
  }

  /** They are too large to be kept. */
  certificates(): readonly never[] {
    return NO_CERTIFICATES;
  }
}

export class ClosedConnections {
  /** By order of closing, from `first` to before `end`. */
  private readonly kept = new Map<number, ClosedConnection>();
  private end = 0;
  /** Number of the first connection that still has its list of subscriptions. */
  private listedFrom = 0;
  private listsBytes = 0;
  private readonly max: number;
  private readonly nowMs: () => number;

  constructor(max: number, nowMs: () => number) {
    this.max = max;
    this.nowMs = nowMs;
  }

  get size(): number {
    return this.kept.size;
  }

  /** `subscriptions` are those that it had, and are copied. */
  add(client: ClientSnapshot, subscriptions: Iterable<SubscriptionSnapshot>): void {
    const isListed = client.subscriptions > 0 && client.subscriptions <= LIST_MAX;
    const listed = isListed ? Array.from(subscriptions, copyOf) : NONE;
    this.kept.set(this.end++, new ClosedConnection(client, this.nowMs(), listed));
    this.listsBytes += bytesOf(listed);
    while (this.listsBytes > LISTS_BYTES_MAX) {
      assert(this.listedFrom < this.end, "a list that was counted is dropped once");
      this.dropList(this.listedFrom++);
    }
    if (this.kept.size <= this.max) return;
    const oldest = this.end - this.kept.size;
    this.dropList(oldest);
    this.kept.delete(oldest);
    assert(this.kept.size <= this.max, "closed connections stay within their bound");
  }

  [Symbol.iterator](): Iterator<ClosedConnection> {
    return this.kept.values();
  }

  private dropList(at: number): void {
    const connection = this.kept.get(at);
    if (connection === undefined) return;
    this.listsBytes -= bytesOf(connection.listed);
    assert(this.listsBytes >= 0, "the bytes of a list are counted once");
    connection.listed = NONE;
  }
}

/** Keeps nothing of the connection alive. */
function copyOf({ subject, queue, sid, delivered, max }: SubscriptionSnapshot): SubscriptionSnapshot {
  return { subject, queue, sid, delivered, max };
}

function bytesOf(subscriptions: readonly SubscriptionSnapshot[]): number {
  let sum = 0;
  for (const { subject, queue, sid } of subscriptions) {
    sum += OVERHEAD_BYTES + subject.length + (queue?.length ?? 0) + sid.length;
  }
  return sum;
}
