/** A client that begins TLS after INFO or at once, presents what it is told to, and says how far it came. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import tls from "node:tls";

export interface TlsClientOptions {
  readonly isFirst?: boolean;
  /** In the open. */
  readonly isPlain?: boolean;
  readonly tls?: tls.ConnectionOptions;
  readonly connect?: object;
}

export interface TlsAnswer {
  /** "" where none came. */
  readonly info: string;
  /**
   * What came after INFO, the first line of it; "closed" where nothing did; "refused …": by this client. "alert …": the server
   * has said what it has against the client's certificate.
   */
  readonly outcome: string;
  readonly socket: Socket | tls.TLSSocket;
}

/** Connects, says CONNECT and PING, and waits for what comes of it. */
export async function converse(port: number, options: TlsClientOptions = {}): Promise<TlsAnswer> {
  const raw = connect({ port, host: "127.0.0.1", noDelay: true });
  raw.on("error", () => undefined);
  await once(raw, "connect");
  let info = options.isFirst === true ? "" : await line(raw);
  let socket: Socket | tls.TLSSocket = raw;
  // With TLS 1.3 it comes after the handshake, as the client sees it.
  let told = "closed";
  if (options.isPlain !== true) {
    const secured = tls.connect({ socket: raw, servername: "localhost", ...options.tls });
    secured.on("error", (error: NodeJS.ErrnoException) => (told = alertOf(error) ?? told));
    const problem = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
      secured.once("secureConnect", () => resolve(null));
      secured.on("error", resolve);
      secured.once("close", () => resolve(new Error("closed")));
    });
    if (problem !== null) {
      raw.destroy();
      return { info, outcome: ownRefusal(problem.code ?? "") ?? told, socket };
    }
    socket = secured;
  }
  if (options.isFirst === true) info = await line(socket);
  socket.write(`CONNECT ${JSON.stringify({ verbose: false, ...options.connect })}\r\nPING\r\n`);
  let outcome = await line(socket);
  // A server pings by the clock, and on a busy machine perhaps before it answers.
  while (outcome === "PING") outcome = await line(socket);
  return { info, outcome: outcome || told, socket };
}

function alertOf({ code = "" }: NodeJS.ErrnoException): string | null {
  const match = /_ALERT_(\w+)$/.exec(code);
  return match === null ? null : `alert ${match[1]!.toLowerCase().replaceAll("_", " ")}`;
}

/** What this client itself has against the server; null: it was the server that ended it. */
function ownRefusal(code: string): string | null {
  // Whether the server sent its authority along makes no difference.
  if (/^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+)$/.test(code)) return "refused as untrusted";
  if (code === "CERT_HAS_EXPIRED") return "refused as expired";
  return code === "ERR_TLS_CERT_ALTNAME_INVALID" ? "refused for its name" : null;
}

/** One line; "" if the connection ends before. */
export function line(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    if (socket.closed) return resolve("");
    let text = "";
    const onData = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n");
      if (end === -1) return;
      socket.off("data", onData);
      socket.pause();
      if (text.length > end + 2) socket.unshift(Buffer.from(text.slice(end + 2), "latin1"));
      resolve(text.slice(0, end));
    };
    socket.on("data", onData);
    socket.once("close", () => resolve(""));
    socket.resume();
  });
}

/** What an INFO line says of TLS. */
export function tlsFields(info: string): object {
  if (info === "") return {};
  const fields = JSON.parse(info.slice(5)) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(fields).filter(([key]) => key.startsWith("tls_")));
}
