/**
 * Reads a text from a web server, by HTTP or HTTPS. User and password of a URL are presented. Bounds: the size of the text, the time of
 * the caller's signal, REDIRECTS_MAX servers in a row, and SOCKETS_MAX requests at a time, behind which others wait.
 */
import type * as http from "node:http";
import type * as https from "node:https";
import type { TlsTerms } from "./tls.ts";

export interface WebText {
  readonly status: number;
  /** null: it is longer than was asked for. */
  readonly text: string | null;
}

export interface WebTextOptions {
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

const REDIRECTS_MAX = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** As many as nats-server keeps open while nothing is asked. */
const SPARE_SOCKETS_MAX = 10;
const SOCKETS_MAX = 64;

export class WebReader implements Disposable {
  private readonly tls: () => TlsTerms;
  private agent: http.Agent | null = null;
  private secure: { readonly terms: TlsTerms; readonly agent: https.Agent } | null = null;

  /** `tls`: asked for each request by HTTPS. */
  constructor(tls: () => TlsTerms) {
    this.tls = tls;
  }

  /** Rejects with the operating system's error, that of TLS, or that of the signal. */
  async read(url: string, options: WebTextOptions): Promise<WebText> {
    let at = new URL(url);
    for (let count = 0; count <= REDIRECTS_MAX; count++) {
      const answer = await this.ask(at, options);
      if (answer.location === null) return answer;
      at = new URL(answer.location, at);
    }
    throw new Error(`the web server leads elsewhere more than ${REDIRECTS_MAX} times`);
  }

  [Symbol.dispose](): void {
    this.agent?.destroy();
    this.secure?.agent.destroy();
    this.agent = null;
    this.secure = null;
  }

  private ask(
    url: URL,
    { bytesMax, signal }: WebTextOptions,
  ): Promise<WebText & { readonly location: string | null }> {
    return new Promise((resolve, reject) => {
      const request = this.requestTo(url, signal);
      request.once("error", reject);
      request.once("response", (response: http.IncomingMessage) => {
        const { statusCode: status = 0, headers } = response;
        const location = REDIRECTS.has(status) ? (headers.location ?? null) : null;
        const pieces: Buffer[] = [];
        let length = 0;
        const done = (text: string | null): void => resolve({ status, text, location });
        response.on("data", (piece: Buffer) => {
          length += piece.length;
          if (length <= bytesMax) return void pieces.push(piece);
          done(null);
          response.destroy();
        });
        response.once("end", () => done(Buffer.concat(pieces).toString("utf8")));
        response.once("error", reject);
        // After one of those above it changes nothing.
        response.once("close", () => reject(new Error("the web server has closed the connection")));
      });
      request.end();
    });
  }

  private requestTo(url: URL, signal: AbortSignal): http.ClientRequest {
    if (url.protocol === "http:") {
      const { Agent, request } = process.getBuiltinModule("node:http");
      this.agent ??= new Agent({
        keepAlive: true,
        maxFreeSockets: SPARE_SOCKETS_MAX,
        maxSockets: SOCKETS_MAX,
      });
      return request(url, { agent: this.agent, signal });
    }
    if (url.protocol !== "https:")
      throw new Error(`the web server leads to ${url.protocol}, and not to HTTP`);
    const { request } = process.getBuiltinModule("node:https");
    return request(url, { agent: this.secureAgent(), signal });
  }

  /** Another one once the files were read again. */
  private secureAgent(): https.Agent {
    const terms = this.tls();
    if (this.secure?.terms === terms) return this.secure.agent;
    this.secure?.agent.destroy();
    const { Agent } = process.getBuiltinModule("node:https");
    const agent = new Agent({
      keepAlive: true,
      maxFreeSockets: SPARE_SOCKETS_MAX,
      maxSockets: SOCKETS_MAX,
      secureContext: terms.context.current,
      rejectUnauthorized: !terms.isInsecure,
    });
    this.secure = { terms, agent };
    return agent;
  }
}
