import type { Random } from "../base/random.ts";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Random letters and digits. */
export function token(random: Random, length = 8): string {
  let text = "";
  for (let i = 0; i < length; i++) text += DIGITS[Math.floor(random.next() * DIGITS.length)];
  return text;
}
