/** Durations as Go writes them ("300ms", "1m30s", "1.5h"), since operators know these from nats-server. */

/** The longest time that a timer of Node can wait. */
export const TIMER_MAX_MS = 2 ** 31 - 1;

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5, the micro sign
  μs: 1e-3, // U+03BC, the Greek letter
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const WHOLE = /^([-+]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;

/** The most nanoseconds that 64 bits hold, as in Go: some 292 years. */
const LONGEST_MS = Number(2n ** 63n / 1_000_000n);

/** Whole milliseconds, rounded up; null if the text is not a duration or exceeds Go's range. */
export function durationFromText(text: string): number | null {
  if (/^[-+]?0$/.test(text)) return 0;
  if (text.length > 100) return null;
  const whole = WHOLE.exec(text);
  if (whole === null) return null;
  let ms = 0;
  for (const [, number, unit] of (whole[2] ?? "").matchAll(PART))
    ms += Number(number) * (UNIT_MS[unit ?? ""] ?? NaN);
  // Six digits are nanoseconds; further digits are rounding noise.
  if (ms > LONGEST_MS) return null;
  const rounded = Math.ceil(Number(ms.toFixed(6)));
  return whole[1] === "-" && rounded !== 0 ? -rounded : rounded;
}

/** The shortest text that reads as the same duration, in the style of Go but without zero parts: "2m", "1m30s". */
export function durationToText(ms: number): string {
  if (ms === 0) return "0s";
  const parts = [
    [Math.floor(ms / 3_600_000), "h"],
    [Math.floor(ms / 60_000) % 60, "m"],
    [Math.floor(ms / 1000) % 60, "s"],
    [ms % 1000, "ms"],
  ] as const;
  return parts
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join("");
}
