/**
 * The monitoring port. Its requests must not disturb message traffic: every wait, size and number has a bound, and all work is done in
 * small turns between messages.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContextOptions } from "node:tls";
import type { Logger } from "../base/logger.ts";
import type { Answer } from "./answer.ts";
import type { Audience, Guard } from "./guard.ts";
import { OpenSockets } from "./open-sockets.ts";
import { Query } from "./query.ts";
import type { Turns } from "./turns.ts";
import { systemClock } from "../base/clock.ts";
import { listenHost } from "../base/host-port.ts";

export interface HttpLimits {
  /** What happens beyond it is in open-sockets.ts. */
  readonly connectionsMax: number;
  /** Request line and headers together. */
  readonly headerBytesMax: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Longest wait for the next request on a connection. */
  readonly idleTimeoutMs: number;
  /** Longest time to make an answer and have it read. */
  readonly answerTimeoutMs: number;
}

const DEFAULT_LIMITS: HttpLimits = {
  connectionsMax: 64,
  headerBytesMax: 8192,
  headersTimeoutMs: 5000,
  requestTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  answerTimeoutMs: 60_000,
};
/** Interval between checks for request time-outs. */
const CHECK_MS = 1000;

export interface MonitorHttp {
  readonly port: number;
  /** Connections that made room for newer ones, since the start. */
  readonly crowdedOut: () => number;
  /** Applies to later handshakes; no effect without TLS. */
  useCertificate(certificate: SecureContextOptions): void;
  /** Aborts open requests; resolves when nothing is open. */
  close(): Promise<void>;
}

/** The endpoints. */
export interface Site {
  readonly turns: Turns;
  /** "" for a path that is not below it. */
  withoutBase(path: string): string;
  /** `path` as in the request. */
  answer(path: string, query: Query): Promise<Answer>;
}

export interface HttpListen {
  readonly host: string;
  readonly port: number;
  /** The certificate for TLS; absent: plaintext. */
  readonly certificate?: SecureContextOptions | undefined;
  /** Decides who has access; absent: everybody has. */
  readonly guard?: Guard;
}

/** Listens; port 0 for one that is free. Rejects with the operating system's error. */
export async function serveHttp(
  site: Site,
  listen: HttpListen,
  logger: Logger,
  limits: HttpLimits = DEFAULT_LIMITS,
): Promise<MonitorHttp> {
  const tell = (socket: Duplex): void => {
    const peer = peerOf(socket as Socket);
    logger.warn("A connection to the monitoring port was closed to make room for a newer one", { peer });
  };
  const sockets = new OpenSockets(limits.connectionsMax, tell);
  // Handshakes have a bound of their own, so that pending ones do not disturb established connections.
  const handshakes = new OpenSockets(limits.connectionsMax, tell);
  const { server, useCertificate } = openServer(listen.certificate, { sockets, handshakes }, limits);
  server.on("request", (request, response) => {
    const { socket } = request;
    // Pipelined requests would let one connection have any number of requests at a time.
    if (!sockets.begin(socket)) return void socket.destroy();
    const deadline = systemClock.setTimer(limits.answerTimeoutMs, () => socket.destroy());
    const done = (): void => {
      deadline[Symbol.dispose]();
      sockets.done(socket);
    };
    response.once("finish", done).once("close", done);
    const audience = audienceOf(request, response, site, listen.guard, logger);
    if (audience === null) return;
    respond(site, request, response, audience).catch((error: unknown) => {
      logger.error("Monitoring cannot answer", { url: request.url ?? "", error: String(error) });
      socket.destroy();
    });
  });
  server.listen({ host: listenHost(listen.host), port: listen.port, backlog: 128 });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const crowdedOut = (): number => sockets.crowdedOut + handshakes.crowdedOut;
  return { port, crowdedOut, useCertificate, close: () => close(server) };
}

interface Opened {
  readonly server: Server;
  useCertificate(this: void, certificate: SecureContextOptions): void;
}

function openServer(
  certificate: SecureContextOptions | undefined,
  { sockets, handshakes }: Readonly<Record<"sockets" | "handshakes", OpenSockets>>,
  limits: HttpLimits,
): Opened {
  const options = {
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: Math.min(CHECK_MS, limits.headersTimeoutMs),
  };
  if (certificate === undefined) {
    const server = createServer(options).on("connection", (socket) => sockets.opened(socket));
    return { server, useCertificate: () => undefined };
  }
  const server = process.getBuiltinModule("node:https").createServer({
    ...options,
    ...certificate,
    handshakeTimeout: limits.headersTimeoutMs,
  });
  const underWay = new Map<string, Socket>();
  server.on("connection", (socket) => {
    const peer = peerOf(socket);
    handshakes.opened(socket);
    underWay.set(peer, socket);
    socket.once("close", () => underWay.delete(peer));
  });
  server.on("secureConnection", (secured) => {
    handshakes.forget(underWay.get(peerOf(secured)));
    sockets.opened(secured);
  });
  return { server, useCertificate: (next) => server.setSecureContext(next) };
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** null: access is denied, and the response says so. */
function audienceOf(
  request: IncomingMessage,
  response: ServerResponse,
  site: Site,
  guard: Guard | undefined,
  logger: Logger,
): Audience | null {
  const [path = ""] = (request.url ?? "").split("?");
  if (guard === undefined) return "operator";
  const audience = guard.audienceOf(site.withoutBase(path), request.headers.authorization);
  if (audience !== null) return audience;
  const { remoteAddress = "", remotePort = 0 } = request.socket;
  logger.warn("Monitoring request without the right credentials", { peer: `${remoteAddress}:${remotePort}` });
  response
    .writeHead(401, { "WWW-Authenticate": guard.challenge, "Content-Length": 0, Connection: "close" })
    .end();
  return null;
}

async function close(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

async function respond(
  site: Site,
  request: IncomingMessage,
  response: ServerResponse,
  audience: Audience,
): Promise<void> {
  const [path = "", ...rest] = (request.url ?? "").split("?");
  const query = new Query(rest.join("?"), audience);
  const { "content-length": length = "0", "transfer-encoding": encoding } = request.headers;
  // Bodies are not read.
  if (length !== "0" || encoding !== undefined) response.setHeader("Connection", "close");
  await site.turns.next();
  const answer = await site.answer(path, query);
  response.statusCode = answer.status;
  response.setHeader("Content-Type", answer.contentType);
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
  const isText = answer.contentType.startsWith("text/");
  if (answer.isPrivate === true) {
    response.setHeader("Cache-Control", "no-store");
    response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
  } else if (!isText) response.setHeader("Access-Control-Allow-Origin", "*");
  if (isText || answer.isPrivate === true) response.setHeader("X-Content-Type-Options", "nosniff");
  if (request.method === "HEAD") writeHead(answer.body, response);
  else await write(answer.body, response, site.turns);
}

/** Writes one piece per turn and waits for slow readers. The length is sent only if there is a single piece. */
async function write(body: Iterable<string>, response: ServerResponse, turns: Turns): Promise<void> {
  let held: string | null = null;
  for (const piece of body) {
    if (held !== null && !response.write(held)) await drained(response);
    if (response.destroyed) return;
    held = piece;
    await turns.next();
  }
  response.end(held ?? "");
}

/** Resolves also when the reader is gone. */
async function drained(response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  const abort = (): void => gone.abort();
  response.once("close", abort);
  await once(response, "drain", { signal: gone.signal }).catch(() => undefined);
  response.off("close", abort);
}

function writeHead(body: Iterable<string>, response: ServerResponse): void {
  const [first = "", second] = firstTwo(body);
  if (second === undefined) response.setHeader("Content-Length", Buffer.byteLength(first));
  response.end();
}

function firstTwo(body: Iterable<string>): string[] {
  const pieces: string[] = [];
  for (const piece of body) if (pieces.push(piece) === 2) break;
  return pieces;
}
