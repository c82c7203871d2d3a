/**
 * The characters of one configuration text, and where we are in it: white space, comments, quoted strings, text blocks
 * and words. Knows nothing of keys and blocks; parser.ts does.
 */
import { ParseError, type Origin, type SourceText } from "./node.ts";

const INLINE_SPACE = /[ \t]*/y;
const SPACE = /\s*/y;
const COMMENT = /(?:#|\/\/)[^\n\r]*/y;
const BARE_KEY = /[^\s=:{}[\],;'"]+/y;
/** A run of an unquoted value: nats-server ends it at white space and at these, and unescapes it at a backslash. */
const BARE_RUN = /[^ \t\r\n;,\]}\\']*/y;
const DOUBLE_QUOTED_RUN = /[^"\\]*/y;
const BLOCK_END = /\n\)(?=\r?\n|$)/g;

const ESCAPES: Readonly<Record<string, string>> = {
  t: "\t",
  n: "\n",
  r: "\r",
  '"': '"',
  "\\": "\\",
  // JSON knows these as well; nats-server refuses them.
  "/": "/",
  b: "\b",
  f: "\f",
};

export interface Word {
  readonly text: string;
  /** An escape or a closing apostrophe makes a word a string, whatever it looks like. */
  readonly isPlain: boolean;
}

export class Cursor {
  readonly source: SourceText;
  offset = 0;

  constructor(source: SourceText) {
    this.source = source;
  }

  at(offset: number = this.offset): Origin {
    return { kind: "file", source: this.source, offset };
  }

  /** The next character, or "" at the end. */
  peek(): string {
    return this.source.text.charAt(this.offset);
  }

  isAtEnd(): boolean {
    return this.offset >= this.source.text.length;
  }

  fail(expected: string, offset: number = this.offset): never {
    const char = this.source.text.charAt(offset);
    const got =
      char === "" ? "the end of the text" : char === "\n" || char === "\r" ? "a new line" : `'${char}'`;
    throw new ParseError(this.at(offset), `expected ${expected}, but got ${got}`);
  }

  skipInlineSpace(): void {
    this.take(INLINE_SPACE);
  }

  skipSpace(): void {
    this.take(SPACE);
  }

  /** Skips a comment that starts here; true if there was one. */
  skipComment(): boolean {
    return this.take(COMMENT) !== "";
  }

  skipSpaceAndComments(): void {
    do this.skipSpace();
    while (this.skipComment());
  }

  takeKey(): string {
    const quote = this.peek();
    if (quote !== '"' && quote !== "'") return this.take(BARE_KEY);
    const start = this.offset + 1;
    const end = this.source.text.indexOf(quote, start);
    if (end === -1) return this.failUnclosed(`closing ${quote} of the key`);
    this.offset = end + 1;
    return this.source.text.slice(start, end);
  }

  /** `'…'`: nothing in it is special. */
  takeSingleQuoted(): string {
    const start = this.offset + 1;
    const end = this.source.text.indexOf("'", start);
    if (end === -1) return this.failUnclosed("closing '");
    this.offset = end + 1;
    return this.source.text.slice(start, end);
  }

  takeDoubleQuoted(): string {
    const open = this.offset;
    this.offset++;
    const plain = this.take(DOUBLE_QUOTED_RUN);
    if (this.peek() === '"') {
      this.offset++;
      return plain;
    }
    const pieces: Buffer[] = [Buffer.from(plain)];
    for (;;) {
      pieces.push(Buffer.from(this.take(DOUBLE_QUOTED_RUN)));
      if (this.isAtEnd()) return this.failUnclosed('closing "', open);
      if (this.peek() === '"') break;
      pieces.push(this.takeEscape());
    }
    this.offset++;
    return Buffer.concat(pieces).toString();
  }

  /** `(`, lines, and a `)` alone on its line: the text between, as it stands. */
  takeTextBlock(): string {
    const start = this.offset + 1;
    BLOCK_END.lastIndex = start;
    const end = BLOCK_END.exec(this.source.text);
    if (end === null) return this.failUnclosed("')' alone on a line, to close the text block");
    this.offset = end.index + 2;
    return this.source.text.slice(start, end.index + 1);
  }

  takeWord(): Word {
    const plain = this.take(BARE_RUN);
    const next = this.peek();
    if (next !== "\\" && next !== "'") return { text: plain, isPlain: true };
    const pieces: Buffer[] = [Buffer.from(plain)];
    while (this.peek() === "\\") pieces.push(this.takeEscape(), Buffer.from(this.take(BARE_RUN)));
    const text = Buffer.concat(pieces).toString();
    // nats-server ends an unquoted value at an apostrophe and drops it.
    const endsInApostrophe = this.peek() === "'";
    if (endsInApostrophe) this.offset++;
    return { text, isPlain: pieces.length === 1 && !endsInApostrophe };
  }

  private takeEscape(): Buffer {
    const { text } = this.source;
    const start = this.offset;
    const letter = text.charAt(start + 1);
    const plain = ESCAPES[letter];
    this.offset += 2;
    if (plain !== undefined) return Buffer.from(plain);
    const digits = letter === "x" ? 2 : letter === "u" ? 4 : 0;
    const hex = text.slice(this.offset, this.offset + digits);
    if (digits === 0 || hex.length < digits || !/^[0-9a-f]+$/i.test(hex)) {
      throw new ParseError(
        this.at(start),
        'expected one of the escapes \\xHH \\uHHHH \\t \\n \\r \\b \\f \\" \\/ \\\\',
      );
    }
    this.offset += digits;
    const code = parseInt(hex, 16);
    if (letter === "x") return Buffer.of(code);
    return Buffer.from(this.withLowSurrogate(code));
  }

  /** `\uD83D\uDE00` is one character in two escapes. */
  private withLowSurrogate(code: number): string {
    const low = /\\u(d[c-f][0-9a-f]{2})/iy;
    low.lastIndex = this.offset;
    const match = code >= 0xd800 && code < 0xdc00 ? low.exec(this.source.text) : null;
    if (match === null) return String.fromCharCode(code);
    this.offset += match[0].length;
    return String.fromCharCode(code, parseInt(match[1] ?? "", 16));
  }

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.offset;
    const found = pattern.exec(this.source.text)?.[0] ?? "";
    this.offset += found.length;
    return found;
  }

  private failUnclosed(missing: string, open: number = this.offset): never {
    throw new ParseError(this.at(open), `expected a ${missing}, but the text ends without it`);
  }
}
