/**
 * A client on the bare wire, for load on JetStream: it counts what comes, and reads as little of it as it can, so that it costs less than
 * the servers. Every delivery is counted, every acknowledgement is looked at for an error.
 */
import { connect, type Socket } from "node:net";

const CRLF = Buffer.from("\r\n");
const ERROR = Buffer.from('"error":');

export class WireClient {
  private readonly socket: Socket;
  private rest: Buffer = Buffer.alloc(0);
  /** Of each message: its subject, its reply ("": none), headers and payload. Valid during the call. */
  onMessage: (subject: string, reply: string, body: Buffer) => void = () => {};
  private nextSid = 1;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (data: Buffer) => this.read(data));
    socket.write('CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\n');
  }

  static open(port: number): Promise<WireClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1" });
      socket.once("connect", () => resolve(new WireClient(socket)));
      socket.once("error", reject);
    });
  }

  write(data: string | Buffer): void {
    this.socket.write(data);
  }

  subscribe(subject: string): void {
    this.write(`SUB ${subject} ${this.nextSid++}\r\n`);
  }

  close(): void {
    this.socket.on("error", () => undefined).destroy();
  }

  private read(data: Buffer): void {
    const all = this.rest.length === 0 ? data : Buffer.concat([this.rest, data]);
    let from = 0;
    for (;;) {
      const end = all.indexOf(CRLF, from);
      if (end < 0) break;
      const next = this.take(all, from, end);
      if (next < 0) break;
      from = next;
    }
    this.rest = from === all.length ? Buffer.alloc(0) : all.subarray(from);
  }

  /** Where the next line begins; -1: the payload is not there yet. */
  private take(all: Buffer, from: number, end: number): number {
    const first = all[from];
    if (first !== 0x4d && first !== 0x48) {
      const line = all.toString("latin1", from, end);
      if (line === "PING") this.write("PONG\r\n");
      if (line.startsWith("-ERR")) throw new Error(`the server says ${line}`);
      return end + 2;
    }
    const words = all.toString("latin1", from, end).split(" ");
    const size = Number(words.at(-1));
    if (all.length < end + 4 + size) return -1;
    const hasReply = words.length === (first === 0x48 ? 6 : 5);
    this.onMessage(words[1]!, hasReply ? words[3]! : "", all.subarray(end + 2, end + 2 + size));
    return end + 4 + size;
  }
}

/** Throws where the answer of the API, or an acknowledgement, is an error. */
export function check(body: Buffer): void {
  if (body.includes(ERROR)) throw new Error(`refused: ${body.toString()}`);
}
