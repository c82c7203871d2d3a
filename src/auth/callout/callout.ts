/**
 * Callouts: a service in an account of this cluster decides who may connect. Each attempt is one request, a signed token on
 * `$SYS.REQ.USER.AUTH`, encrypted if the service has a key for that. request.ts writes the request, response.ts judges the
 * answer. Every failure is a refusal.
 *
 * Bounds: at most PENDING_MAX requests wait for answers, and further clients are refused; no request waits longer than `timeoutMs`.
 */
import { randomBytes } from "node:crypto";
import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import type { CurveKey } from "../../keys/curve-key.ts";
import { newNkey, type SigningNkey } from "../../keys/nkey.ts";
import type { Account } from "../../core/account.ts";
import type { Accounts } from "../../core/accounts.ts";
import { Listener, type Heard } from "../../core/listener.ts";
import type { Attempt } from "../attempt.ts";
import type { Grant, Verdict } from "../grant.ts";
import { SharedPermissions } from "../shared-permissions.ts";
import type { CalloutRules } from "./rules.ts";
import { requestClaims, type AskingServer } from "./request.ts";
import { CALLOUT_SUBJECT, judgeResponse, type Question } from "./response.ts";
import { encodeJwt } from "../../keys/jwt.ts";
import { GLOBAL_ACCOUNT } from "../../subject/account-names.ts";

const PENDING_MAX = 8192;
const AUDIENCE = "nats-authorization-request";
const KEY_HEADER = "Nats-Server-Xkey";

export interface CalloutHost {
  readonly accounts: Accounts;
  readonly clock: Clock;
  readonly signing: SigningNkey;
  readonly curve: CurveKey;
  /** A token of subjects that identifies this server. */
  readonly serverHash: string;
  server(): AskingServer;
  timeoutMs(): number;
}

/** What an answer means. A promise is never rejected. */
export type AnswerJudge = (payload: Uint8Array, question: Question) => Verdict | Promise<Verdict>;

interface Pending {
  answer(payload: Uint8Array): void;
  refuse(reason: string): void;
}

export class Callout implements Disposable {
  readonly rules: CalloutRules;
  private readonly host: CalloutHost;
  private readonly inbox: string;
  /** By reply subject. */
  private readonly pending = new Map<string, Pending>();
  private readonly permissions = new SharedPermissions();
  private readonly judge: AnswerJudge;
  private place: { readonly account: Account; readonly listener: Listener } | null = null;

  /** `judge`: absent: by the rules alone. */
  constructor(rules: CalloutRules, host: CalloutHost, judge: AnswerJudge = judgeResponse) {
    this.rules = rules;
    this.host = host;
    this.judge = judge;
    this.inbox = `$SYS._INBOX.${host.serverHash}`;
  }

  /** Whether the service is not asked about this user, given by name or public nkey. */
  isExempt(user: string): boolean {
    return this.rules.authUsers.includes(user);
  }

  /** Whether the service is asked about configured users of this account. */
  delegates(account: string): boolean {
    const { allowedAccounts } = this.rules;
    return account === GLOBAL_ACCOUNT || allowedAccounts.length === 0 || allowedAccounts.includes(account);
  }

  /** Whether a grant is still good: this service gave it by these rules, and its account still exists. */
  holds({ origin, account }: Grant): boolean {
    return origin.kind === "callout" && origin.rules === this.rules && this.isAccount(account);
  }

  /** The promise is never rejected. */
  ask(attempt: Attempt): Promise<Verdict> {
    const { rules, pending } = this;
    const account = this.host.accounts.get(rules.account);
    const refused = (reason: string): Promise<Verdict> => Promise.resolve({ kind: "refused", reason });
    if (account === undefined || !account.isConfigured)
      return refused(
        `No valid account ${JSON.stringify(rules.account)} for auth callout request: account missing`,
      );
    if (pending.size >= PENDING_MAX)
      return refused(`${pending.size} auth callouts are already waiting for answers`);
    attempt.onDelegated?.();
    this.listen(account);
    return new Promise((resolve) => this.send(account, attempt, resolve));
  }

  /** Refuses all pending attempts. */
  [Symbol.dispose](): void {
    for (const one of [...this.pending.values()]) one.refuse("The auth callout was abandoned");
    this.place?.account.unsubscribe(this.place.listener);
    this.place = null;
  }

  private send(account: Account, attempt: Attempt, decide: (verdict: Verdict) => void): void {
    const { clock } = this.host;
    const subject = `${this.inbox}.${randomBytes(16).toString("base64url")}`;
    const userNkey = newNkey("user").publicKey;
    const settle = (): void => {
      timer[Symbol.dispose]();
      this.pending.delete(subject);
    };
    const refuse = (reason: string): void => {
      settle();
      decide({ kind: "refused", reason });
    };
    const late = `Authorization callout response not received in time on account ${JSON.stringify(account.name)}`;
    assert(!this.pending.has(subject), "each request has a reply subject of its own");
    const timer = clock.setTimer(this.host.timeoutMs(), () => refuse(late));
    // The first answer counts.
    const answer = (payload: Uint8Array): void => {
      settle();
      const verdict = this.judge(payload, this.questionOf(attempt, userNkey));
      if (verdict instanceof Promise) void verdict.then(decide);
      else decide(verdict);
    };
    this.pending.set(subject, { answer, refuse });
    assert(this.pending.size <= PENDING_MAX, "pending requests stay within their bound");
    this.request(account, { attempt, userNkey, reply: subject });
  }

  private request(
    account: Account,
    { attempt, userNkey, reply }: { attempt: Attempt; userNkey: string; reply: string },
  ): void {
    const { rules, host } = this;
    const { signing, curve } = host;
    const nowMs = host.clock.nowMs();
    const xkey = rules.xkey === null ? null : curve.publicKey;
    const claims = {
      aud: AUDIENCE,
      exp: Math.floor((nowMs + host.timeoutMs()) / 1000),
      sub: rules.issuer,
      nats: requestClaims(attempt, { server: host.server(), xkey, userNkey }),
    };
    const token = Buffer.from(encodeJwt(claims, { signer: signing, nowMs, type: "authorization_request" }));
    if (rules.xkey === null) account.send(CALLOUT_SUBJECT, token, reply);
    else {
      const headers = `NATS/1.0\r\n${KEY_HEADER}: ${curve.publicKey}\r\n\r\n`;
      account.send(CALLOUT_SUBJECT, curve.seal(token, rules.xkey), reply, headers);
    }
  }

  private questionOf(attempt: Attempt, userNkey: string): Question {
    const { rules, host } = this;
    return {
      attempt,
      userNkey,
      rules,
      serverId: host.signing.publicKey,
      nowMs: host.clock.nowMs(),
      permissionsOf: (rules_) => this.permissions.of(rules_),
      open: (sealed) => (rules.xkey === null ? null : host.curve.open(sealed, rules.xkey)),
      isAccount: (name) => this.isAccount(name),
    };
  }

  /** Accounts that only other servers know do not count. */
  private isAccount(name: string): boolean {
    return this.host.accounts.get(name)?.isConfigured === true;
  }

  /** Subscribes before the first request, so that other servers learn of the subscription before they see the request. */
  private listen(account: Account): void {
    // An account that was deleted and came back is another one.
    if (this.place?.account === account) return;
    this.place?.account.unsubscribe(this.place.listener);
    const listener = new Listener(`${this.inbox}.*`, ({ subject, payload }: Heard) =>
      this.pending.get(subject)?.answer(payload),
    );
    this.place = { account, listener };
    account.subscribe(listener);
  }
}
