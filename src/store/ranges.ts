/** A set of whole numbers, kept as ascending ranges that do not touch. */
export class Ranges {
  private ranges: { from: number; to: number }[] = [];

  /** How many numbers are in it. */
  get count(): number {
    let sum = 0;
    for (const { from, to } of this.ranges) sum += to - from + 1;
    return sum;
  }

  /** Infinity: it is empty. */
  get lowest(): number {
    return this.ranges[0]?.from ?? Infinity;
  }

  has(number: number): boolean {
    return this.ranges.some(({ from, to }) => from <= number && number <= to);
  }

  /** Both ends are included; an empty range (`to` below `from`) changes nothing. */
  add(from: number, to: number): void {
    if (to < from) return;
    const touching = this.ranges.filter((range) => range.from <= to + 1 && range.to >= from - 1);
    const start = Math.min(from, ...touching.slice(0, 1).map((range) => range.from));
    const end = Math.max(to, ...touching.slice(-1).map((range) => range.to));
    this.ranges = this.ranges.filter((range) => !touching.includes(range));
    this.ranges.push({ from: start, to: end });
    this.ranges.sort((a, b) => a.from - b.from);
  }

  remove(number: number): void {
    if (!this.has(number)) return;
    this.ranges = this.ranges.flatMap(({ from, to }) => {
      if (number < from || number > to) return [{ from, to }];
      return [
        { from, to: number - 1 },
        { from: number + 1, to },
      ].filter((range) => range.from <= range.to);
    });
  }

  removeBelow(number: number): void {
    this.ranges = this.ranges
      .filter(({ to }) => to >= number)
      .map(({ from, to }) => ({ from: Math.max(from, number), to }));
  }

  *[Symbol.iterator](): Generator<{ from: number; to: number }> {
    yield* this.ranges;
  }
}
