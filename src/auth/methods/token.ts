/** Admits clients that present the configured token. While there is a token, there are no users. */
import { assert } from "../../base/assert.ts";
import type { Attempt } from "../attempt.ts";
import { LACKS_PROXY, type Grant, type Verdict } from "../grant.ts";
import type { Method } from "./method.ts";
import { EVERYBODY } from "./open.ts";
import type { Secrets } from "./secrets.ts";

export interface TokenOptions {
  /** Plain or a bcrypt hash; undefined: none. */
  readonly token?: string | undefined;
  /** Holders of the token must come through a trusted proxy. */
  readonly tokenNeedsProxy?: boolean;
}

export class TokenMethod implements Method {
  private options: TokenOptions = {};
  private grant = newGrant();
  private readonly secrets: Secrets;

  constructor(secrets: Secrets) {
    this.secrets = secrets;
  }

  get isConfigured(): boolean {
    return this.options.token !== undefined;
  }

  reconfigure(options: TokenOptions): void {
    if (options.token !== this.options.token) this.grant = newGrant();
    this.options = options;
    assert(this.grant.origin.kind === "token", "the grant of a token says so");
  }

  decide(attempt: Attempt): Verdict | Promise<Verdict> | null {
    const { token: expected, tokenNeedsProxy } = this.options;
    if (expected === undefined) return null;
    if (tokenNeedsProxy === true && attempt.proxyKey === "") return LACKS_PROXY;
    const given = attempt.credentials.authToken;
    return this.secrets.decide(attempt, { expected, given, grant: this.grant });
  }

  current(grant: Grant): Grant | null {
    return this.isConfigured && this.isIssue(grant) ? grant : null;
  }

  needsProxy(grant: Grant): boolean {
    return this.isConfigured && this.isIssue(grant) && this.options.tokenNeedsProxy === true;
  }

  private isIssue({ origin }: Grant): boolean {
    const { origin: now } = this.grant;
    return origin.kind === "token" && now.kind === "token" && origin.issue === now.issue;
  }
}

function newGrant(): Grant {
  return { ...EVERYBODY, user: "[REDACTED]", origin: { kind: "token", issue: {} } };
}
