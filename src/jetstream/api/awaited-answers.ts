/**
 * Answers about what was made or changed, which whoever comes to lead it gives. Every member keeps them for a while, since any of them may.
 *
 * Bounded: AWAITED_MAX streams and consumers, for ANSWER_MS each.
 */
import type { Clock } from "../../base/clock.ts";
import type { AnsweredRequest } from "./cluster-answers.ts";

const AWAITED_MAX = 10_000;
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

export class AwaitedAnswers {
  private readonly clock: Clock;
  /** By account, stream and consumer. */
  private readonly awaited = new Map<string, readonly Kept[]>();
  private timer: Disposable | null = null;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  stop(): void {
    this.timer?.[Symbol.dispose]();
  }

  add(account: string, stream: string, consumer: string, answer: AwaitedAnswer): void {
    const key = keyOf(account, stream, consumer);
    const untilMs = this.clock.nowMs() + ANSWER_MS;
    this.awaited.set(key, [...(this.awaited.get(key) ?? []), { ...answer, untilMs }]);
    if (this.awaited.size > AWAITED_MAX) this.awaited.delete(this.awaited.keys().next().value!);
    this.timer ??= this.clock.setTimer(ANSWER_MS, () => this.expire());
  }

  /** What this server, which leads it now, has to answer. */
  take(account: string, stream: string, consumer: string): readonly AwaitedAnswer[] {
    const key = keyOf(account, stream, consumer);
    const found = this.awaited.get(key) ?? [];
    this.awaited.delete(key);
    const nowMs = this.clock.nowMs();
    return found.filter(({ untilMs }) => nowMs < untilMs);
  }

  /** It is no more; another one of the name is not what was asked for. `consumer`: "" is the stream, with all its consumers. */
  removed(account: string, stream: string, consumer: string): void {
    const key = keyOf(account, stream, consumer);
    this.awaited.delete(key);
    if (consumer !== "") return;
    for (const one of this.awaited.keys()) if (one.startsWith(key)) this.awaited.delete(one);
  }

  /** Whoever led meanwhile has answered. */
  private expire(): void {
    const nowMs = this.clock.nowMs();
    for (const [key, answers] of this.awaited) {
      const left = answers.filter(({ untilMs }) => nowMs < untilMs);
      if (left.length === 0) this.awaited.delete(key);
      else this.awaited.set(key, left);
    }
    this.timer = this.awaited.size === 0 ? null : this.clock.setTimer(ANSWER_MS, () => this.expire());
  }
}

function keyOf(account: string, stream: string, consumer: string): string {
  return `${account} ${stream} ${consumer}`;
}
