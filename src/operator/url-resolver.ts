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
const OK = 200;

/** Reads a text from a web server; null: it is longer than `bytesMax`. */
export interface Web {
  read(
    url: string,
    options: { readonly bytesMax: number; readonly signal: AbortSignal },
  ): Promise<{ readonly status: number; readonly text: string | null }>;
}

export class UrlResolver implements Resolver {
  private readonly url: string;
  private readonly web: Web;
  private readonly logger: Logger;

  /** `url` ends in a slash. */
  constructor(url: string, web: Web, logger: Logger) {
    this.url = url;
    this.web = web;
    this.logger = logger;
  }

  async fetch(name: string): Promise<string | null> {
    if (!isNkeyOf("account", name)) return null;
    try {
      const terms = { bytesMax: TOKEN_BYTES_MAX, signal: abortedAfter(TIMEOUT_MS) };
      const { status, text } = await this.web.read(`${this.url}${name}`, terms);
      if (status === OK && text !== null) return text.trim();
      const problem = { account: name, status };
      this.logger.warn("The account server has not given an account", problem);
    } catch (error) {
      this.logger.warn("The account server could not be asked", { account: name, reason: reasonOf(error) });
    }
    return null;
  }

  kept(): null {
    return null;
  }

  reload(): Promise<AfterReload> {
    return Promise.resolve("fetch again");
  }
}

/** The URL may hold credentials, and messages may hold the URL: codes do not. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "failed";
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
