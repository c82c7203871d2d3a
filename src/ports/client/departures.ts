/**
 * Decides in which order, and when, the clients of a server in lame duck mode leave. Pure: it can be asked at any time which client is due, and acts on
 * nothing.
 *
 * Clients go one after the other, PAUSE_MS apart, and each when the one before has ended its side, so that each finds servers, and a
 * client's machine, that have time for it. Of two that answer in the same queue group the second goes when the first is back, or
 * after REST_MAX_MS: a group of two on one server would else be without both. Others go in between. Where there is not enough time for
 * that, the time decides: by `endMs` all have been due.
 *
 * Invariant: each client is due once. Bounds: CANDIDATES_MAX clients are looked at for each that goes, and GROUPS_MAX groups of each.
 */
import { assert } from "../../base/assert.ts";

export interface DeparturesOptions<T> {
  readonly clients: readonly T[];
  readonly startMs: number;
  /** When the last one has to be due. */
  readonly endMs: number;
  /** The queue groups that a client answers in, in words that tell them apart. */
  queueGroupsOf(client: T): Iterable<string>;
  /** How many members the queue group has on other servers now. */
  membersElsewhere(group: string): number;
  /** One that has been due has ended its side, and looks for another server. */
  hasEnded(client: T): boolean;
}

export interface DueClients<T> {
  readonly clients: readonly T[];
  /** After this there may be others; null: nobody is left. */
  readonly againInMs: number | null;
}

const PAUSE_MS = 50;
/** One that takes longer to end its side holds up nobody else. */
const END_WAIT_MAX_MS = 1000;
/** One that is not back by then may never be. */
const REST_MAX_MS = 2000;
/** Clients of one step are due together. */
const STEP_MS = 10;
const CANDIDATES_MAX = 64;
const GROUPS_MAX = 64;

export class Departures<T> {
  private readonly options: DeparturesOptions<T>;
  /** Clients in the order of their arrival; the first `gone` have left. */
  private readonly left: T[];
  private gone = 0;
  private nextMs: number;
  private last: { readonly client: T; readonly wentMs: number } | null = null;
  /** By queue group: when a client of it went, and how many members there were elsewhere. */
  private readonly rests = new Map<string, { readonly wentMs: number; readonly elsewhere: number }>();
  private readonly groups = new Map<T, readonly string[]>();

  constructor(options: DeparturesOptions<T>) {
    this.options = options;
    this.left = [...options.clients];
    this.nextMs = options.startMs;
  }

  next(nowMs: number): DueClients<T> {
    const clients: T[] = [];
    // Where time presses, members of a queue group whose last one is not back are still the last to go.
    while (this.gone < this.shareDue(nowMs)) clients.push(this.take(this.rested(nowMs) ?? this.gone, nowMs));
    if (clients.length === 0 && nowMs >= this.nextMs && this.lastHasEnded(nowMs)) {
      const at = this.rested(nowMs);
      if (at !== null) clients.push(this.take(at, nowMs));
    }
    if (clients.length > 0) this.nextMs = nowMs + PAUSE_MS;
    if (this.gone === this.left.length) return { clients, againInMs: null };
    return { clients, againInMs: Math.max(STEP_MS, Math.min(this.nextMs, this.nextShareMs()) - nowMs) };
  }

  /** Clients that must have left by now so that all leave in time. */
  private shareDue(nowMs: number): number {
    const { startMs, endMs } = this.options;
    if (nowMs >= endMs) return this.left.length;
    return Math.floor((this.left.length * (nowMs - startMs)) / (endMs - startMs));
  }

  private nextShareMs(): number {
    const { startMs, endMs } = this.options;
    return startMs + ((endMs - startMs) * (this.gone + 1)) / this.left.length;
  }

  private lastHasEnded(nowMs: number): boolean {
    const { last } = this;
    return last === null || nowMs >= last.wentMs + END_WAIT_MAX_MS || this.options.hasEnded(last.client);
  }

  /** Where the first one is whose queue groups have had their rest; null: nobody's. */
  private rested(nowMs: number): number | null {
    const end = Math.min(this.left.length, this.gone + CANDIDATES_MAX);
    for (let at = this.gone; at < end; at++) {
      const groups = this.groupsOf(this.left[at] as T);
      if (groups.every((group) => this.hasRested(group, nowMs))) return at;
    }
    return null;
  }

  private hasRested(group: string, nowMs: number): boolean {
    const rest = this.rests.get(group);
    if (rest === undefined || nowMs >= rest.wentMs + REST_MAX_MS) return true;
    return this.options.membersElsewhere(group) > rest.elsewhere;
  }

  private take(at: number, nowMs: number): T {
    assert(at >= this.gone && at < this.left.length, "who goes is left");
    const client = this.left[at] as T;
    // The others keep their order.
    this.left.copyWithin(this.gone + 1, this.gone, at);
    this.left[this.gone++] = client;
    for (const group of this.groupsOf(client))
      this.rests.set(group, { wentMs: nowMs, elsewhere: this.options.membersElsewhere(group) });
    this.last = { client, wentMs: nowMs };
    this.groups.delete(client);
    return client;
  }

  private groupsOf(client: T): readonly string[] {
    const known = this.groups.get(client);
    if (known !== undefined) return known;
    const groups: string[] = [];
    for (const group of this.options.queueGroupsOf(client)) {
      if (groups.length === GROUPS_MAX) break;
      groups.push(group);
    }
    this.groups.set(client, groups);
    return groups;
  }
}
