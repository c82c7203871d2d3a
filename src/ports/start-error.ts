/** Why a server cannot start, in the words of nats-server, which programs that start servers look for. */
import { hostPort } from "../base/host-port.ts";

/** Its message is logged as it stands. Carries the operating system's error as its cause, and its code. */
export class StartError extends Error {
  readonly code: string | undefined;

  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.code = codeOf(cause);
  }
}

const WORDS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "cannot assign requested address",
  EISDIR: "is a directory",
  ENOENT: "no such file or directory",
  ENOTDIR: "not a directory",
  EROFS: "read-only file system",
};

/** Awaits `attempt` to listen; where it fails, throws a StartError with the text that `tell` makes of the reason. */
export async function listening<T>(
  at: { readonly host: string; readonly port: number },
  attempt: Promise<T>,
  tell: (reason: string) => string,
): Promise<T> {
  try {
    return await attempt;
  } catch (error) {
    throw new StartError(tell(listenReason(at.host, at.port, error)), error);
  }
}

/** `open /run/x.pid: no such file or directory` */
export function fileReason(path: string, error: unknown): string {
  return `open ${path}: ${words(error)}`;
}

function listenReason(host: string, port: number, error: unknown): string {
  const code = codeOf(error);
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `listen tcp: lookup ${host}: no such host`;
  const name = host === "" ? "0.0.0.0" : host;
  return `listen tcp ${hostPort(name, port)}: bind: ${words(error)}`;
}

function words(error: unknown): string {
  const code = codeOf(error) ?? "";
  return WORDS[code] ?? (code || String(error));
}

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
