/** Answers that wait until everything that they depend on is agreed on. They leave in the order in which they came. */

interface DependentAnswer {
  /** Everything up to this sequence has to be agreed on before. */
  readonly after: number;
  readonly reply: string;
  readonly payload: string;
}

export class DependentAnswers {
  private waiting: DependentAnswer[] = [];

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  add(answer: DependentAnswer): void {
    this.waiting.push(answer);
  }

  /** Everything up to a sequence is agreed on. */
  take(last: number): readonly DependentAnswer[] {
    const ready = this.waiting.filter(({ after }) => after <= last);
    if (ready.length > 0) this.waiting = this.waiting.filter(({ after }) => after > last);
    return ready;
  }

  clear(): void {
    this.waiting = [];
  }
}
