/** A time in nanoseconds since the epoch, which two words hold, as whole seconds and the rest: a double does not hold all its digits. */
const NS_PER_S = 1_000_000_000;
const TWO_32 = 2 ** 32;

export class SplitTime {
  seconds = 0;
  nanoseconds = 0;

  /** The quotient may be wrong by one, since a double does not hold all digits; the remainder, taken in 32 bits, says so. */
  set(low: number, high: number): void {
    let seconds = Math.floor((high * TWO_32 + low) / NS_PER_S);
    let nanoseconds = (low - Math.imul(seconds, NS_PER_S)) >>> 0;
    if (nanoseconds >= TWO_32 - NS_PER_S) {
      seconds--;
      nanoseconds = (nanoseconds + NS_PER_S) >>> 0;
    } else if (nanoseconds >= NS_PER_S) {
      seconds++;
      nanoseconds -= NS_PER_S;
    }
    this.seconds = seconds;
    this.nanoseconds = nanoseconds;
  }
}
