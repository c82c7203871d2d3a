/** Compares what clients present with configured passwords and tokens, plain or as bcrypt hashes, in constant time. */
import { assert } from "../../base/assert.ts";
import { describeAttempt, type Attempt } from "../attempt.ts";
import { admitted, refused, type Grant, type Verdict } from "../grant.ts";
import { PasswordChecker, type Comparing } from "./password-checker.ts";
import { equalSecrets } from "../../base/equal-secrets.ts";

export interface Secret {
  /** Plain or a bcrypt hash. */
  readonly expected: string;
  readonly given: string;
  /** Given to a client that presents the secret. */
  readonly grant: Grant;
}

export class Secrets implements Disposable {
  private readonly passwords = new PasswordChecker();
  private readonly current: (grant: Grant, attempt: Attempt) => Grant | null;

  /** `current`: what remains of a grant if the configuration has changed during the comparison. */
  constructor(current: (grant: Grant, attempt: Attempt) => Grant | null) {
    this.current = current;
  }

  decide(attempt: Attempt, { expected, given, grant }: Secret): Verdict | Promise<Verdict> {
    assert(
      grant.origin.kind === "user" || grant.origin.kind === "token",
      "a secret belongs to a user or is a token",
    );
    const refusal = refused(describeAttempt(attempt));
    if (!isBcrypt(expected)) return equalSecrets(given, expected) ? admitted(grant) : refusal;
    const lane = `${attempt.address} ${grant.user}`;
    const isWanted = (): boolean => attempt.isWanted();
    const result = this.passwords.check({ password: given, hash: expected, lane, isWanted });
    const judge = (comparing: Comparing): Verdict => {
      const now = comparing === "equal" ? this.current(grant, attempt) : null;
      if (now !== null) return admitted(now);
      return comparing !== "too many waiting"
        ? refusal
        : refused(`too many passwords to check: ${refusal.reason}`);
    };
    return result instanceof Promise ? result.then(judge) : judge(result);
  }

  [Symbol.dispose](): void {
    this.passwords[Symbol.dispose]();
  }
}

/** nats-server tells a hash from a password in the same way. */
export function isBcrypt(secret: string): boolean {
  return /^\$2[abxy]\$\d{2}\$/.test(secret);
}
