/**
 * The accounts that operators have signed, as they are in force on this server: looked up when first needed, defined in the core, updated when a
 * newer token comes, and ended when they expire or are deleted.
 *
 * Invariant: an account is here only if its token was verified under its name. Bounded by what operators sign, and by LOOKUPS_MAX
 * look-ups at a time; further ones find nothing.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { TIMER_MAX_MS } from "../base/duration.ts";
import type { Logger } from "../base/logger.ts";
import { sameValues } from "../base/same-values.ts";
import type { AccountClaims } from "../auth/operator/account-claims.ts";
import type { AccountInForce, SignedAccounts } from "../auth/operator/accounts.ts";
import { BadJwt } from "../keys/jwt.ts";
import { isNkeyOf } from "../keys/nkey.ts";
import type { Accounts } from "../core/accounts.ts";
import type { ImportLink } from "../subject/import-rules.ts";
import { definitionOf } from "./definition.ts";
import type { MappingsOfAccounts } from "./mappings.ts";
import type { Resolver } from "./resolver.ts";
import { verifiedAccount, type OperatorTrust } from "./trust.ts";

const LOOKUPS_MAX = 4096;
/** An expired account is looked up again at most once in this time. */
const RETRY_MS = 1000;

export interface AccountBookOptions {
  readonly trust: OperatorTrust;
  readonly resolver: Resolver;
  readonly accounts: Accounts;
  readonly mappings: MappingsOfAccounts;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Entry extends AccountInForce {
  isOver: boolean;
  isComplete: boolean;
  links: readonly ImportLink[];
  updatedMs: number;
  /** For the expiry of the account and of activation tokens. */
  timers: Disposable[];
}

export class AccountBook implements SignedAccounts, Disposable {
  /** Called with the names of changed accounts, whose clients have to be checked again. */
  onChange: ((names: ReadonlySet<string>) => void) | null = null;
  private readonly options: AccountBookOptions;
  private readonly entries = new Map<string, Entry>();
  private readonly lookups = new Map<string, Promise<Entry | null>>();
  /** By exporter: the accounts whose claims import from it. */
  private readonly importers = new Map<string, Set<string>>();

  private isStopped = false;

  constructor(options: AccountBookOptions) {
    this.options = options;
  }

  current(name: string): AccountInForce | null {
    return this.entries.get(name) ?? null;
  }

  leafNodesOf(name: string): number {
    const account = this.options.accounts.get(name);
    return account === undefined ? 0 : account.leafnodes + account.elsewhere.leafnodes;
  }

  [Symbol.iterator](): Iterator<AccountInForce> {
    return this.entries.values();
  }

  resolve(name: string): AccountInForce | null | Promise<AccountInForce | null> {
    const known = this.entries.get(name);
    const pending = this.lookups.get(name);
    if (pending !== undefined) return pending;
    if (known !== undefined && !(known.isOver && this.mayRetry(known))) return known;
    if (!isNkeyOf("account", name) || this.lookups.size >= LOOKUPS_MAX) return known ?? null;
    const found = this.options.resolver.fetch(name);
    if (!(found instanceof Promise)) return this.found(name, found);
    return this.lookup(
      name,
      found.then((jwt) => this.found(name, jwt)),
    );
  }

  /** Puts a newer token of an account in force, if the account is here. Throws BadJwt. */
  update(name: string, jwt: string): boolean {
    const known = this.entries.get(name);
    if (known === undefined) {
      // Other accounts import from it.
      if (this.importers.has(name)) void this.resolve(name);
      return false;
    }
    if (known.claims.jwt === jwt && !known.isOver) return true;
    const claims = verifiedAccount(name, jwt, this.options.trust, this.nowMs);
    void this.put(claims);
    return true;
  }

  /** After a reload: looks at all accounts again. `missing`: what becomes of those that the resolver has no more. */
  async refresh(missing: "end" | "keep"): Promise<void> {
    const { resolver, logger } = this.options;
    for (const name of [...this.entries.keys()]) {
      const jwt = await resolver.fetch(name);
      await nextRound();
      if (this.isStopped) return;
      try {
        if (jwt !== null) this.update(name, jwt);
        else if (missing === "end") this.remove(name);
      } catch (error) {
        if (!(error instanceof BadJwt)) throw error;
        logger.error("The new token of an account is not in force", { account: name, reason: error.message });
      }
    }
  }

  /** Deletes the account: its clients are closed, and its imports and exports end. */
  remove(name: string): void {
    const entry = this.entries.get(name);
    if (entry === undefined || this.options.accounts.system?.name === name) return;
    this.end(entry);
    const { accounts, mappings } = this.options;
    accounts.drop(name);
    mappings.set(name, []);
    entry.links = [];
    this.connectImporters(name);
    this.onChange?.(new Set([name]));
  }

  [Symbol.dispose](): void {
    for (const { timers } of this.entries.values()) for (const timer of timers) timer[Symbol.dispose]();
    this.onChange = null;
    this.isStopped = true;
  }

  private get nowMs(): number {
    return this.options.clock.nowMs();
  }

  private mayRetry({ updatedMs }: Entry): boolean {
    return this.nowMs - updatedMs >= RETRY_MS;
  }

  private lookup(name: string, found: Promise<Entry | null>): Promise<Entry | null> {
    const ended = found.finally(() => this.lookups.delete(name));
    this.lookups.set(name, ended);
    assert(this.lookups.size <= LOOKUPS_MAX, "look-ups stay within their bound");
    return ended;
  }

  /** The entry for the result of a look-up; null: there is no valid token. */
  private found(name: string, jwt: string | null): Entry | null | Promise<Entry | null> {
    const { logger, trust } = this.options;
    const known = this.entries.get(name);
    if (known !== undefined) known.updatedMs = this.nowMs;
    if (jwt === null) {
      logger.warn("Account fetch failed: account missing", { account: name });
      return known ?? null;
    }
    try {
      return this.put(verifiedAccount(name, jwt, trust, this.nowMs));
    } catch (error) {
      if (!(error instanceof BadJwt)) throw error;
      logger.warn("Account fetch failed", { account: name, reason: error.message });
      return known ?? null;
    }
  }

  /** Exporters are looked up first. The account is entered before that, so circular imports end. */
  private put(claims: AccountClaims): Entry | Promise<Entry> {
    const entry = this.enter(claims);
    const waits: Promise<unknown>[] = [];
    for (const exporter of exportersOf(claims)) {
      if (this.entries.has(exporter) || this.lookups.has(exporter)) continue;
      const found = this.resolve(exporter);
      if (found instanceof Promise) waits.push(found);
    }
    const finish = (): Entry => {
      if (this.entries.get(claims.subject) === entry) this.applyWith(entry);
      return entry;
    };
    return waits.length === 0 ? finish() : Promise.all(waits).then(() => finish());
  }

  private enter(claims: AccountClaims): Entry {
    const name = claims.subject;
    assert(isNkeyOf("account", name), "a verified account is named by its nkey");
    const before = this.entries.get(name);
    if (before !== undefined) this.forgetImports(before);
    for (const timer of before?.timers ?? []) timer[Symbol.dispose]();
    const isStrict = this.options.trust.strictKeys.has(claims.issuer);
    const entry: Entry = {
      claims,
      isStrict,
      isOver: false,
      isComplete: true,
      links: before?.links ?? [],
      updatedMs: this.nowMs,
      timers: [],
    };
    this.entries.set(name, entry);
    for (const exporter of exportersOf(claims))
      this.importers.set(exporter, (this.importers.get(exporter) ?? new Set()).add(name));
    return entry;
  }

  private forgetImports({ claims }: Entry): void {
    for (const exporter of exportersOf(claims)) {
      const importers = this.importers.get(exporter);
      assert(importers !== undefined, "the importers of every exporter are known");
      importers.delete(claims.subject);
      if (importers.size === 0) this.importers.delete(exporter);
    }
  }

  /** Applies the claims of the account, and then those of the accounts that import from it. */
  private applyWith(entry: Entry): void {
    const { claims } = entry;
    const name = claims.subject;
    this.apply(entry);
    this.onExpiry(entry);
    const changed = this.connectImporters(name);
    this.onChange?.(changed.add(name));
    this.options.logger.debug("Account claims are in force", { account: name, accountName: claims.name });
  }

  private connectImporters(exporter: string): Set<string> {
    const importers = new Set(this.importers.get(exporter) ?? []);
    importers.delete(exporter);
    for (const importer of importers) {
      const entry = this.entries.get(importer);
      if (entry !== undefined && !entry.isOver) this.apply(entry);
    }
    return importers;
  }

  private apply(entry: Entry): void {
    const { accounts, mappings, logger } = this.options;
    const { claims } = entry;
    const name = claims.subject;
    const { rest, links, refused, expiresMs } = definitionOf(claims, {
      nowMs: this.nowMs,
      account: (other) => this.current(other),
      linksOf: (other) => this.entries.get(other)?.links ?? [],
    });
    entry.links = links;
    entry.isComplete = refused.length === 0;
    accounts.define(name, rest);
    const account = accounts.get(name);
    assert(account !== undefined, "an account that was defined is there");
    account.nameTag = claims.name;
    for (const problem of mappings.set(name, claims.mappings)) refusedMapping(logger, name, problem);
    for (const one of refused) logger.error("An import is not in force", { account: name, ...one });
    if (expiresMs !== null) this.at(entry, expiresMs, () => this.reapply(entry));
  }

  /** An activation token has expired. */
  private reapply(entry: Entry): void {
    const before = entry.links;
    this.apply(entry);
    if (!sameValues(before, entry.links)) this.onChange?.(new Set([entry.claims.subject]));
  }

  private onExpiry(entry: Entry): void {
    const { expires } = entry.claims.token;
    if (expires === 0) return;
    this.at(entry, expires * 1000, () => {
      this.end(entry);
      this.connectImporters(entry.claims.subject);
      this.onChange?.(new Set([entry.claims.subject]));
    });
  }

  private end(entry: Entry): void {
    entry.isOver = true;
    for (const timer of entry.timers.splice(0)) timer[Symbol.dispose]();
  }

  /** Sets a timer, in several parts if the time exceeds TIMER_MAX_MS. */
  private at(entry: Entry, whenMs: number, act: () => void): void {
    const delayMs = Math.min(TIMER_MAX_MS, Math.max(0, whenMs - this.nowMs));
    const timer = this.options.clock.setTimer(delayMs, () => {
      entry.timers = entry.timers.filter((one) => one !== timer);
      if (this.entries.get(entry.claims.subject) !== entry || entry.isOver) return;
      if (this.nowMs < whenMs) this.at(entry, whenMs, act);
      else act();
    });
    entry.timers.push(timer);
  }
}

/** Others get their turn in between. */
function nextRound(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function exportersOf({ imports }: AccountClaims): ReadonlySet<string> {
  return new Set(imports.flatMap((one) => (one === null || one.account === "" ? [] : [one.account])));
}

function refusedMapping(logger: Logger, account: string, problem: string): void {
  logger.error("A subject mapping is not in force", { account, problem });
}
