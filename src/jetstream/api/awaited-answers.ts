/**
 * Answers about what was made or changed, which whoever comes to lead it gives. Every member keeps them for a while, since any of them may.
 *
 * Bounded: AWAITED_MAX answers, LISTED_MAX of them about one stream or consumer, for ANSWER_MS each. The oldest make room: who asked for
 * them is the first to have given up.
 */
import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import type { AnsweredRequest } from "./cluster-answers.ts";

const AWAITED_MAX = 10_000;
const LISTED_MAX = 1000;
const ANSWER_MS = 10_000;

export interface AwaitedAnswer {
  readonly request: AnsweredRequest;
  /** null: nothing has changed. */
  readonly change: "new" | "changed" | null;
  readonly type: string;
}

interface Kept extends AwaitedAnswer {
  readonly untilMs: number;
}

/** By consumer, oldest first; "" is the stream itself. */
type OfStream = Map<string, Kept[]>;

export class AwaitedAnswers {
  private readonly clock: Clock;
  /** By account and stream. */
  private readonly awaited = new Map<string, OfStream>();
  private timer: Disposable | null = null;
  /** How many there are in all lists. */
  private kept = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  stop(): void {
    this.timer?.[Symbol.dispose]();
  }

  get count(): number {
    return this.kept;
  }

  add(account: string, stream: string, consumer: string, answer: AwaitedAnswer): void {
    const key = keyOf(account, stream);
    let lists = this.awaited.get(key);
    if (lists === undefined) this.awaited.set(key, (lists = new Map()));
    let list = lists.get(consumer);
    if (list === undefined) lists.set(consumer, (list = []));
    list.push({ ...answer, untilMs: this.clock.nowMs() + ANSWER_MS });
    this.kept++;
    if (list.length > LISTED_MAX) {
      list.shift();
      this.kept--;
    }
    if (this.kept > AWAITED_MAX) this.evictFirst();
    this.timer ??= this.clock.setTimer(ANSWER_MS, () => this.expire());
  }

  /** What this server, which leads it now, has to answer. */
  take(account: string, stream: string, consumer: string): readonly AwaitedAnswer[] {
    const key = keyOf(account, stream);
    const lists = this.awaited.get(key);
    const found = lists?.get(consumer);
    if (lists === undefined || found === undefined) return [];
    this.drop(key, lists, consumer);
    const nowMs = this.clock.nowMs();
    return found.filter(({ untilMs }) => nowMs < untilMs);
  }

  /** It is no more; another one of the name is not what was asked for. `consumer`: "" is the stream, with all its consumers. */
  removed(account: string, stream: string, consumer: string): void {
    const key = keyOf(account, stream);
    const lists = this.awaited.get(key);
    if (lists === undefined) return;
    for (const name of consumer === "" ? [...lists.keys()] : [consumer]) this.drop(key, lists, name);
  }

  private drop(key: string, lists: OfStream, consumer: string): void {
    this.kept -= lists.get(consumer)?.length ?? 0;
    lists.delete(consumer);
    if (lists.size === 0) this.awaited.delete(key);
    assert(this.kept >= 0, "answers are counted once");
  }

  /** The list that was begun first, of the stream that was asked about first. */
  private evictFirst(): void {
    const [[key, lists] = ["", new Map<string, Kept[]>()]] = this.awaited;
    const [consumer = ""] = lists.keys();
    this.drop(key, lists, consumer);
  }

  /** Whoever led meanwhile has answered. */
  private expire(): void {
    const nowMs = this.clock.nowMs();
    for (const [key, lists] of this.awaited)
      for (const [consumer, list] of lists) {
        const over = list.findIndex(({ untilMs }) => nowMs < untilMs);
        if (over < 0) this.drop(key, lists, consumer);
        else this.kept -= list.splice(0, over).length;
      }
    this.timer = this.awaited.size === 0 ? null : this.clock.setTimer(ANSWER_MS, () => this.expire());
  }
}

/** Names of streams have no blanks. */
function keyOf(account: string, stream: string): string {
  return `${account} ${stream}`;
}
