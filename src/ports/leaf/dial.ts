/**
 * Dials a hub: resolves its name, connects to one of the addresses, reads the first INFO if that comes in plaintext, secures the connection if the
 * hub or the configuration requires it, and hands on a wire that is ready.
 *
 * Bounds: `timeoutMs` for each address, and again for TLS; FIRST_LINE_MAX bytes of the first line; ADDRESSES_MAX addresses for one dial.
 */
import { isIP, type Socket } from "node:net";
import type { Clock } from "../../base/clock.ts";
import { fromByteString } from "../../protocol/info.ts";
import { readLeafInfo } from "../../protocol/leaf-info.ts";
import { hostPort } from "../../base/host-port.ts";
import type { OpenWires } from "../../transport/open-wires.ts";
import { dialTcp, tcpWire } from "../../transport/tcp.ts";
import { TlsWire, type Handshakes, type TlsTerms } from "../../transport/tls.ts";
import type { Deflate } from "../../transport/websocket/deflate.ts";
import { Dialling } from "../../transport/websocket/dialling.ts";
import type { Wire } from "../../transport/wire.ts";

export interface LeafTarget {
  readonly host: string;
  readonly port: number;
  /** Its URL requires TLS. */
  readonly isSecured: boolean;
  /** Where the port for WebSocket has it; null: it is a port for leaf nodes. */
  readonly webSocketPath: string | null;
}

export interface LeafDialHost {
  readonly wires: OpenWires;
  readonly handshakes: Handshakes;
  readonly clock: Clock;
  /** For WebSocket; null: this Node.js does not allow it. */
  deflate(): Deflate | null;
  /** All addresses of a name. */
  lookup(name: string): Promise<readonly string[]>;
}

export interface LeafDialOptions {
  readonly timeoutMs: number;
  /** Time for the first INFO after the connection is established. */
  readonly infoTimeoutMs: number;
  readonly tls: TlsTerms;
  /** The configuration requires TLS; `isTlsFirst`: before INFO. */
  readonly isTlsWanted: boolean;
  readonly isTlsFirst: boolean;
  /** Names, besides the host, that the hub's certificate may be for. */
  readonly names: readonly string[];
  readonly webSocket: LeafWebSocketTerms;
}

export interface LeafWebSocketTerms {
  /** Messages of WebSocket are compressed where the hub does that, too. */
  readonly compression: boolean;
  readonly masks: boolean;
  /** Bytes of a compressed message, and of what it grows to. */
  readonly messageMaxBytes: number;
}

export interface LeafDialOutcome {
  /** `infoJson`: the first INFO; null: it has yet to come. */
  connected(wire: Wire, infoJson: string | null): void;
  failed(detail: string): void;
}

/** A way to a hub: disposing of what it returns gives up. */
export type LeafDial = (
  target: LeafTarget,
  options: LeafDialOptions,
  host: LeafDialHost,
  outcome: LeafDialOutcome,
) => Disposable;

const FIRST_LINE_MAX = 64 * 1024;
const ADDRESSES_MAX = 32;
const LF = 0x0a;
/** Behind the path of a URL: for leaf nodes. */
const LEAF_PATH = "/leafnode";

export function dialLeaf(
  target: LeafTarget,
  options: LeafDialOptions,
  host: LeafDialHost,
  outcome: LeafDialOutcome,
): Disposable {
  const aborter = new AbortController();
  const { signal } = aborter;
  connect(target, options, host, signal).then(
    ({ wire, infoJson }) => {
      if (signal.aborted) wire.destroy();
      else outcome.connected(wire, infoJson);
    },
    (error: unknown) => {
      if (!signal.aborted) outcome.failed(error instanceof Error ? error.message : String(error));
    },
  );
  return { [Symbol.dispose]: () => aborter.abort(new Error("called off")) };
}

interface Connected {
  readonly wire: Wire;
  readonly infoJson: string | null;
}

async function connect(
  target: LeafTarget,
  options: LeafDialOptions,
  host: LeafDialHost,
  signal: AbortSignal,
): Promise<Connected> {
  const socket = await dialAny(target, options.timeoutMs, host, signal);
  // Between two receivers nobody listens, and an "error" event without a listener would end the process.
  socket.on("error", () => undefined);
  if (target.webSocketPath !== null) return overWebSocket(socket, target, options, host);
  const isSecuredFirst = options.isTlsFirst;
  if (isSecuredFirst) return { wire: await secure(socket, target, options, host), infoJson: null };
  const line = await withDeadline(
    host.clock,
    options.infoTimeoutMs,
    () => void socket.destroy(),
    firstLine(socket),
  );
  const json = /^INFO\s+(.*?)\s*$/s.exec(line)?.[1];
  const info = json === undefined ? "what came first is no INFO" : readLeafInfo(json);
  if (json === undefined || typeof info === "string") {
    socket.destroy();
    throw new Error(typeof info === "string" ? info : `no INFO: ${fromByteString(line.slice(0, 32))}`);
  }
  const isTls = info.tlsRequired || options.isTlsWanted || target.isSecured;
  const wire = isTls ? await secure(socket, target, options, host) : tcpWire(socket, host.wires);
  return { wire, infoJson: json };
}

async function overWebSocket(
  socket: Socket,
  target: LeafTarget,
  options: LeafDialOptions,
  host: LeafDialHost,
): Promise<Connected> {
  const isTls = options.isTlsWanted || target.isSecured;
  const below = isTls ? await secure(socket, target, options, host) : tcpWire(socket, host.wires);
  const { compression, masks, messageMaxBytes } = options.webSocket;
  const wish = {
    host: hostPort(target.host, target.port),
    path: `${(target.webSocketPath ?? "").replace(/\/+$/, "")}${LEAF_PATH}`,
    ...{ compression, masks },
  };
  const limits = { strangerMaxBytes: messageMaxBytes, admittedMaxBytes: messageMaxBytes };
  const deflate = compression ? host.deflate() : null;
  const { promise, resolve, reject } = Promise.withResolvers<Connected>();
  const dialling = new Dialling(
    below,
    wish,
    { deflate, limits },
    {
      onUpgrade: (wire) => resolve({ wire, infoJson: null }),
      onFailed: (problem) => reject(new Error(`invalid websocket connection: ${problem}`)),
    },
  );
  dialling.begin();
  return withDeadline(host.clock, options.infoTimeoutMs, () => dialling.giveUp(), promise);
}

/** The addresses of a name in turn, from a random one. They are looked up for each dial, since they change. */
async function dialAny(
  { host: name, port }: LeafTarget,
  timeoutMs: number,
  host: LeafDialHost,
  signal: AbortSignal,
): Promise<Socket> {
  const addresses = isIP(name) === 0 ? (await host.lookup(name)).slice(0, ADDRESSES_MAX) : [name];
  if (addresses.length === 0) throw new Error(`${name} has no address`);
  let failure: unknown;
  for (const address of addresses) {
    const attempt = new AbortController();
    const timer = host.clock.setTimer(timeoutMs, () =>
      attempt.abort(new Error(`no connection to ${address} within ${timeoutMs} ms`)),
    );
    const callOff = (): void => attempt.abort(signal.reason);
    signal.addEventListener("abort", callOff, { once: true });
    try {
      signal.throwIfAborted();
      return await dialTcp(address, port, attempt.signal);
    } catch (error) {
      failure = error;
      signal.throwIfAborted();
    } finally {
      timer[Symbol.dispose]();
      signal.removeEventListener("abort", callOff);
    }
  }
  throw failure;
}

/** Reads up to the first line feed, and puts back what follows it. */
async function firstLine(socket: Socket): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let collected: Buffer = Buffer.alloc(0);
  const onReadable = (): void => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null)
      collected = Buffer.concat([collected, chunk]);
    const end = collected.indexOf(LF);
    if (end < 0 && collected.length <= FIRST_LINE_MAX) return;
    if (end < 0) return reject(new Error("the first line is too long"));
    const rest = collected.subarray(end + 1);
    settle();
    if (rest.length > 0) socket.unshift(rest);
    resolve(collected.toString("latin1", 0, end));
  };
  const onEnd = (): void => reject(new Error("the connection has ended before INFO"));
  const onError = (error: Error): void => reject(error);
  const settle = (): void => {
    socket.off("readable", onReadable).off("end", onEnd).off("close", onEnd).off("error", onError);
  };
  socket.on("readable", onReadable).on("end", onEnd).on("close", onEnd).on("error", onError);
  return promise;
}

async function withDeadline<T>(clock: Clock, ms: number, giveUp: () => void, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = clock.setTimer(ms, () => reject(new Error(`no answer within ${ms} ms`)));
  try {
    return await Promise.race([work, promise]);
  } catch (error) {
    giveUp();
    throw error;
  } finally {
    timer[Symbol.dispose]();
  }
}

function secure(
  socket: Socket,
  { host: name }: LeafTarget,
  { tls, names }: LeafDialOptions,
  { wires, handshakes }: LeafDialHost,
): Promise<Wire> {
  const { promise, resolve, reject } = Promise.withResolvers<Wire>();
  const wire = new TlsWire(socket, wires, tls, handshakes);
  const others = names.filter((one) => one !== name && isIP(one) === 0);
  wire.dial(isIP(name) === 0 ? [name] : [...others, name], {
    sayHello: () => undefined,
    onThrottled: () => undefined,
    onOpen: () => resolve(wire),
    onFailed: ({ text }) => reject(new Error(`TLS leafnode handshake error: ${text}`)),
  });
  return promise;
}
