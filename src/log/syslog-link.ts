/** One attempt to reach a syslog server: by UDP a datagram for each line (RFC 5426), by TCP a line for each (RFC 6587, 3.4.2). */
import { createSocket } from "node:dgram";
import { lookup } from "node:dns";
import { connect } from "node:net";

export interface SyslogTarget {
  readonly protocol: "udp" | "tcp";
  readonly host: string;
  readonly port: number;
}

export interface SyslogLink {
  /** Bytes that the operating system has not accepted yet. */
  readonly waitingBytes: number;
  /** Requires that the link is up. */
  send(line: string): void;
  /** Sent lines still go out. Reports nothing afterwards. */
  close(): void;
}

export interface SyslogLinkEvents {
  onUp(): void;
  /** Called at most once; the link is unusable afterwards. */
  onDown(reason: string): void;
}

/** Syslog servers need not take more in a datagram than 2048 bytes; most take this much. */
const DATAGRAM_MAX_BYTES = 8192;
const KEEP_ALIVE_MS = 30_000;
/** Longest time for a closed link to flush. */
const CLOSE_MAX_MS = 5000;

export function openSyslogLink(target: SyslogTarget, events: SyslogLinkEvents): SyslogLink {
  return target.protocol === "udp" ? overUdp(target, events) : overTcp(target, events);
}

function overTcp({ host, port }: SyslogTarget, events: SyslogLinkEvents): SyslogLink {
  const socket = connect({ host, port, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
  let reason = "closed by the peer";
  let isClosed = false;
  socket.unref();
  // The server's data is ignored; it is read to notice the end of the connection.
  socket.resume();
  socket.on("connect", () => events.onUp());
  socket.on("error", (error) => (reason = error.message));
  socket.on("close", () => {
    if (!isClosed) events.onDown(reason);
  });
  return {
    get waitingBytes() {
      return socket.writableLength;
    },
    send: (line) => void socket.write(`${line}\n`),
    close() {
      isClosed = true;
      if (socket.connecting) socket.destroy();
      socket.setTimeout(CLOSE_MAX_MS, () => socket.destroy());
      socket.destroySoon();
    },
  };
}

function overUdp({ host, port }: SyslogTarget, events: SyslogLinkEvents): SyslogLink {
  let socket: ReturnType<typeof createSocket> | null = null;
  let isClosed = false;
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    socket?.close();
  };
  const fail = (error: Error): void => {
    if (isClosed) return;
    close();
    events.onDown(error.message);
  };
  lookup(host, (error, address, family) => {
    if (isClosed) return;
    if (error !== null) return fail(error);
    socket = createSocket(family === 6 ? "udp6" : "udp4");
    socket.unref();
    socket.on("error", fail);
    socket.connect(port, address, () => {
      if (!isClosed) events.onUp();
    });
  });
  return {
    get waitingBytes() {
      return socket?.getSendQueueSize() ?? 0;
    },
    send(line) {
      const bytes = Buffer.from(line).subarray(0, DATAGRAM_MAX_BYTES);
      socket?.send(bytes, (error) => {
        if (error !== null) fail(error);
      });
    },
    close,
  };
}
