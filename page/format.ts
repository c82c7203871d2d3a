/** Figures and times as people read them. */

const UNITS = ["", "k", "M", "G", "T"];

/** 0, 7, 950, 1.2k, 34.5M */
export function count(value: number): string {
  return scaled(value, 1000, UNITS, "");
}

export function bytes(value: number): string {
  return scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"], " ");
}

function scaled(value: number, base: number, units: readonly string[], gap: string): string {
  let rest = value;
  let unit = 0;
  while (Math.abs(rest) >= base && unit < units.length - 1) {
    rest /= base;
    unit++;
  }
  const digits = unit === 0 ? (Math.abs(rest) < 10 && !Number.isInteger(rest) ? 1 : 0) : rest < 100 ? 1 : 0;
  const text = rest.toFixed(digits).replace(/\.0$/, "");
  return units[unit] === "" ? text : `${text}${gap}${units[unit]}`;
}

export function exact(value: number): string {
  return value.toLocaleString("en").replaceAll(",", " ");
}

export function milliseconds(value: number): string {
  if (value <= 0) return "–";
  return value < 1
    ? `${Math.round(value * 1000)} µs`
    : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

/** The two largest units. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first === -1) return "0s";
  return parts
    .slice(first, first + 2)
    .map(([amount, unit]) => `${amount}${unit}`)
    .join(" ");
}

/** For places that do not wrap: what is longer ends in an ellipsis. */
export function short(text: string, max: number): string {
  const letters = Array.from(text);
  return letters.length > max ? `${letters.slice(0, max - 1).join("")}…` : text;
}

export function clock(ms: number): string {
  return new Date(ms).toLocaleTimeString("en-GB");
}

export function plural(amount: number, one: string, many = `${one}s`): string {
  return `${exact(amount)} ${amount === 1 ? one : many}`;
}
