/**
 * Where a stream keeps what consumers need, whoever makes a consumer is told so once the leader of the stream knows of it: a message that is
 * published afterwards would be dropped else. The leader of the consumer asks, again and again, and the leader of the stream answers.
 *
 *     name of the consumer ─▶ $SHOAL.INTEREST.<group of the stream>      "" ─▶ inbox
 *
 * Bounded: QUESTIONS_MAX at a time, each for PATIENCE_MS.
 */
import { randomToken } from "../../base/base62.ts";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { GroupTransport } from "./group.ts";
import type { StreamInterest } from "./interest.ts";

const AGAIN_MS = 100;
const PATIENCE_MS = 5000;
const QUESTIONS_MAX = 10_000;
const NOTHING = new Uint8Array(0);

const subjectOf = (group: string): string => `$SHOAL.INTEREST.${group}`;

/** While this server leads the stream. */
export function answerInterest(
  transport: GroupTransport,
  group: string,
  interest: StreamInterest,
): Disposable {
  return transport.listen(subjectOf(group), (_subject, reply, payload) => {
    if (interest.has(Buffer.from(payload).toString("latin1"))) transport.send(reply, "", NOTHING);
  });
}

interface InterestQuestionsOptions {
  readonly transport: GroupTransport;
  readonly clock: Clock;
  readonly random: Random;
}

export class InterestQuestions {
  private readonly options: InterestQuestionsOptions;
  private readonly open = new Set<Disposable>();

  constructor(options: InterestQuestionsOptions) {
    this.options = options;
  }

  /** `done`: whether the leader of the stream knows of the consumer by now. */
  ask(group: string, consumer: string, done: (isKnown: boolean) => void): void {
    const { transport, clock, random } = this.options;
    if (this.open.size >= QUESTIONS_MAX) return done(false);
    const untilMs = clock.nowMs() + PATIENCE_MS;
    const inbox = `$JSC.R.${randomToken(random)}`;
    let timer: Disposable | null = null;
    const ear = transport.listen(inbox, () => end(true));
    const question = {
      [Symbol.dispose]() {
        ear[Symbol.dispose]();
        timer?.[Symbol.dispose]();
      },
    };
    const end = (isKnown: boolean): void => {
      if (!this.open.delete(question)) return;
      question[Symbol.dispose]();
      done(isKnown);
    };
    const again = (): void => {
      if (clock.nowMs() > untilMs) return end(false);
      transport.send(subjectOf(group), inbox, Buffer.from(consumer, "latin1"));
      timer = clock.setTimer(AGAIN_MS, again);
    };
    this.open.add(question);
    again();
  }

  stop(): void {
    for (const question of this.open) question[Symbol.dispose]();
    this.open.clear();
  }
}
