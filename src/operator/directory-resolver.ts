/**
 * Resolves accounts from a directory, and asks the other servers of the cluster for those that are not in it. A full resolver holds all
 * accounts, and answers others; a cache holds those that were needed here.
 *
 * What others send is verified before it is kept: a trusted operator has signed it, for the account that was asked for.
 */
import { BadJwt } from "../keys/jwt.ts";
import { decodeToken } from "../keys/token.ts";
import { isNkeyOf } from "../keys/nkey.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { AfterReload, PreloadedToken, Resolver } from "./resolver.ts";
import type { TokenFiles } from "./token-files.ts";
import type { OperatorTrust } from "./trust.ts";

export interface DirectoryResolverOptions {
  readonly files: TokenFiles;
  readonly kind: "full" | "cache";
  readonly trust: OperatorTrust;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether a token may be deleted by request. */
  readonly allowsDelete: boolean;
  /** How long other servers are waited for. */
  readonly timeoutMs: number;
  /** How often a full resolver compares what it has with others. */
  readonly intervalMs: number;
  /** How long a cache keeps what nobody needs; null: for good. */
  readonly ttlMs: number | null;
}

export class DirectoryResolver implements Resolver {
  readonly options: DirectoryResolverOptions;
  /** Asks other servers; null: there are none to ask yet. */
  askOthers: ((name: string) => Promise<string | null>) | null = null;
  /** Called when a token was written that differs from the one before. */
  onChange: ((name: string, jwt: string) => void) | null = null;

  constructor(options: DirectoryResolverOptions) {
    this.options = options;
  }

  fetch(name: string): string | null | Promise<string | null> {
    return this.kept(name) ?? this.fetchElsewhere(name);
  }

  kept(name: string): string | null {
    const { files, clock } = this.options;
    return files.load(name, clock.nowMs());
  }

  /** Keeps a token of the configuration, unless the directory has a newer one. */
  store(name: string, jwt: string): void {
    this.saveIfNewer(name, jwt).catch((error: unknown) => this.failed(name, error));
  }

  /** Rejects with BadJwt where the token is not to be trusted, and with an Error where it cannot be written. */
  async save(name: string, jwt: string): Promise<void> {
    this.check(name, jwt);
    const outcome = await this.options.files.save(name, jwt, this.options.clock.nowMs());
    if (outcome === "written") this.onChange?.(name, jwt);
  }

  /** The same, but for a token that is older than the one there is. */
  async saveIfNewer(name: string, jwt: string): Promise<void> {
    const issuedAt = this.check(name, jwt);
    const { files, clock } = this.options;
    const own = files.load(name, clock.nowMs());
    if (own === jwt || (own !== null && issuedAtOf(own) > issuedAt)) return;
    await this.save(name, jwt);
  }

  /** Reads the directory again, which others may have written to. What is gone from it stays in force until it is needed again. */
  async reload(preload: readonly PreloadedToken[]): Promise<AfterReload> {
    const { files, clock } = this.options;
    try {
      await files.reread(clock.nowMs(), (name, jwt) => this.onChange?.(name, jwt));
    } catch (error) {
      this.failed("", error);
    }
    for (const { account, jwt } of preload)
      await this.saveIfNewer(account, jwt).catch((error: unknown) => this.failed(account, error));
    return "nothing";
  }

  settled(): Promise<void> {
    return this.options.files.settled();
  }

  failed(name: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.options.logger.error("A token of an account was not kept", { account: name, reason });
  }

  private async fetchElsewhere(name: string): Promise<string | null> {
    try {
      const jwt = (await this.askOthers?.(name)) ?? null;
      if (jwt !== null) await this.saveIfNewer(name, jwt);
      return jwt;
    } catch (error) {
      this.failed(name, error);
      return null;
    }
  }

  /** Returns when the token was issued. */
  private check(name: string, jwt: string): number {
    const { subject, issuer, issuedAt } = decodeToken(jwt, "account");
    if (!isNkeyOf("account", name) || subject !== name)
      throw new BadJwt("subject does not match jwt content");
    if (!this.options.trust.keys.has(issuer)) throw new BadJwt("Account JWT not signed by trusted operator");
    return issuedAt;
  }
}

/** Before all others where it cannot be read. */
function issuedAtOf(jwt: string): number {
  try {
    return decodeToken(jwt, "account").issuedAt;
  } catch (error) {
    if (!(error instanceof BadJwt)) throw error;
    return -1;
  }
}
