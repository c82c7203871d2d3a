/** A web server that answers with texts by their paths, and remembers what it was asked. */
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";

export interface WebServerOptions {
  /** null: nothing is known at this path. */
  readonly text: (path: string, request: IncomingMessage) => string | null;
  /** Where a path leads; absent or undefined: nowhere else. */
  readonly redirect?: (path: string) => string | undefined;
  readonly tls?: {
    readonly certFile: string;
    readonly keyFile: string;
    /** Clients must show a certificate of this authority; absent: none. */
    readonly clientCaFile?: string;
  };
}

export class WebServer implements AsyncDisposable {
  readonly asked: string[] = [];
  private readonly server: Server;

  private constructor(server: Server) {
    this.server = server;
  }

  static async start({ text, redirect, tls }: WebServerOptions): Promise<WebServer> {
    const answer: RequestListener = (request, response) => {
      const path = request.url ?? "";
      web.asked.push(path);
      const elsewhere = redirect?.(path);
      if (elsewhere !== undefined) return void response.writeHead(302, { Location: elsewhere }).end();
      const found = text(path, request);
      response.writeHead(found === null ? 404 : 200).end(found ?? "");
    };
    const server =
      tls === undefined
        ? createServer(answer)
        : createSecureServer(
            {
              cert: readFileSync(tls.certFile),
              key: readFileSync(tls.keyFile),
              ...(tls.clientCaFile === undefined
                ? {}
                : { ca: readFileSync(tls.clientCaFile), requestCert: true, rejectUnauthorized: true }),
            },
            answer,
          );
    const web = new WebServer(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return web;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeAllConnections();
    await closed;
  }
}
