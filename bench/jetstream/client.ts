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
  /** The body of each message. `from` to `to`: its reply within `all`; the same: it has none. Valid during the call. */
  onMessage: (body: Buffer, all: Buffer, from: number, to: number) => void = () => {};

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
    let spaces = 0;
    let third = 0;
    let last = 0;
    let at = from;
    for (; at < all.length && all[at] !== LF; at++) {
      if (all[at] !== SPACE) continue;
      if (++spaces === 3) third = at;
      last = at;
    }
    if (at >= all.length) return -1;
    let size = 0;
    for (let i = last + 1; i < at - 1; i++) size = size * 10 + all[i]! - ZERO;
    const end = at + 1 + size + 2;
    if (all.length < end) return -1;
    const hasReply = spaces === (first === H ? 5 : 4);
    const replyTo = hasReply ? all.indexOf(SPACE, third + 1) : third + 1;
    this.onMessage(all.subarray(at + 1, at + 1 + size), all, third + 1, replyTo);
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
export function check(body: Buffer): void {
  if (body.includes(ERROR)) throw new Error(`refused: ${body.toString()}`);
}
