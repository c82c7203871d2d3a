/**
 * A TCP connection that does what it is told, right or wrong, and remembers what it was told. Every wait
 * is bounded.
 */
import { connect, type Socket } from "node:net";
import { PATIENCE_MS } from "./patience.ts";

/** Of what was received the end is kept; a test that needs more counts with `bytes`. */
const KEPT_CHARS_MAX = 64 * 1024 * 1024;

export class RawConnection {
  /** Received so far, one character per byte. */
  text = "";
  bytes = 0;
  /** From here on only counts what arrives. */
  keepsText = true;
  /** Neither end speaks any more, however that came about. */
  isClosed = false;
  /** The code of the error that ended it, such as ECONNRESET; "" for a regular end. */
  problem = "";
  readonly socket: Socket;
  private changed: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.bytes += chunk.length;
      if (this.keepsText && this.text.length < KEPT_CHARS_MAX) this.text += chunk.toString("latin1");
      this.changed();
    });
    socket.on("connect", () => this.changed());
    socket.on("error", (error: NodeJS.ErrnoException) => (this.problem = error.code ?? error.message));
    socket.on("close", () => {
      this.isClosed = true;
      this.changed();
    });
  }

  static async open(port: number, host = "127.0.0.1"): Promise<RawConnection> {
    const connection = new RawConnection(connect({ port, host }));
    await connection.until(
      `a connection to ${host}:${port}`,
      () => connection.socket.readyState === "open" || connection.isClosed,
    );
    return connection;
  }

  /** Connected, greeted, and known to the server: with INFO read, CONNECT sent, PONG received. */
  static async greeted(port: number, connectJson: object = {}, host?: string): Promise<RawConnection> {
    const connection = await RawConnection.open(port, host);
    connection.send(
      `CONNECT ${JSON.stringify({ verbose: false, pedantic: false, ...connectJson })}\r\nPING\r\n`,
    );
    await connection.has("PONG\r\n");
    return connection;
  }

  /** Text with one character per byte, or bytes. What the other side no longer takes is lost. */
  send(what: string | Uint8Array): void {
    if (this.isClosed) return;
    if (typeof what === "string") this.socket.write(what, "latin1");
    else this.socket.write(what);
  }

  async has(part: string): Promise<void> {
    await this.until(JSON.stringify(part), () => this.text.includes(part));
  }

  async closed(): Promise<void> {
    await this.until("the server to close the connection", () => this.isClosed);
  }

  /** Looks whenever something has arrived or the connection has ended. One wait at a time. */
  until(what: string, holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.changed = () => {};
        const end = this.isClosed ? `, then closed ${this.problem}` : "";
        reject(new Error(`waited ${PATIENCE_MS} ms in vain for ${what}; received ${this.tail()}${end}`));
      }, PATIENCE_MS);
      this.changed = () => {
        if (!holds()) return;
        clearTimeout(timer);
        this.changed = () => {};
        resolve();
      };
    });
  }

  /** What the server said but for its PINGs, which it sends by the clock: the first comes two seconds after the greeting. */
  get replies(): string {
    return this.text.replaceAll(/(?<=^|\n)PING\r\n/g, "");
  }

  /** What the server said with `-ERR`. */
  get errors(): string[] {
    return [...this.text.matchAll(/-ERR '([^\r\n]*)'\r\n/g)].map((match) => match[1]!);
  }

  stopReading(): void {
    this.socket.pause();
  }

  readOn(): void {
    this.socket.resume();
  }

  /** With RST, as the network does it. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  private tail(): string {
    return JSON.stringify(this.text.slice(-500));
  }
}
