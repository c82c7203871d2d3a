/**
 * Resolves accounts by asking a web server: the public nkey of the account is appended to a URL. Bounds: a token's size, and the time of
 * an answer.
 */
import { abortedAfter } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { isNkeyOf } from "../keys/nkey.ts";
import type { AfterReload, Resolver } from "./resolver.ts";

const TIMEOUT_MS = 1900;
const TOKEN_BYTES_MAX = 1024 * 1024;

export class UrlResolver implements Resolver {
  private readonly url: string;
  private readonly logger: Logger;

  /** `url` ends in a slash. */
  constructor(url: string, logger: Logger) {
    this.url = url;
    this.logger = logger;
  }

  async fetch(name: string): Promise<string | null> {
    if (!isNkeyOf("account", name)) return null;
    try {
      const answer = await fetch(`${this.url}${name}`, { signal: abortedAfter(TIMEOUT_MS) });
      if (answer.ok && answer.body !== null) return await textOf(answer.body);
      await answer.body?.cancel();
      this.logger.warn("The account server has not given an account", {
        account: name,
        status: answer.status,
      });
    } catch (error) {
      // The URL may hold credentials.
      const reason = error instanceof Error ? error.name : "failed";
      this.logger.warn("The account server could not be asked", { account: name, reason });
    }
    return null;
  }

  reload(): Promise<AfterReload> {
    return Promise.resolve("fetch again");
  }
}

/** null: it is too long for a token. */
async function textOf(body: ReadableStream<Uint8Array>): Promise<string | null> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body) {
    length += piece.length;
    if (length > TOKEN_BYTES_MAX) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8").trim();
}
