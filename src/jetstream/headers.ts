/** The headers of a message: lines `Name: value`, each with CRLF, behind the line `NATS/1.0`. Names are compared by case, as nats-server does. */

export const VERSION_LINE = "NATS/1.0\r\n";

export class MessageHeaders {
  /** From NATS/1.0 to the empty line, as a byte string; "": none. */
  readonly block: string;

  constructor(block: string) {
    this.block = block;
  }

  static of(body: Uint8Array, headerLength: number): MessageHeaders {
    return new MessageHeaders(Buffer.from(body.buffer, body.byteOffset, headerLength).toString("latin1"));
  }

  /** The first value of the name; null: there is none. */
  get(name: string): string | null {
    const from = this.block.indexOf(`\r\n${name}:`);
    if (from < 0) return null;
    const start = from + name.length + 3;
    return this.block.slice(start, this.block.indexOf("\r\n", start)).trim();
  }
}

/** A status line that stands for a message, as `100 Idle Heartbeat`. */
export function statusBlock(
  status: string,
  entries: readonly (readonly [name: string, value: string | number])[] = [],
): string {
  return `NATS/1.0 ${status}\r\n${entries.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}
