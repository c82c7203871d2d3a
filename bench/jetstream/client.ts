/**
 * A client on the bare wire, for load on JetStream: it counts what comes, and reads as little of it as it can, so that it costs less than
 * the servers. Every delivery is counted, every acknowledgement is looked at for an error.
 */
import { connect, type Socket } from "node:net";

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const ZERO = 0x30;
const M = 0x4d;
const H = 0x48;
const ERROR = Buffer.from('"error":');
const NOTHING = Buffer.alloc(0);

export class WireClient {
  private readonly socket: Socket;
  private rest: Buffer = NOTHING;
  /** Called with each message as it lies in `all`, headers and payload from `from` to `to`. Valid during the call. */
  onMessage: (all: Buffer, from: number, to: number) => void = () => {};
  /** Where the reply of the message that is handed over lies; the same: it has none. */
  replyFrom = 0;
  replyTo = 0;

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
    if (typeof data === "string") this.socket.write(data, "latin1");
    else this.socket.write(data);
  }

  close(): void {
    this.socket.on("error", () => undefined).destroy();
  }

  private read(data: Buffer): void {
    const all = this.rest.length === 0 ? data : Buffer.concat([this.rest, data]);
    let from = 0;
    for (let next = this.take(all, 0); next > 0; next = this.take(all, from)) from = next;
    this.rest = from === all.length ? NOTHING : all.subarray(from);
  }

  /** Where the next line begins; -1: the line, or its payload, is not there yet. */
  private take(all: Buffer, from: number): number {
    const first = all[from];
    if (first !== M && first !== H) return this.takeOther(all, from);
    const withoutReply = first === H ? 4 : 3;
    let spaces = 0;
    let third = 0;
    let fourth = 0;
    let last = 0;
    let at = from;
    for (; at < all.length && all[at] !== LF; at++) {
      if (all[at] !== SPACE) continue;
      if (++spaces === 3) third = at;
      else if (spaces === 4) fourth = at;
      last = at;
    }
    if (at >= all.length) return -1;
    let size = 0;
    for (let i = last + 1; i < at - 1; i++) size = size * 10 + all[i]! - ZERO;
    const body = at + 1;
    const end = body + size + 2;
    if (all.length < end) return -1;
    this.replyFrom = third + 1;
    this.replyTo = spaces > withoutReply ? fourth : third + 1;
    this.onMessage(all, body, body + size);
    return end;
  }

  private takeOther(all: Buffer, from: number): number {
    const end = all.indexOf(CR, from);
    if (end < 0 || end + 2 > all.length) return -1;
    const line = all.toString("latin1", from, end);
    if (line === "PING") this.write("PONG\r\n");
    if (line.startsWith("-ERR")) throw new Error(`the server says ${line}`);
    return end + 2;
  }
}

/** Throws where the answer of the API, or an acknowledgement, is an error. */
export function check(all: Buffer, from: number, to: number): void {
  const body = all.subarray(from, to);
  if (body.includes(ERROR)) throw new Error(`refused: ${body.toString()}`);
}
