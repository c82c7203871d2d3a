/**
 * Flow control of a push consumer: after so many bytes the subscriber is asked to answer, and beyond twice as many nothing is sent
 * until it has. The window grows while answers come.
 */
const WINDOW_START = 64 * 1024;
const WINDOW_MAX = 8 * 1024 * 1024;

export class FlowControl {
  private readonly isOn: boolean;
  private window = WINDOW_START;
  /** Bytes sent since the last question, and before it. */
  private since = 0;
  private before = 0;
  private askedId = "";

  constructor(isOn: boolean) {
    this.isOn = isOn;
  }

  get isStalled(): boolean {
    return this.isOn && this.askedId !== "" && this.before + this.since >= 2 * this.window;
  }

  /** The question that is open; "": none is. */
  get openId(): string {
    return this.askedId;
  }

  /** Bytes were sent. Returns the id of the question to ask now, or null. */
  sent(bytes: number, newId: () => string): string | null {
    if (!this.isOn) return null;
    this.since += bytes;
    return this.since < this.window / 2 ? null : this.ask(newId);
  }

  /** The id of a question to ask whatever was sent; null: one is open, or none is asked at all. */
  ask(newId: () => string): string | null {
    if (!this.isOn || this.askedId !== "") return null;
    this.before = this.since;
    this.since = 0;
    return (this.askedId = newId());
  }

  /** False: it is no answer to the question. */
  answered(id: string): boolean {
    if (id !== this.askedId || id === "") return false;
    this.askedId = "";
    this.before = 0;
    this.window = Math.min(WINDOW_MAX, this.window * 2);
    return true;
  }
}
