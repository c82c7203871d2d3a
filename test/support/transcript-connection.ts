/**
 * One client connection of a transcript: raw bytes out, a buffer of received bytes in, and waiting for what should
 * be in it. Knows nothing of transcripts' steps. A wait ends when its condition holds, when the server closed, or
 * with an error after `PATIENCE_MS`.
 */
import { connect, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";

import { PATIENCE_MS } from "./patience.ts";

const PING = Buffer.from("PING\r\n");

export class TranscriptConnection {
  /** Received and not yet matched. */
  received: Buffer = Buffer.alloc(0);
  serverClosed = false;
  /**
   * The server closed just before it was written to. Node then gives up the socket, together with what the server
   * may have said before closing.
   */
  writeFailed = false;
  clientClosed = false;
  /** A server pings by the clock: where this is not what the transcript is about, PING may come between any two lines. */
  ignoresPings = false;
  private readonly socket: Socket;
  private changed: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.changed();
    });
    const closed = (error?: unknown): void => {
      if (error instanceof Error && "syscall" in error && error.syscall === "write") this.writeFailed = true;
      this.serverClosed = true;
      this.changed();
    };
    socket.on("end", closed).on("close", closed).on("error", closed);
  }

  static open(host: string, port: number): Promise<TranscriptConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, allowHalfOpen: false });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new TranscriptConnection(socket));
      });
    });
  }

  /**
   * In one packet, or with every byte on its own. Between two bytes the socket gets a chance to read: a write to a
   * connection that the server has closed would lose what the server had said before. Stops where the server closed.
   */
  async send(bytes: Buffer, split: "whole" | "every byte"): Promise<void> {
    const step = split === "whole" ? bytes.length : 1;
    for (let at = 0; at < bytes.length && !this.serverClosed; at += step) {
      this.socket.write(bytes.subarray(at, at + step));
      if (split === "every byte") await setImmediate();
    }
  }

  stopReading(): void {
    this.socket.pause();
  }

  readOn(): void {
    this.socket.resume();
  }

  /** Resolves once the server, too, has closed. */
  async close(): Promise<void> {
    this.clientClosed = true;
    this.socket.resume();
    this.socket.end();
    await this.until("the end of the connection", () => this.socket.destroyed);
  }

  /** Without manners: for cleaning up after a failed transcript. */
  destroy(): void {
    this.clientClosed = true;
    this.socket.destroy();
  }

  take(length: number): Buffer {
    const taken = this.received.subarray(0, length);
    this.received = this.received.subarray(length);
    return taken;
  }

  /** Takes out a PING that is to be ignored, if the line that holds this byte is one. */
  dropPing(at: number): boolean {
    const start = at === 0 ? 0 : this.received.lastIndexOf("\n", at - 1) + 1;
    const end = start + PING.length;
    if (!this.ignoresPings || !this.received.subarray(start, end).equals(PING)) return false;
    this.received = Buffer.concat([this.received.subarray(0, start), this.received.subarray(end)]);
    return true;
  }

  until(what: string, holds: () => boolean): Promise<void> {
    return untilAny([this], what, holds);
  }

  onChange(changed: () => void): void {
    this.changed = changed;
  }
}

/** Waits until the condition holds, looking at it whenever one of the connections receives something or is closed. */
export function untilAny(
  connections: TranscriptConnection[],
  what: string,
  holds: () => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      for (const connection of connections) connection.onChange(() => {});
      settle();
    };
    const timer = setTimeout(
      () => finish(() => reject(new Error(`waited ${PATIENCE_MS} ms for ${what}`))),
      PATIENCE_MS,
    );
    const look = (): void => {
      if (holds()) finish(resolve);
    };
    for (const connection of connections) connection.onChange(look);
    look();
  });
}
