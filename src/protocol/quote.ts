/** Texts as Go's %q prints them, which is how nats-server quotes subjects in its errors. */

const ESCAPES: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  '"': '\\"',
  "\\": "\\\\",
};
const PLAIN = /^[ !#-[\]-~]*$/;
/** What Go does not print as it is: all but letters, marks, numbers, punctuation and symbols. */
const UNPRINTABLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;

/** What a peer has said of itself, within a line for that peer. */
export function onOneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\x00-\x1f\x7f]/g, "?");
}

/** Quotes a byte string; the result is one, too. */
export function quoted(value: string): string {
  if (PLAIN.test(value)) return `"${value}"`;
  return `"${[...characters(Buffer.from(value, "latin1"))].map(escaped).join("")}"`;
}

/** UTF-8 characters; a byte that is part of none stands alone, as a number. */
function* characters(bytes: Buffer): Generator<string | number> {
  for (let at = 0; at < bytes.length;) {
    const length = characterLength(bytes, at);
    yield length === 0 ? bytes[at]! : bytes.toString("utf8", at, at + length);
    at += Math.max(1, length);
  }
}

function characterLength(bytes: Buffer, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    const character = bytes.subarray(at, at + length);
    const text = character.toString("utf8");
    const isOne = String.fromCodePoint(text.codePointAt(0)!).length === text.length;
    if (isOne && Buffer.from(text, "utf8").equals(character)) return length;
  }
  return 0;
}

function escaped(character: string | number): string {
  if (typeof character === "number") return `\\x${character.toString(16).padStart(2, "0")}`;
  const short = ESCAPES[character];
  if (short !== undefined) return short;
  if (!UNPRINTABLE.test(character)) return Buffer.from(character, "utf8").toString("latin1");
  const code = character.codePointAt(0)!;
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code > 0xffff
    ? `\\U${code.toString(16).padStart(8, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}
