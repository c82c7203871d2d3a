/** A client that sends what it is told, counts what it receives, and knows when the server has done all that was sent. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

const PIECE = 2000;
const HEARD_CHARS_MAX = 10_000;

export class Client {
  /** Lines of MSG and HMSG. */
  messages = 0;
  bytes = 0;
  /** The last of what was received. */
  heard = "";
  readonly socket: Socket;
  private tail = "";
  private readonly pongs: (() => void)[] = [];
  private changed: (() => void) | null = null;

  private constructor(port: number) {
    this.socket = connect({ host: "127.0.0.1", port, noDelay: true });
    this.socket.setEncoding("latin1");
    this.socket.on("error", () => undefined).on("data", (text: string) => this.take(text));
  }

  static async open(port: number, hello: object = {}): Promise<Client> {
    const client = new Client(port);
    await once(client.socket, "connect");
    const options = { verbose: false, pedantic: false, headers: true, no_responders: true, ...hello };
    client.send(`CONNECT ${JSON.stringify(options)}\r\n`);
    await client.flush();
    return client;
  }

  send(text: string): void {
    this.socket.write(text, "latin1");
  }

  /** Sends `count` lines, a few at a time, so that sending is no flood of its own. */
  async sendMany(count: number, line: (i: number) => string): Promise<void> {
    for (let from = 0; from < count; from += PIECE) {
      let text = "";
      for (let i = from; i < Math.min(count, from + PIECE); i++) text += line(i);
      this.send(text);
      await this.flush();
    }
  }

  /** A message with headers of `bytes` bytes in all. */
  sendHeaders(subject: string, header: string, bytes: number): void {
    const block = `NATS/1.0\r\n${header.repeat(Math.floor(bytes / header.length))}\r\n`;
    this.send(`HPUB ${subject} ${block.length} ${block.length}\r\n${block}\r\n`);
  }

  async flush(): Promise<void> {
    const ponged = new Promise<void>((resolve) => this.pongs.push(resolve));
    this.send("PING\r\n");
    await ponged;
  }

  async received(count: number): Promise<void> {
    while (this.messages < count) await new Promise<void>((resolve) => (this.changed = resolve));
  }

  private take(text: string): void {
    this.bytes += text.length;
    this.heard = (this.heard + text).slice(-HEARD_CHARS_MAX);
    const all = this.tail + text;
    this.messages += all.match(/(?:^|\r\n)H?MSG [^\r\n]*(?=\r\n)/g)?.length ?? 0;
    for (let i = all.match(/(?:^|\n)PONG\r\n/g)?.length ?? 0; i > 0; i--) this.pongs.shift()?.();
    if (all.endsWith("PING\r\n")) this.send("PONG\r\n");
    const end = all.lastIndexOf("\r\n");
    this.tail = end === all.length - 2 ? "" : all.slice(Math.max(end, all.length - 4096));
    this.changed?.();
  }
}
