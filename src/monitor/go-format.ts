/** Times, durations and texts as nats-server writes them into JSON. */

/** RFC 3339 in UTC, to the microsecond, without trailing zeros: `2026-01-02T03:04:05.678901Z`. */
export function goTime(ms: number): string {
  const micros = Math.round(ms * 1000);
  const seconds = Math.floor(micros / 1e6);
  const fraction = String(micros - seconds * 1e6)
    .padStart(6, "0")
    .replace(/0+$/, "");
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  return fraction === "" ? `${whole}Z` : `${whole}.${fraction}Z`;
}

/** `1y2d3h4m5s`: whole seconds, from the largest unit that is not 0. A year has 365 days. */
export function goUptime(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const units: readonly (readonly [string, number])[] = [
    ["y", Math.floor(seconds / 31_536_000)],
    ["d", Math.floor(seconds / 86_400) % 365],
    ["h", Math.floor(seconds / 3600) % 24],
    ["m", Math.floor(seconds / 60) % 60],
    ["s", seconds % 60],
  ];
  const first = units.findIndex(([unit, count]) => count > 0 || unit === "s");
  return units
    .slice(first)
    .map(([unit, count]) => `${count}${unit}`)
    .join("");
}

/** As Go prints a duration of less than a minute or so: `684µs`, `9.485ms`, `1.5s`, `2m3.5s`. */
export function goDuration(ms: number): string {
  const micros = Math.round(ms * 1000);
  if (micros === 0) return "0s";
  if (micros < 1000) return `${micros}µs`;
  if (micros < 1e6) return `${micros / 1000}ms`;
  const seconds = micros / 1e6;
  if (seconds < 60) return `${seconds}s`;
  const rest = Number((seconds % 60).toFixed(6));
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}m${rest}s` : `${Math.floor(minutes / 60)}h${minutes % 60}m${rest}s`;
}

export function nanoseconds(ms: number): number {
  return Math.round(ms * 1e6);
}

/** A subject or the like, which inside the server is a byte string, for people. */
export function shownText(bytes: string): string {
  // oxlint-disable-next-line no-control-regex
  return /^[\x00-\x7f]*$/.test(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}

/** The byte string of a text. */
export function wireText(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}

/** For fields that nats-server leaves out when they are empty. */
export function orOmit<T>(value: T): T | undefined {
  return value === "" || value === 0 || value === false ? undefined : value;
}
