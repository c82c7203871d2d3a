/**
 * What a server says to a client, cut into lines and messages. Pure.
 *
 * Bounds: LINE_BYTES_MAX of a line, MESSAGE_BYTES_MAX of a message.
 */

export type Said =
  | { readonly kind: "line"; readonly text: string }
  /** `status`: that of the headers, such as 503; 0: none. */
  | { readonly kind: "message"; readonly subject: string; readonly status: number; readonly payload: Buffer };

const LINE_BYTES_MAX = 1 << 20;
const MESSAGE_BYTES_MAX = 64 << 20;
const CRLF = "\r\n";
const STATUS = /^NATS\/1\.0 (\d{3})/;

interface Head {
  readonly subject: string;
  readonly headerBytes: number;
  readonly totalBytes: number;
}

export class SpokenLines {
  private chunks: Buffer[] = [];
  private pendingBytes = 0;
  /** Bytes without which nothing more can be said. */
  private wantedBytes = 1;
  private head: Head | null = null;

  /** Throws where it is not the protocol. */
  take(chunk: Buffer): Said[] {
    this.chunks.push(chunk);
    this.pendingBytes += chunk.length;
    if (this.pendingBytes < this.wantedBytes) return [];
    const said: Said[] = [];
    let rest: Buffer = this.chunks.length === 1 ? chunk : Buffer.concat(this.chunks);
    for (;;) {
      const taken = this.head === null ? this.line(rest, said) : this.message(rest, this.head, said);
      if (taken === 0) break;
      rest = rest.subarray(taken);
    }
    this.chunks = rest.length === 0 ? [] : [rest];
    this.pendingBytes = rest.length;
    this.wantedBytes = this.head === null ? 1 : this.head.totalBytes + CRLF.length;
    return said;
  }

  /** The bytes that it has used; 0: there are too few. */
  private line(bytes: Buffer, said: Said[]): number {
    const end = bytes.indexOf(CRLF);
    if (end < 0) {
      if (bytes.length > LINE_BYTES_MAX) throw new Error("the server sends a line without an end");
      return 0;
    }
    const text = bytes.toString("utf8", 0, end);
    const words = text.split(" ");
    const verb = words[0]?.toUpperCase();
    if (verb === "MSG" || verb === "HMSG") this.head = headOf(words, verb === "HMSG");
    else said.push({ kind: "line", text });
    return end + CRLF.length;
  }

  private message(bytes: Buffer, { subject, headerBytes, totalBytes }: Head, said: Said[]): number {
    const length = totalBytes + CRLF.length;
    if (bytes.length < length) return 0;
    this.head = null;
    const status = Number(STATUS.exec(bytes.toString("latin1", 0, headerBytes))?.[1] ?? 0);
    said.push({ kind: "message", subject, status, payload: bytes.subarray(headerBytes, totalBytes) });
    return length;
  }
}

/** `MSG subject sid [reply] size`, `HMSG subject sid [reply] header-size size`. */
function headOf(words: readonly string[], hasHeaders: boolean): Head {
  const totalBytes = Number(words.at(-1));
  const headerBytes = hasHeaders ? Number(words.at(-2)) : 0;
  const isSound =
    Number.isSafeInteger(totalBytes) &&
    headerBytes >= 0 &&
    headerBytes <= totalBytes &&
    totalBytes <= MESSAGE_BYTES_MAX;
  if (!isSound) throw new Error(`the server sends a message of ${words.at(-1)} bytes`);
  return { subject: words[1] ?? "", headerBytes, totalBytes };
}
