/**
 * A client of the system account: connects to one of some servers, asks, and collects answers. It asks a few questions and ends, so that it
 * does not reconnect.
 */
import { readFileSync } from "node:fs";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { randomBytes } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { parseJson } from "../../base/json.ts";
import { seedKey } from "../../keys/nkey.ts";
import { clientConnectLine, type ClientConnect } from "../../protocol/json/client-connect.ts";
import { SpokenLines, type Said } from "./lines.ts";

export interface ClientOptions {
  /** Tried one after the other. */
  readonly servers: readonly URL[];
  /** null: those of the URL, or none. */
  readonly user: string | null;
  readonly password: string | null;
  readonly token: string | null;
  /** Files; null: none. */
  readonly credentials: string | null;
  readonly nkey: string | null;
  readonly ca: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** "no responders": nobody listens there. */
type Answer = Buffer | "no responders";

const DEFAULT_PORT = 4222;
/** The two parts of a credentials file: a user JWT, and the seed of the key that it is for. */
const CREDENTIALS = /-{3,}BEGIN[^\n]*-{3,}\r?\n\s*([\w\-.=]+)\s*\r?\n-{3,}END/g;
const NO_RESPONDERS = 503;

export class SystemClient implements Disposable {
  private readonly socket: Socket;
  private readonly inbox: string;
  private readonly questions = new Map<string, (answer: Answer) => void>();
  private readonly onClosed: ((why: string) => void)[] = [];
  private asked = 0;
  private whyClosed = "";

  private constructor(socket: Socket, lines: SpokenLines, inbox: string) {
    this.socket = socket;
    this.inbox = inbox;
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const said of lines.take(chunk)) this.heard(said);
      } catch (error) {
        this.closed(messageOf(error));
      }
    });
    socket.on("error", (error) => this.closed(error.message));
    socket.on("close", () => this.closed("the server has closed the connection"));
    socket.resume();
  }

  /** Rejects with what is wrong with each server. */
  static async connect(options: ClientOptions): Promise<SystemClient> {
    const problems: string[] = [];
    for (const server of options.servers) {
      try {
        return await SystemClient.to(server, options);
      } catch (error) {
        problems.push(`${server.host}: ${messageOf(error)}`);
      }
    }
    throw new Error(`cannot connect to ${problems.join("; ")}`);
  }

  private static async to(server: URL, options: ClientOptions): Promise<SystemClient> {
    const given = new AbortController();
    const { timeoutMs, clock } = options;
    const timer = clock.setTimer(timeoutMs, () => given.abort(new Error(`no answer within ${timeoutMs} ms`)));
    let open: Socket | null = null;
    try {
      const host = server.hostname.replace(/^\[|\]$/g, "");
      const plain = (open = await dial(host, Number(server.port || DEFAULT_PORT), given.signal));
      const info = await firstInfo(plain, given.signal);
      const isTls = info["tls_required"] === true || server.protocol === "tls:" || options.ca !== null;
      const socket = isTls ? await secured(plain, host, options, given.signal) : plain;
      open = socket;
      const inbox = `_INBOX.${randomBytes(12).toString("hex")}`;
      const lines = new SpokenLines();
      socket.write(`${introduction(server, options, info)}PING\r\n`);
      await admitted(socket, lines, given.signal);
      const client = new SystemClient(socket, lines, inbox);
      socket.write(`SUB ${inbox}.* 1\r\n`);
      return client;
    } catch (error) {
      open?.destroy();
      throw error;
    } finally {
      timer[Symbol.dispose]();
    }
  }

  /** Calls `onAnswer` with each answer until the returned thing is disposed of. */
  ask(subject: string, payload: object, onAnswer: (answer: Answer) => void): Disposable {
    const number = `${++this.asked}`;
    const body = JSON.stringify(payload);
    this.questions.set(number, onAnswer);
    this.socket.write(`PUB ${subject} ${this.inbox}.${number} ${Buffer.byteLength(body)}\r\n${body}\r\n`);
    return { [Symbol.dispose]: () => void this.questions.delete(number) };
  }

  /** Rejects once the connection has ended. */
  async untilClosed(): Promise<never> {
    const { promise, reject } = Promise.withResolvers<never>();
    const end = (why: string): void => reject(new Error(why));
    if (this.whyClosed === "") this.onClosed.push(end);
    else end(this.whyClosed);
    return promise;
  }

  [Symbol.dispose](): void {
    this.whyClosed ||= "it is done";
    this.socket.destroy();
  }

  private heard(said: Said): void {
    if (said.kind === "line") {
      if (/^PING$/i.test(said.text)) this.socket.write("PONG\r\n");
      const problem = problemIn(said.text);
      if (problem !== null) this.closed(problem);
      return;
    }
    const onAnswer = this.questions.get(said.subject.slice(this.inbox.length + 1));
    onAnswer?.(said.status === NO_RESPONDERS ? "no responders" : said.payload);
  }

  private closed(why: string): void {
    if (this.whyClosed !== "") return;
    this.whyClosed = why;
    this.socket.destroy();
    for (const end of this.onClosed) end(why);
  }
}

async function dial(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connectTcp({ host, port, signal }, () => resolve(socket));
  socket.on("error", (error) => reject(signal.aborted ? (signal.reason as Error) : error));
  return promise;
}

/** INFO comes in plaintext, and what follows waits for an answer. */
async function firstInfo(socket: Socket, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
  const lines = new SpokenLines();
  return receive(socket, signal, (chunk, done) => {
    for (const said of lines.take(chunk)) {
      const json = said.kind === "line" ? /^INFO\s+(.*)$/i.exec(said.text)?.[1] : undefined;
      const info = json === undefined ? undefined : parseJson(json);
      if (typeof info !== "object" || info === null) throw new Error("this is not a server of NATS");
      return done(info as Readonly<Record<string, unknown>>);
    }
  });
}

async function admitted(socket: Socket, lines: SpokenLines, signal: AbortSignal): Promise<void> {
  return receive<void>(socket, signal, (chunk, done) => {
    for (const said of lines.take(chunk)) {
      if (said.kind !== "line") continue;
      const problem = problemIn(said.text);
      if (problem !== null) throw new Error(problem);
      if (/^PONG$/i.test(said.text)) return done();
    }
  });
}

function receive<T>(
  socket: Socket,
  signal: AbortSignal,
  take: (chunk: Buffer, done: (value: T) => void) => void,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onData = (chunk: Buffer): void => {
    try {
      take(chunk, (value) => {
        settle();
        resolve(value);
      });
    } catch (error) {
      fail(error);
    }
  };
  const onClose = (): void => fail(new Error("the server has closed the connection"));
  const onAbort = (): void => fail(signal.reason);
  const fail = (error: unknown): void => {
    settle();
    reject(error instanceof Error ? error : new Error(String(error)));
  };
  const settle = (): void => {
    socket.pause();
    socket.off("data", onData).off("close", onClose).off("error", fail);
    signal.removeEventListener("abort", onAbort);
  };
  socket.on("data", onData).on("close", onClose).on("error", fail).resume();
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  return promise;
}

async function secured(
  socket: Socket,
  host: string,
  { ca, certificate, key }: ClientOptions,
  signal: AbortSignal,
): Promise<Socket> {
  const terms: ConnectionOptions = {
    socket,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === null ? {} : { ca: readFileSync(ca) }),
    ...(certificate === null ? {} : { cert: readFileSync(certificate) }),
    ...(key === null ? {} : { key: readFileSync(key) }),
  };
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const wire = connectTls(terms, () => resolve(wire));
  wire.on("error", reject);
  signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  return promise;
}

/** A user without a password is a token, as in URLs of NATS. Throws with what is wrong with the files. */
function introduction(server: URL, options: ClientOptions, info: Readonly<Record<string, unknown>>): string {
  const nonce = typeof info["nonce"] === "string" ? info["nonce"] : "";
  const user = (options.user ?? decodeURIComponent(server.username)) || null;
  const password = (options.password ?? decodeURIComponent(server.password)) || null;
  return clientConnectLine({
    name: "shoal doctor",
    user,
    password,
    token: options.token ?? (password === null ? user : null),
    ...signed(options, nonce),
  });
}

function signed(
  { credentials, nkey }: ClientOptions,
  nonce: string,
): Pick<ClientConnect, "nkey" | "jwt" | "signature"> {
  if (credentials !== null) {
    const text = readFileSync(credentials, "latin1");
    const [jwt, seed] = Array.from(text.matchAll(CREDENTIALS), (one) => one[1]);
    if (jwt === undefined || seed === undefined)
      throw new Error(`the credentials file ${credentials} does not hold a user JWT and a seed`);
    return { nkey: null, jwt, signature: seedKey(seed).sign(nonce) };
  }
  if (nkey === null) return { nkey: null, jwt: null, signature: null };
  const key = seedKey(readFileSync(nkey, "latin1"));
  return { nkey: key.publicKey, jwt: null, signature: key.sign(nonce) };
}

/** null: the line is about no error. */
function problemIn(line: string): string | null {
  const text = /^-ERR\s+'?(.*?)'?$/i.exec(line)?.[1];
  return text === undefined ? null : `the server refuses: ${text}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
