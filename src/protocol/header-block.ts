/**
 * A block of headers gets one more that only the server may write. Clients read blocks in ways of their own: some end lines at a
 * lone LF or CR, some strip blanks before a name or a colon, some give up at the first line that is none, or without a version. So that
 * by none of these ways the sender's text is taken for the server's header, or hides it, what is no header line is left out, and what
 * ends otherwise ends with CRLF. One pass, and no text for each line: there may be hundreds of thousands.
 */
const VERSION = "NATS/1.0";
const CRLF = "\r\n";
const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const BLANK = 0x20;
const COLON = 0x3a;
const DELETE = 0x7f;

/** `block`: a byte string, "" for none. `name` in the case that it is written in; `value`: a byte string. */
export function withServerHeader(block: string, name: string, value: string): string {
  const own = `${name}: ${value}${CRLF}${CRLF}`;
  if (!block.startsWith(VERSION)) return VERSION + CRLF + keptLines(block, 0, name) + own;
  const end = lineEnd(block, 0);
  return block.slice(0, end) + CRLF + keptLines(block, nextLine(block, end), name) + own;
}

/** The lines from `at` on that are headers, but those of the name. */
function keptLines(block: string, at: number, name: string): string {
  const lowerName = name.toLowerCase();
  let kept = "";
  /** Lines from here on are kept as they stand. */
  let runFrom = at;
  const plainEnd = endOfPlainLines(block, at, name);
  let isKept = plainEnd > at;
  for (let from = plainEnd; from < block.length;) {
    const end = lineEnd(block, from);
    const next = nextLine(block, end);
    isKept = isHeader(block, from, end, isKept) && !isNamed(block, from, end, lowerName);
    if (isKept && next === end + 2) {
      from = next;
      continue;
    }
    kept += block.slice(runFrom, isKept ? end : from);
    if (isKept) kept += CRLF;
    runFrom = from = next;
  }
  return kept + block.slice(runFrom);
}

/** Lines per search: in a longer one the engine would remember every way back. */
// oxlint-disable-next-line no-control-regex
const PLAIN_LINES = /(?:[^\x00-\x20:\x7f]+:[^\r\n]*\r\n){1,200}/y;

/** Behind the first lines that are a name, a colon, a value and CRLF: nearly all are. `at`, where one may be of the name. */
function endOfPlainLines(block: string, at: number, name: string): number {
  if (new RegExp(`(?:^|[\\r\\n])${name}:`, "i").test(block)) return at;
  for (let end = at; ;) {
    PLAIN_LINES.lastIndex = end;
    if (!PLAIN_LINES.test(block)) return end;
    end = PLAIN_LINES.lastIndex;
  }
}

function lineEnd(block: string, from: number): number {
  let i = from;
  while (i < block.length && block.charCodeAt(i) !== LF && block.charCodeAt(i) !== CR) i++;
  return i;
}

function nextLine(block: string, end: number): number {
  const isPair = block.charCodeAt(end) === CR && block.charCodeAt(end + 1) === LF;
  return end + (isPair ? 2 : 1);
}

/** A name without blanks, and a colon; or more of the value of the line before, where that is one. */
function isHeader(block: string, from: number, end: number, followsHeader: boolean): boolean {
  const first = block.charCodeAt(from);
  if (from < end && (first === BLANK || first === TAB)) return followsHeader;
  const nameEnd = endOfName(block, from, end);
  return nameEnd > from && nameEnd < end && block.charCodeAt(nameEnd) === COLON;
}

// oxlint-disable-next-line no-control-regex
const UNSEEN = /[\x00-\x20\x7f]/g;

/** The name of a header is plain to see; in more of a value, blanks and control characters may stand anywhere. */
function isNamed(block: string, from: number, end: number, lowerName: string): boolean {
  let colon = from;
  while (colon < end && block.charCodeAt(colon) !== COLON) colon++;
  if (colon === end || colon - from < lowerName.length) return false;
  const first = block.charCodeAt(from);
  if (first !== BLANK && first !== TAB)
    return colon - from === lowerName.length && block.slice(from, colon).toLowerCase() === lowerName;
  return block.slice(from, colon).replaceAll(UNSEEN, "").toLowerCase() === lowerName;
}

function endOfName(block: string, from: number, end: number): number {
  let i = from;
  for (; i < end; i++) {
    const code = block.charCodeAt(i);
    if (code <= BLANK || code === COLON || code === DELETE) break;
  }
  return i;
}
