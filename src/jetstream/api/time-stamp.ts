/** The time of a message as `formatTime` shows it, written as bytes: one object, set for one message after the other. */
import { SplitTime } from "../../slab/nanoseconds.ts";
import { bytes, writeText } from "../../slab/memory.ts";

const NS_DIGITS = 9;
const DIGIT_0 = 0x30;
const DOT = 0x2e;
const ZONE = 0x5a;

export class TimeStamp {
  private readonly time = new SplitTime();
  private shownSeconds = NaN;
  /** `2026-01-01T00:00:00` */
  private shown = "";
  /** How many digits the fraction has, without trailing zeros. 0: there is no fraction. */
  private digits = 0;

  set(low: number, high: number): void {
    const { time } = this;
    time.set(low, high);
    if (time.seconds !== this.shownSeconds) {
      this.shownSeconds = time.seconds;
      this.shown = new Date(time.seconds * 1000).toISOString().slice(0, -5);
    }
    let digits = time.nanoseconds === 0 ? 0 : NS_DIGITS;
    for (let rest = time.nanoseconds; digits > 0 && rest % 10 === 0; rest /= 10) digits--;
    this.digits = digits;
  }

  get length(): number {
    return this.shown.length + (this.digits === 0 ? 0 : this.digits + 1) + 1;
  }

  /** Writes it into the slab and returns the offset behind it. */
  write(at: number): number {
    let end = writeText(at, this.shown);
    if (this.digits > 0) {
      bytes[end++] = DOT;
      let rest = this.time.nanoseconds;
      for (let i = NS_DIGITS - 1; i >= 0; i--) {
        const next = (rest / 10) | 0;
        if (i < this.digits) bytes[end + i] = DIGIT_0 + (rest - next * 10);
        rest = next;
      }
      end += this.digits;
    }
    bytes[end++] = ZONE;
    return end;
  }
}
