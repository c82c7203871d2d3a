/**
 * Callouts: a service in an account of this cluster decides who may connect. Each client is a question of its own, sent as a
 * signed token on `$SYS.REQ.USER.AUTH`, sealed where the service has a key for that; see callout-request.ts for what is
 * asked, callout-response.ts for how the answer is judged. Whatever goes wrong is a refusal.
 *
 * Bounds: PENDING_MAX questions wait for answers, further clients are refused; none waits longer than `timeoutMs`.
 */
import { randomBytes } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { CurveKey } from "../../keys/curve-key.ts";
import { newNkey, type SigningNkey } from "../../keys/nkey.ts";
import type { Account } from "../../core/account.ts";
import type { Accounts } from "../../core/accounts.ts";
import { Listener, type Heard } from "../../core/listener.ts";
import type { Attempt, Grant, Verdict } from "../authenticator.ts";
import { requestClaims, type AskingServer } from "./request.ts";
import { CALLOUT_SUBJECT, judgeResponse } from "./response.ts";
import { encodeJwt } from "../../keys/jwt.ts";
import { GLOBAL_ACCOUNT } from "../../subject/account-names.ts";

const PENDING_MAX = 8192;
const AUDIENCE = "nats-authorization-request";
const KEY_HEADER = "Nats-Server-Xkey";

export interface CalloutRules {
  /** Public nkey of the account that signs answers. */
  readonly issuer: string;
  /** Where the service is asked. */
  readonly account: string;
  /** They are known here, and nobody is asked about them. */
  readonly authUsers: readonly string[];
  /** Public curve key of the service; null: all is said in the open. */
  readonly xkey: string | null;
  /** Users of other accounts are known here as well; empty: there are no others. */
  readonly allowedAccounts: readonly string[];
}

export interface CalloutWorld {
  readonly accounts: Accounts;
  readonly clock: Clock;
  readonly signing: SigningNkey;
  readonly curve: CurveKey;
  /** One token that names this server to the others. */
  readonly serverHash: string;
  server(): AskingServer;
  timeoutMs(): number;
}

interface Pending {
  answer(payload: Uint8Array): void;
  refuse(reason: string): void;
}

export class Callout implements Disposable {
  readonly rules: CalloutRules;
  private readonly world: CalloutWorld;
  private readonly inbox: string;
  /** By the subject of the answer. */
  private readonly pending = new Map<string, Pending>();
  private readonly granted = new WeakSet<Grant>();
  private place: { readonly account: Account; readonly listener: Listener } | null = null;

  constructor(rules: CalloutRules, world: CalloutWorld) {
    this.rules = rules;
    this.world = world;
    this.inbox = `$SYS._INBOX.${world.serverHash}`;
  }

  /** Nobody is asked about this user, known by name or public nkey. */
  isExempt(user: string): boolean {
    return this.rules.authUsers.includes(user);
  }

  /** Users of this account who are known here are asked about all the same. */
  delegates(account: string): boolean {
    const { allowedAccounts } = this.rules;
    return account === GLOBAL_ACCOUNT || allowedAccounts.length === 0 || allowedAccounts.includes(account);
  }

  /** Whether this is still what the service would have to be asked about: it was granted here, in an account that is there. */
  holds(grant: Grant): boolean {
    return this.granted.has(grant) && this.isAccount(grant.account);
  }

  /** Never rejected. */
  ask(attempt: Attempt): Promise<Verdict> {
    const { rules, pending } = this;
    const account = this.world.accounts.get(rules.account);
    const refused = (reason: string): Promise<Verdict> => Promise.resolve({ kind: "refused", reason });
    if (account === undefined || !account.isConfigured)
      return refused(
        `No valid account ${JSON.stringify(rules.account)} for auth callout request: account missing`,
      );
    if (pending.size >= PENDING_MAX) return refused(`${pending.size} auth callouts wait for answers already`);
    attempt.onDelegated?.();
    this.listen(account);
    return new Promise((resolve) => this.send(account, attempt, resolve));
  }

  /** Who waits is refused. */
  [Symbol.dispose](): void {
    for (const one of [...this.pending.values()]) one.refuse("Auth callout was given up");
    this.place?.account.unsubscribe(this.place.listener);
    this.place = null;
  }

  private send(account: Account, attempt: Attempt, decide: (verdict: Verdict) => void): void {
    const { clock } = this.world;
    const subject = `${this.inbox}.${randomBytes(16).toString("base64url")}`;
    const userNkey = newNkey("user").publicKey;
    const end = (verdict: Verdict): void => {
      timer[Symbol.dispose]();
      this.pending.delete(subject);
      if (verdict.kind === "admitted") this.granted.add(verdict.grant);
      decide(verdict);
    };
    const refuse = (reason: string): void => end({ kind: "refused", reason });
    const late = `Authorization callout response not received in time on account ${JSON.stringify(account.name)}`;
    const timer = clock.setTimer(this.world.timeoutMs(), () => refuse(late));
    const answer = (payload: Uint8Array): void => end(this.judge(payload, attempt, userNkey));
    this.pending.set(subject, { answer, refuse });
    this.request(account, { attempt, userNkey, reply: subject });
  }

  private request(
    account: Account,
    { attempt, userNkey, reply }: { attempt: Attempt; userNkey: string; reply: string },
  ): void {
    const { rules, world } = this;
    const { signing, curve } = world;
    const nowMs = world.clock.nowMs();
    const xkey = rules.xkey === null ? null : curve.publicKey;
    const claims = {
      aud: AUDIENCE,
      exp: Math.floor((nowMs + world.timeoutMs()) / 1000),
      sub: rules.issuer,
      nats: requestClaims(attempt, { server: world.server(), xkey, userNkey }),
    };
    const token = Buffer.from(encodeJwt(claims, { signer: signing, nowMs, type: "authorization_request" }));
    if (rules.xkey === null) account.send(CALLOUT_SUBJECT, token, reply);
    else {
      const headers = `NATS/1.0\r\n${KEY_HEADER}: ${curve.publicKey}\r\n\r\n`;
      account.send(CALLOUT_SUBJECT, curve.seal(token, rules.xkey), reply, headers);
    }
  }

  private judge(payload: Uint8Array, attempt: Attempt, userNkey: string): Verdict {
    const { rules, world } = this;
    return judgeResponse(payload, {
      attempt,
      userNkey,
      rules,
      serverId: world.signing.publicKey,
      nowMs: world.clock.nowMs(),
      open: (sealed) => (rules.xkey === null ? null : world.curve.open(sealed, rules.xkey)),
      isAccount: (name) => this.isAccount(name),
    });
  }

  /** Not one of which another server told alone. */
  private isAccount(name: string): boolean {
    return this.world.accounts.get(name)?.isConfigured === true;
  }

  /** From the first question on: other servers have to know of it, and learn of it before that question. */
  private listen(account: Account): void {
    if (this.place !== null) return;
    const listener = new Listener(`${this.inbox}.*`, ({ subject, payload }: Heard) =>
      this.pending.get(subject)?.answer(payload),
    );
    this.place = { account, listener };
    account.subscribe(listener);
  }
}
