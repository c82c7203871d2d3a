/**
 * Answers of a leader that wait until what they depend on is agreed on, refusals among them, so that nobody learns of what may be lost.
 *
 * Bounded by what publishers have under way.
 */
import type { Stream } from "../stream/stream.ts";

interface HeldAnswer {
  /** Everything up to this sequence has to be agreed on before. */
  readonly after: number;
  readonly reply: string;
  readonly payload: string;
}

export class HeldUntilAgreed {
  private readonly stream: Stream;
  private held: HeldAnswer[] = [];

  constructor(stream: Stream) {
    this.stream = stream;
  }

  add(answer: HeldAnswer): void {
    if (answer.reply === "" || this.stream.config.noAck) return;
    this.held.push(answer);
    this.stream.host.afterwards(() => this.release());
  }

  /** Something has been agreed on. */
  agreed(): void {
    if (this.held.length > 0) this.stream.host.afterwards(() => this.release());
  }

  clear(): void {
    this.held = [];
  }

  private release(): void {
    const { store, host } = this.stream;
    const ready = this.held.filter(({ after }) => after <= store.last);
    if (ready.length === 0) return;
    this.held = this.held.filter(({ after }) => after > store.last);
    for (const { reply, payload } of ready) host.send({ subject: reply, reply: "", headers: "", payload });
  }
}
