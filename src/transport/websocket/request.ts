/**
 * The request that opens a WebSocket connection (RFC 6455, section 4.2.1), as a pure function of its head: what is agreed on, or the
 * answer that refuses it. Checks, their order and their words are nats-server's. The head is read strictly: one request of HTTP/1.1
 * with a Host, lines that end in CRLF, no folded headers, and no body that something in front might see otherwise.
 */
import { createHash } from "node:crypto";

export interface UpgradeTerms {
  /** permessage-deflate is accepted where it is offered. */
  readonly compression: boolean;
  readonly sameOrigin: boolean;
  /** Empty: all. */
  readonly allowedOrigins: readonly WebOrigin[];
  /** Headers of the answer, each line with CRLF. */
  readonly headers: string;
  /** The connection is secured. */
  readonly isSecured: boolean;
}

export interface WebOrigin {
  readonly scheme: string;
  readonly host: string;
  readonly port: string;
}

export interface Upgrade {
  readonly kind: "upgrade";
  readonly answer: string;
  /** Without its query. */
  readonly path: string;
  readonly compression: boolean;
  /** The peer masks its frames: browsers always do. */
  readonly isMasked: boolean;
  /** The first of each name. */
  readonly cookies: ReadonlyMap<string, string>;
  /** An address of the client that a proxy tells of; "": none. */
  readonly forwardedFor: string;
}

export interface UpgradeRefusal {
  readonly kind: "refusal";
  readonly answer: string;
  readonly reason: string;
}

/** Longest head of a request. Browsers and proxies bound cookies to less. */
export const HEAD_MAX = 32 * 1024;
const COOKIES_MAX = 128;

const DEFLATE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const REQUEST_LINE = /^([!#$%&'*+.^`|~\w-]+) ([\x21-\x7e]+) HTTP\/(\d)\.(\d)$/;
const HEADER =
  /^([!#$%&'*+.^`|~\w-]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*$/;
const HOST = /^(?:[\w.%~!$&'()*+,;=-]+|\[[\da-fA-F:.]+(?:%[\w.~-]+)?\])(?::\d*)?$/;
/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;
const COOKIE_VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e ,]*$/;
const TOKEN = /^[!#$%&'*+.^`|~\w-]+$/;
const STATUS = new Map([
  [400, "Bad Request"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [431, "Request Header Fields Too Large"],
  [505, "HTTP Version Not Supported"],
]);

type Headers = ReadonlyMap<string, readonly string[]>;

/** `head`: as a byte string, with the empty line at its end. */
export function readRequest(head: string, terms: UpgradeTerms): Upgrade | UpgradeRefusal {
  const [requestLine = "", ...lines] = head.slice(0, -4).split("\r\n");
  const request = REQUEST_LINE.exec(requestLine);
  if (request === null) return malformed(400, "malformed HTTP request");
  const [, method = "", target = "", major, minor] = request;
  if (major !== "1") return malformed(505, "unsupported protocol version", "told");
  const headers = readHeaders(lines);
  if (headers === null) return malformed(400, "malformed header");
  const hosts = headers.get("host") ?? [];
  const host = hosts[0] ?? "";
  if (hosts.length > 1) return malformed(400, "too many Host headers");
  if (hosts.length === 0 && minor !== "0") return malformed(400, "missing required Host header", "told");
  if (host !== "" && !HOST.test(host)) return malformed(400, "malformed Host header", "told");
  if (bodyOf(headers)) return malformed(400, "a request for an upgrade has no body");
  const path = target.replace(/[?#].*$/s, "");
  if (path.endsWith("/mqtt")) return refusal(404, "mqtt websocket endpoint not enabled");
  const problem = problemOf(method, headers, host);
  if (problem !== null) return refusal(problem.status, problem.reason);
  const origin = originProblem(headers, host, terms);
  if (origin !== null) return refusal(403, `origin not allowed: ${origin}`);
  const compression = terms.compression && offersDeflate(headers);
  const isMasked = first(headers, "nats-no-masking") !== "true";
  const key = first(headers, "sec-websocket-key");
  return {
    kind: "upgrade",
    answer: acceptance(key, { compression, isMasked, headers: terms.headers }),
    path,
    compression,
    isMasked,
    cookies: cookiesOf(headers),
    forwardedFor: addressOf(first(headers, "x-forwarded-for")),
  };
}

/** To what cannot become a head: its lines do not end as they must. */
export function noHead(): UpgradeRefusal {
  return malformed(400, "malformed HTTP request");
}

/** To a head that is too long. */
export function tooLarge(): UpgradeRefusal {
  return malformed(431, "the head of the request is too large");
}

function readHeaders(lines: readonly string[]): Headers | null {
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const match = HEADER.exec(line);
    if (match === null) return null;
    const name = match[1]!.toLowerCase();
    const values = headers.get(name);
    if (values === undefined) headers.set(name, [match[2]!]);
    else values.push(match[2]!);
  }
  return headers;
}

function bodyOf(headers: Headers): boolean {
  const lengths = headers.get("content-length") ?? [];
  return headers.has("transfer-encoding") || lengths.some((length) => length !== "0");
}

function problemOf(
  method: string,
  headers: Headers,
  host: string,
): { readonly status: number; readonly reason: string } | null {
  const bad = (reason: string) => ({ status: 400, reason });
  if (method !== "GET") return { status: 405, reason: "request method must be GET" };
  if (host === "") return bad("'Host' missing in request");
  if (!hasToken(headers, "upgrade", "websocket")) return bad("invalid value for header 'Upgrade'");
  if (!hasToken(headers, "connection", "upgrade")) return bad("invalid value for header 'Connection'");
  const key = first(headers, "sec-websocket-key");
  if (key === "") return bad("key missing");
  if (!KEY.test(key)) return bad("invalid websocket key");
  if (!hasToken(headers, "sec-websocket-version", "13")) return bad("invalid version");
  return null;
}

function first(headers: Headers, name: string): string {
  return headers.get(name)?.[0] ?? "";
}

function hasToken(headers: Headers, name: string, token: string): boolean {
  return (headers.get(name) ?? [])
    .flatMap((value) => value.split(","))
    .some((one) => one.trim().toLowerCase() === token);
}

function offersDeflate(headers: Headers): boolean {
  return (headers.get("sec-websocket-extensions") ?? [])
    .flatMap((value) => value.split(","))
    .some((one) => isDeflateOffer(one.split(";").map((part) => part.trim().toLowerCase())));
}

/** A window of the server that is smaller than usual cannot be promised. */
function isDeflateOffer([name = "", ...parameters]: readonly string[]): boolean {
  return (
    name === "permessage-deflate" &&
    !parameters.some((one) => /^server_max_window_bits\s*=/.test(one) && !/=\s*"?15"?$/.test(one))
  );
}

/** A client that is no browser may say any origin, or none. */
function originProblem(headers: Headers, host: string, terms: UpgradeTerms): string | null {
  if (!terms.sameOrigin && terms.allowedOrigins.length === 0) return null;
  const text = first(headers, "origin") || first(headers, "sec-websocket-origin");
  if (text === "") return null;
  const origin = readOrigin(text);
  if (origin === null) return `${JSON.stringify(text)} is no origin`;
  if (terms.sameOrigin) {
    const scheme = terms.isSecured ? "https" : "http";
    const own = hostAndPort(host, scheme);
    if (origin.host !== own.host || origin.port !== own.port || origin.scheme !== scheme)
      return "not same origin";
  }
  const { allowedOrigins } = terms;
  const isAllowed = allowedOrigins.some(
    (one) => one.host === origin.host && one.port === origin.port && one.scheme === origin.scheme,
  );
  return allowedOrigins.length > 0 && !isAllowed ? "not in the allowed list" : null;
}

const ORIGIN = /^([a-z][a-z\d+.-]*):\/\/(?:[^/?#@]*@)?([^/?#]+)(?:[/?#].*)?$/i;

/** null: it is none. */
export function readOrigin(text: string): WebOrigin | null {
  const match = ORIGIN.exec(text);
  if (match === null || !HOST.test(match[2]!)) return null;
  const scheme = match[1]!.toLowerCase();
  return { scheme, ...hostAndPort(match[2]!, scheme) };
}

function hostAndPort(text: string, scheme: string): { host: string; port: string } {
  const [, host = "", port = ""] = /^(.*?)(?::(\d*))?$/.exec(text)!;
  return { host: host.toLowerCase(), port: port || (scheme === "https" ? "443" : "80") };
}

/** Pairs that are no cookies are skipped. */
function cookiesOf(headers: Headers): Map<string, string> {
  const cookies = new Map<string, string>();
  const pairs = (headers.get("cookie") ?? []).flatMap((value) => value.split(";"));
  for (const pair of pairs.slice(0, COOKIES_MAX)) {
    const equals = pair.indexOf("=");
    const name = pair.slice(0, Math.max(0, equals)).trim();
    const raw = pair.slice(equals + 1).trim();
    const value = raw.length > 1 && raw.startsWith('"') && raw.endsWith('"') ? raw.slice(1, -1) : raw;
    if (TOKEN.test(name) && COOKIE_VALUE.test(value) && !cookies.has(name)) cookies.set(name, value);
  }
  return cookies;
}

/** "" for what is none. */
function addressOf(text: string): string {
  return /^(?:\d{1,3}(?:\.\d{1,3}){3}|[\da-f:.]*:[\da-f:.]*)$/i.test(text) ? text : "";
}

function acceptance(
  key: string,
  agreed: { readonly compression: boolean; readonly isMasked: boolean; readonly headers: string },
): string {
  return [
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
    `Sec-WebSocket-Accept: ${acceptOf(key)}\r\n`,
    agreed.compression ? `Sec-WebSocket-Extensions: ${DEFLATE}\r\n` : "",
    agreed.isMasked ? "" : "Nats-No-Masking: true\r\n",
    `${agreed.headers}\r\n`,
  ].join("");
}

/** What this server asks for as a client. */
export interface UpgradeWish {
  readonly host: string;
  readonly path: string;
  readonly compression: boolean;
  /** Frames that this server sends are masked. */
  readonly masks: boolean;
}

/** The request; `key` is new for each, 16 bytes in base64. */
export function upgradeRequest({ host, path, compression, masks }: UpgradeWish, key: string): string {
  return [
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`,
    `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n`,
    compression ? `Sec-WebSocket-Extensions: ${DEFLATE}\r\n` : "",
    masks ? "" : "Nats-No-Masking: true\r\n",
    "\r\n",
  ].join("");
}

/** What the answer to it agrees on; a text: what is wrong with it. */
export function readAnswer(
  head: string,
  wish: UpgradeWish,
  key: string,
): { readonly compression: boolean; readonly masks: boolean } | string {
  const [statusLine = "", ...lines] = head.slice(0, -4).split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(statusLine)?.[1];
  const headers = readHeaders(lines);
  if (status === undefined || headers === null) return "the answer is no HTTP";
  if (status !== "101") return `the answer is ${JSON.stringify(statusLine.slice(0, 100))}`;
  if (!hasToken(headers, "upgrade", "websocket") || !hasToken(headers, "connection", "upgrade"))
    return "the answer upgrades to something else";
  if (first(headers, "sec-websocket-accept") !== acceptOf(key)) return "the answer is to another request";
  const extensions = headers.get("sec-websocket-extensions") ?? [];
  const parameters = extensions
    .flatMap((value) => value.split(/[;,]/))
    .map((part) => part.trim().toLowerCase());
  const compression = parameters.includes("permessage-deflate");
  if (compression && !wish.compression) return "the answer has an extension that was not asked for";
  const isFree =
    parameters.includes("server_no_context_takeover") && parameters.includes("client_no_context_takeover");
  if (compression && !isFree) return "compression negotiation error";
  return { compression, masks: wish.masks || first(headers, "nats-no-masking") !== "true" };
}

function acceptOf(key: string): string {
  return createHash("sha1").update(key).update(GUID).digest("base64");
}

/** A request of HTTP that may not be what it asks for. */
function refusal(status: number, reason: string): UpgradeRefusal {
  const text = STATUS.get(status)!;
  const headers =
    "Content-Type: text/plain; charset=utf-8\r\nSec-Websocket-Version: 13\r\nX-Content-Type-Options: nosniff\r\n";
  const answer = `HTTP/1.1 ${status} ${text}\r\n${headers}Content-Length: ${text.length + 1}\r\nConnection: close\r\n\r\n${text}\n`;
  return { kind: "refusal", answer, reason };
}

/** Bytes that are not an HTTP request are answered as Go does: the status line, too, tells some reasons. */
function malformed(status: number, reason: string, told: "told" | "untold" = "untold"): UpgradeRefusal {
  const text = `${status} ${STATUS.get(status)!}${told === "told" ? `: ${reason}` : ""}`;
  const headers = "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n";
  return { kind: "refusal", answer: `HTTP/1.1 ${text}\r\n${headers}\r\n${text}`, reason };
}
