/** Operations in any spelling that a peer may choose: case, blanks, tabs, a missing carriage return. */
import fc from "fast-check";

const blanks = fc.oneof(
  { weight: 6, arbitrary: fc.constant(" ") },
  { weight: 1, arbitrary: fc.constantFrom("  ", "\t", " \t ") },
);
const lineEnd = fc.oneof(
  { weight: 6, arbitrary: fc.constant("\r\n") },
  { weight: 1, arbitrary: fc.constantFrom("\n", " \r\n", "\t\n") },
);

/** The words of a line, its name in any case, what stands between them, and its end. */
export function line(...words: readonly string[]): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.constantFrom("upper", "upper", "upper", "lower"),
      fc.array(blanks, { minLength: 8, maxLength: 8 }),
      lineEnd,
    )
    .map(([letters, between, end]) => {
      const [name = "", ...rest] = words;
      const shown = letters === "upper" ? name : name.toLowerCase();
      return `${shown}${rest.map((word, i) => between[i % between.length]! + word).join("")}${end}`;
    });
}

const token = fc.stringMatching(/^[a-z0-9]{1,5}$/);
/** Any bytes above the blank but the dot. */
const oddToken = fc
  .array(fc.integer({ min: 0x21, max: 0xff }), { minLength: 1, maxLength: 6 })
  .map((codes) => String.fromCharCode(...codes).replaceAll(".", "-"));

export const subject = fc
  .array(fc.oneof({ weight: 5, arbitrary: token }, { weight: 1, arbitrary: oddToken }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((tokens) => tokens.join("."))
  .filter((text) => text !== "+" && text !== "|");

export const queue = token;

/** A payload as a byte string. */
export function payload(maxLength: number): fc.Arbitrary<string> {
  return fc
    .oneof(
      fc.uint8Array({ maxLength }),
      fc
        .constantFrom("\r\n", "PUB a 3\r\nabc\r\n", "PING\r\n", "RS+ $G a\r\n")
        .map((text) => Buffer.from(text)),
    )
    .map((data) => Buffer.from(data).subarray(0, maxLength).toString("latin1"));
}

export interface Sent {
  readonly subject: string;
  readonly reply: string;
  /** "": none. */
  readonly headers: string;
  readonly payload: string;
}

export const sent: fc.Arbitrary<Sent> = fc.record({
  subject,
  reply: fc.oneof(fc.constant(""), subject),
  headers: fc.oneof(
    fc.constant(""),
    fc.stringMatching(/^[A-Za-z]{1,8}: [a-z]{0,9}$/).map((text) => `NATS/1.0\r\n${text}\r\n\r\n`),
  ),
  payload: payload(120),
});

/** The words of a message's line from the subject on. */
export function messageWords(message: Sent, between: readonly string[] = []): string[] {
  const { subject: to, reply, headers, payload: data } = message;
  const replies = between.length > 0 ? between : reply === "" ? [] : [reply];
  const sizes = headers === "" ? [] : [String(headers.length)];
  return [to, ...replies, ...sizes, String(headers.length + data.length)];
}

/** A publish of a client, in any spelling. */
export function published(message: Sent): fc.Arbitrary<string> {
  const name = message.headers === "" ? "PUB" : "HPUB";
  return line(name, ...messageWords(message)).map(
    (head) => `${head}${message.headers}${message.payload}\r\n`,
  );
}

/** Now and then the same message several times in a row, in its usual spelling: what parsers remember. */
export function repeated(frame: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(frame, fc.integer({ min: 1, max: 4 })).map(([text, times]) => text.repeat(times));
}
