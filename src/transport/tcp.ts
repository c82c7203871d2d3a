/**
 * TCP. Sockets read straight into the slab's read window, which all of them share: 22 ns of processor time for a small
 * message and its parsing, against 36 with 'data' events (`npm run bench:micro`). Node offers this (`onread`) for sockets
 * that connect; for accepted ones the handle is taken over into a socket of our own. Where Node's internals do not allow
 * that, 'data' events do, through the same window.
 */
import net from "node:net";
import { READ_SIZE, READ_START } from "../slab/layout.ts";
import { bytes, readWindow } from "../slab/memory.ts";
import type { OpenWires } from "./open-wires.ts";
import type { Endpoint, Security, Wire, WireReceiver } from "./wire.ts";
import { systemClock } from "../base/clock.ts";
import { listenHost } from "../base/host-port.ts";

/** How long a connection that we end may take to read the rest and take leave. */
const LINGER_MS = 2000;
export const KEEP_ALIVE_MS = 15_000;

interface TakenHandle {
  useUserBuffer?: unknown;
  readStart?: unknown;
}

export class TcpWire implements Wire {
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly security: Security | null = null;
  isGathering = false;
  protected socket: net.Socket;
  protected receiver: WireReceiver | null = null;
  protected isWriting = false;
  protected problem = "";
  /**
   * A write that the kernel does not take at once ends with "drain". Then writes need no callbacks: one for each takes half a
   * microsecond, also where the kernel has taken it at once.
   */
  private drains = false;
  protected readonly written = (): void => {
    if (!this.isWriting || this.socket.writableLength > 0) return;
    this.isWriting = false;
    this.receiver?.onWritten();
  };

  protected readonly wires: OpenWires;

  constructor(socket: net.Socket, wires: OpenWires) {
    wires.opened();
    this.wires = wires;
    this.remote = { address: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 };
    this.local = { address: plainAddress(socket.localAddress), port: socket.localPort ?? 0 };
    this.socket = socket;
  }

  start(receiver: WireReceiver): void {
    this.receiver = receiver;
    const taken = takeOver(this.socket, (length) => this.receiver?.onBytes(length) ?? true);
    if (taken === null) this.readByEvents();
    else this.socket = taken;
    const { socket } = this;
    this.drains = taken !== null;
    if (this.drains) {
      socket.on("drain", this.written);
      socket.on("end", () => this.wires.peerEnded(() => socket.end()));
    }
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on("error", (error: NodeJS.ErrnoException) => (this.problem = error.code ?? error.message));
    socket.on("close", () => this.closed());
    socket.resume();
    if (taken !== null) socket.read(0);
  }

  write(piece: Uint8Array): boolean {
    if (this.drains) this.socket.write(piece);
    else this.socket.write(piece, this.written);
    return this.settleWrite();
  }

  writeMany(pieces: readonly Uint8Array[]): boolean {
    const { socket } = this;
    socket.cork();
    for (const piece of pieces)
      if (this.drains) socket.write(piece);
      else socket.write(piece, this.written);
    socket.uncork();
    return this.settleWrite();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(): void {
    if (this.socket.destroyed) return;
    const { receiver } = this;
    this.receiver = {
      onBytes: () => true,
      onWritten: () => receiver?.onWritten(),
      onClosed: (problem) => receiver?.onClosed(problem),
    };
    this.socket.end();
    this.socket.resume();
    systemClock.setTimer(LINGER_MS, () => this.socket.destroy());
  }

  endWriting(patienceMs: number): void {
    if (this.socket.destroyed) return;
    this.socket.end();
    systemClock.setTimer(patienceMs, () => this.socket.destroy());
  }

  destroy(): void {
    this.socket.destroy();
  }

  private settleWrite(): boolean {
    // Bytes that the kernel took at once are no longer counted.
    this.isWriting = this.socket.writableLength > 0;
    return !this.isWriting;
  }

  protected closed(): void {
    this.wires.closed(() => {
      this.receiver?.onClosed(this.problem);
      this.receiver = null;
    });
  }

  protected readByEvents(): void {
    this.socket.on("data", (data: Buffer) => {
      for (let from = 0; from < data.length; from += READ_SIZE) {
        const piece = data.subarray(from, from + READ_SIZE);
        bytes.set(piece, READ_START);
        if (this.receiver?.onBytes(piece.length) === false) this.socket.pause();
      }
    });
  }
}

/** A socket of our own around the accepted one's handle, reading into the window; null where that cannot be had. */
function takeOver(accepted: net.Socket, onBytes: (length: number) => boolean): net.Socket | null {
  const holder = accepted as unknown as { _handle: TakenHandle | null };
  const handle = holder._handle;
  if (typeof handle?.useUserBuffer !== "function" || typeof handle.readStart !== "function") return null;
  holder._handle = null;
  const options = {
    handle,
    readable: true,
    writable: true,
    allowHalfOpen: true, // else Node.js closes all at once whose peers have ended
    onread: { buffer: readWindow, callback: onBytes },
    writableHighWaterMark: 0, // "drain" comes after every write that has to wait
  };
  return new net.Socket(options as unknown as net.SocketConstructorOpts);
}

/** IPv4 in IPv6 as IPv4. */
function plainAddress(address: string | undefined): string {
  return address === undefined ? "" : address.replace(/^::ffff:(?=\d+\.)/, "");
}

export interface TcpListener extends Disposable {
  readonly endpoint: Endpoint;
  /** Takes no more connections. */
  close(): void;
}

/** A plaintext wire. */
export function tcpWire(socket: net.Socket, wires: OpenWires): Wire {
  return new TcpWire(socket, wires);
}

/** Listens; port 0 for one that is free. Rejects with the operating system's error. */
export function listenTcp(
  host: string,
  port: number,
  onSocket: (socket: net.Socket) => void,
): Promise<TcpListener> {
  const server = net.createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    if (socket.remoteAddress === undefined)
      socket.destroy(); // gone already
    else onSocket(socket);
  });
  const { promise, resolve, reject } = Promise.withResolvers<TcpListener>();
  server.once("error", reject);
  server.listen({ host: listenHost(host), port, backlog: 1024 }, () => {
    const { address, port: bound } = server.address() as net.AddressInfo;
    server.off("error", reject);
    // A connection that could not be accepted (too many open files) concerns nobody else.
    server.on("error", () => undefined);
    const close = (): void => void server.close();
    resolve({ endpoint: { address, port: bound }, close, [Symbol.dispose]: close });
  });
  return promise;
}

/** Connects; rejects with the operating system's error, or when `signal` says so. */
export function dialTcp(host: string, port: number, signal: AbortSignal): Promise<net.Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<net.Socket>();
  const socket = net.connect({ host, port, noDelay: true });
  socket.pause();
  const abort = (): void => void socket.destroy(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  socket.once("error", reject);
  socket.once("connect", () => {
    signal.removeEventListener("abort", abort);
    socket.off("error", reject);
    resolve(socket);
  });
  return promise;
}
