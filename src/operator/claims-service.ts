/**
 * Requests about tokens of accounts in the system account, as `nsc push` and nats-servers send them: `$SYS.REQ.CLAIMS.UPDATE`, `DELETE`, `LIST` and
 * `PACK`, `$SYS.REQ.ACCOUNT.<id>.CLAIMS.UPDATE` and `LOOKUP`. Full resolvers of a cluster compare what they have and exchange what
 * differs.
 *
 * Bounds: a request has at most REQUEST_BYTES_MAX, LOOKUPS_MAX look-ups wait for other servers, each for the resolver's time. A pack
 * is sent PACK_PER_ROUND tokens in a round of the event loop.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { readAccountClaims } from "../auth/operator/account-claims.ts";
import { accountProblems } from "../auth/operator/account-problems.ts";
import type { Account } from "../core/account.ts";
import { Listener, type Heard } from "../core/listener.ts";
import { list } from "../keys/claim-fields.ts";
import { BadJwt } from "../keys/jwt.ts";
import { isNkeyOf } from "../keys/nkey.ts";
import { decodeAnyToken, tokenTooLarge } from "../keys/token.ts";
import type { AccountBook } from "./account-book.ts";
import { DirectoryResolver } from "./directory-resolver.ts";
import { mappingClaimProblems } from "./mappings.ts";
import type { Resolver } from "./resolver.ts";
import type { OperatorTrust } from "./trust.ts";

const REQUEST_BYTES_MAX = 1024 * 1024;
const LOOKUPS_MAX = 4096;
const PACK_PER_ROUND = 64;
const OK = 200;
const FAILED = 500;
/** The longest time between two searches of a cache for unused tokens. */
const EXPIRE_EVERY_MAX_MS = 60_000;

export interface ClaimsServiceOptions {
  readonly book: AccountBook;
  readonly resolver: Resolver;
  readonly trust: OperatorTrust;
  /** Public nkeys of operators that must sign with signing keys. */
  readonly strictOperators: ReadonlySet<string>;
  readonly system: Account;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A token of subjects that identifies this server. */
  readonly serverHash: string;
  /** The field `server` of an answer. */
  stamp(this: void): object;
  /** Servers of the cluster besides this one. */
  peerCount(this: void): number;
}

interface Lookup {
  /** Answers that may still come. */
  awaited: number;
  end(jwt: string | null): void;
}

export class ClaimsService implements Disposable {
  private readonly options: ClaimsServiceOptions;
  private readonly directory: DirectoryResolver | null;
  private readonly inbox: string;
  private readonly listeners: Listener[] = [];
  private readonly lookups = new Map<string, Lookup>();
  private lookupCount = 0;
  private timer: Disposable | null = null;
  private isStopped = false;

  constructor(options: ClaimsServiceOptions) {
    this.options = options;
    this.inbox = `$SYS._INBOX.${options.serverHash}.CLAIMS`;
    this.directory = options.resolver instanceof DirectoryResolver ? options.resolver : null;
    for (const subject of ["$SYS.REQ.ACCOUNT.*.CLAIMS.UPDATE", "$SYS.ACCOUNT.*.CLAIMS.UPDATE"])
      this.on(subject, (heard) => this.updateNamed(heard), this.refuseLarge);
    if (this.directory !== null) this.serve(this.directory);
  }

  [Symbol.dispose](): void {
    this.isStopped = true;
    this.timer?.[Symbol.dispose]();
    for (const listener of this.listeners) this.options.system.unsubscribe(listener);
    for (const lookup of [...this.lookups.values()]) lookup.end(null);
    if (this.directory !== null) this.directory.askOthers = this.directory.onChange = null;
  }

  private serve(directory: DirectoryResolver): void {
    const { kind, intervalMs, ttlMs, files, clock } = directory.options;
    this.on("$SYS.REQ.CLAIMS.UPDATE", (heard) => this.update(heard, null), this.refuseLarge);
    this.on("$SYS.REQ.CLAIMS.DELETE", (heard) => this.delete(heard, directory), this.refuseLargeDelete);
    this.on("$SYS.REQ.CLAIMS.LIST", ({ reply }) =>
      this.send(reply, { server: this.options.stamp(), data: [...files.names] }),
    );
    this.on(`${this.inbox}.*`, (heard) => this.answered(heard, directory));
    directory.askOthers = (name) => this.askOthers(name, directory);
    directory.onChange = (name, jwt) => this.changed(name, jwt);
    if (kind === "full") {
      this.on("$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP", (heard) => this.lookUp(heard, directory));
      this.on("$SYS.REQ.CLAIMS.PACK", (heard) => this.pack(heard, directory));
      this.every(intervalMs, () =>
        this.options.system.send("$SYS.REQ.CLAIMS.PACK", files.hash, `${this.inbox}.PACK`),
      );
    } else if (ttlMs !== null)
      this.every(Math.min(EXPIRE_EVERY_MAX_MS, Math.max(1, ttlMs / 2)), () => {
        files.expire(clock.nowMs() - ttlMs).catch((error: unknown) => directory.failed("", error));
      });
  }

  /** `refuse`: what becomes of a request that is too large; absent: it is left alone. */
  private on(subject: string, act: (heard: Heard) => void, refuse?: (heard: Heard) => void): void {
    const listener = new Listener(subject, (heard) => {
      const take = heard.payload.length <= REQUEST_BYTES_MAX ? act : refuse;
      // Nothing is sent while a message is being delivered.
      if (take !== undefined) setImmediate(() => this.isStopped || take(heard));
    });
    this.listeners.push(listener);
    this.options.system.subscribe(listener);
  }

  private every(delayMs: number, act: () => void): void {
    this.timer = this.options.clock.setTimer(delayMs, () => {
      this.every(delayMs, act);
      act();
    });
  }

  private readonly refuseLarge = ({ payload, reply }: Heard): void => {
    const { message } = tokenTooLarge(payload.length);
    this.failed(reply, "n/a", "jwt update resulted in error", message);
  };

  private readonly refuseLargeDelete = ({ payload, reply }: Heard): void => {
    this.failed(
      reply,
      undefined,
      "delete accounts request by  failed",
      tokenTooLarge(payload.length).message,
    );
  };

  private updateNamed(heard: Heard): void {
    const tokens = heard.subject.split(".");
    this.update(heard, tokens[1] === "REQ" ? tokens[3]! : tokens[2]!);
  }

  /** `name`: the account that the subject names; null: none. */
  private update({ payload, reply }: Heard, name: string | null): void {
    const jwt = Buffer.from(payload).toString("utf8").trim();
    let account = "n/a";
    try {
      const claims = readAccountClaims(jwt);
      account = claims.subject;
      if (name !== null && name !== account) throw new BadJwt("subject does not match jwt content");
      if (this.options.strictOperators.has(claims.issuer))
        throw new BadJwt("operator requires issuer to be a signing key");
      const [problem] = [...accountProblems(claims), ...mappingClaimProblems(claims.mappings)];
      if (problem !== undefined) return this.failed(reply, account, "jwt validation failed", problem);
      this.put(account, jwt, reply);
    } catch (error) {
      if (!(error instanceof BadJwt)) throw error;
      this.failed(reply, account, "jwt update resulted in error", error.message);
    }
  }

  private put(account: string, jwt: string, reply: string): void {
    const { directory } = this;
    const isHere = this.options.book.current(account) !== null;
    if (directory === null || (directory.options.kind === "cache" && !isHere)) {
      const isUpdated = this.options.book.update(account, jwt);
      return this.done(reply, account, isUpdated ? "jwt updated" : "jwt update skipped");
    }
    directory.save(account, jwt).then(
      () => this.done(reply, account, "jwt updated"),
      (error: unknown) => this.failed(reply, account, "jwt update resulted in error", reasonOf(error)),
    );
  }

  /** A token in the directory has changed. */
  private changed(name: string, jwt: string): void {
    try {
      this.options.book.update(name, jwt);
    } catch (error) {
      if (!(error instanceof BadJwt)) throw error;
      const { message: reason } = error;
      this.options.logger.error("The new token of an account is not in force", { account: name, reason });
    }
  }

  /** Only an operator or its signing key may ask for it, by a token that it has signed for itself. */
  private delete({ payload, reply }: Heard, directory: DirectoryResolver): void {
    let subject = "";
    try {
      const request = decodeAnyToken(Buffer.from(payload).toString("utf8").trim());
      ({ subject } = request);
      if (!directory.options.allowsDelete) throw new BadJwt("delete must be enabled in server config");
      if (subject !== request.issuer) throw new BadJwt("not self signed");
      if (!this.options.trust.keys.has(subject)) throw new BadJwt("not trusted");
      const accounts = list(request.nats, "accounts");
      if (!accounts.every((one) => typeof one === "string" && isNkeyOf("account", one)))
        throw new BadJwt("malformed request");
      if (accounts.includes(this.options.system.name))
        throw new BadJwt("not allowed to delete system account");
      void this.deleteAll(accounts as readonly string[], directory, reply);
    } catch (error) {
      if (!(error instanceof BadJwt)) throw error;
      this.failed(reply, undefined, `delete accounts request by ${subject} failed`, error.message);
    }
  }

  private async deleteAll(
    accounts: readonly string[],
    directory: DirectoryResolver,
    reply: string,
  ): Promise<void> {
    const problems: string[] = [];
    for (const account of accounts) {
      const problem = await directory.options.files.remove(account).then(() => null, reasonOf);
      if (problem === null) this.options.book.remove(account);
      else problems.push(problem);
    }
    const count = accounts.length - problems.length;
    if (problems.length === 0) this.done(reply, undefined, `deleted ${count} accounts`);
    else
      this.failed(
        reply,
        undefined,
        `deleted ${count} accounts, failed for ${problems.length}`,
        problems.join("\n"),
      );
  }

  /** An empty answer says that the account is not here. */
  private lookUp({ subject, reply }: Heard, directory: DirectoryResolver): void {
    if (reply === "") return;
    const name = subject.split(".")[3] ?? "";
    const { files, clock } = directory.options;
    this.options.system.send(reply, files.load(name, clock.nowMs()) ?? "");
  }

  /** Sends all tokens to a server whose directory differs, and an empty message at the end. */
  private pack({ payload, reply }: Heard, directory: DirectoryResolver): void {
    if (reply === "" || reply.startsWith(this.inbox)) return;
    const { files, clock } = directory.options;
    if (files.hash.equals(payload)) return void this.options.system.send(reply, "");
    const names = [...files.names];
    const sendSome = (): void => {
      if (this.isStopped) return;
      for (const name of names.splice(0, PACK_PER_ROUND)) {
        const jwt = files.load(name, clock.nowMs());
        if (jwt !== null) this.options.system.send(reply, `${name}|${jwt}`);
      }
      if (names.length > 0) setImmediate(sendSome);
      else this.options.system.send(reply, "");
    };
    sendSome();
  }

  private answered({ subject, payload }: Heard, directory: DirectoryResolver): void {
    const lookup = this.lookups.get(subject);
    const text = Buffer.from(payload).toString("utf8");
    if (lookup !== undefined) {
      lookup.awaited--;
      if (text !== "" || lookup.awaited <= 0) lookup.end(text === "" ? null : text.trim());
    } else if (subject === `${this.inbox}.PACK`)
      for (const line of text.split("\n")) if (line !== "") this.merge(line, directory);
  }

  private merge(line: string, directory: DirectoryResolver): void {
    const [name = "", jwt = "", ...rest] = line.split("|");
    if (rest.length > 0 || !isNkeyOf("account", name))
      return directory.failed("", "a pack that is malformed");
    directory.saveIfNewer(name, jwt).catch((error: unknown) => directory.failed(name, error));
  }

  /** The first token counts; null: no server has one, or none has answered in time. */
  private askOthers(name: string, directory: DirectoryResolver): Promise<string | null> {
    // A full resolver receives its own request.
    const awaited = this.options.peerCount() + (directory.options.kind === "full" ? 1 : 0);
    if (this.options.peerCount() === 0 || this.lookups.size >= LOOKUPS_MAX) return Promise.resolve(null);
    const reply = `${this.inbox}.${++this.lookupCount}`;
    return new Promise((resolve) => {
      const end = (jwt: string | null): void => {
        timer[Symbol.dispose]();
        this.lookups.delete(reply);
        resolve(jwt);
      };
      const timer = this.options.clock.setTimer(directory.options.timeoutMs, () => end(null));
      this.lookups.set(reply, { awaited, end });
      assert(this.lookups.size <= LOOKUPS_MAX, "look-ups stay within their bound");
      setImmediate(
        () => this.isStopped || this.options.system.send(`$SYS.REQ.ACCOUNT.${name}.CLAIMS.LOOKUP`, "", reply),
      );
    });
  }

  private done(reply: string, account: string | undefined, message: string): void {
    this.options.logger.debug("Claims request", { account, message });
    this.send(reply, { server: this.options.stamp(), data: { account, code: OK, message } });
  }

  private failed(reply: string, account: string | undefined, message: string, reason: string): void {
    this.options.logger.error("Claims request failed", { account, message, reason });
    const description = `${message} - ${reason}`;
    this.send(reply, { server: this.options.stamp(), error: { account, code: FAILED, description } });
  }

  private send(reply: string, body: object): void {
    if (reply !== "" && !this.isStopped) this.options.system.send(reply, JSON.stringify(body));
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  return String(error);
}
