/** Who may connect: nobody needs credentials, or a token, or one of the users. Comparison takes the same time for every input. */
import { createHash, timingSafeEqual } from "node:crypto";

export interface Credentials {
  readonly user: string;
  readonly pass: string;
  readonly authToken: string;
}

export interface AuthenticationOptions {
  readonly token?: string | undefined;
  readonly users: readonly { readonly user: string; readonly password: string }[];
  /** Whom a client without credentials is taken for; null: nobody. */
  readonly noAuthUser: string | null;
}

/** `user` is how logs name the connection; "" where there are no users. */
export type Verdict = { readonly kind: "admitted"; readonly user: string } | { readonly kind: "refused" };

export class Authenticator {
  private readonly options: AuthenticationOptions;

  constructor(options: AuthenticationOptions) {
    this.options = options;
  }

  /** Clients have to present something. */
  get isRequired(): boolean {
    return this.options.noAuthUser === null && this.hasSecrets;
  }

  private get hasSecrets(): boolean {
    return this.options.token !== undefined || this.options.users.length > 0;
  }

  check(credentials: Credentials): Verdict {
    if (!this.hasSecrets) return { kind: "admitted", user: "" };
    const { token, users, noAuthUser } = this.options;
    if (noAuthUser !== null && credentials.user === "" && credentials.authToken === "") {
      return { kind: "admitted", user: noAuthUser };
    }
    if (token !== undefined) {
      return equalSecrets(credentials.authToken, token)
        ? { kind: "admitted", user: "[REDACTED]" }
        : { kind: "refused" };
    }
    const known = users.find((candidate) => candidate.user === credentials.user);
    const isRight = equalSecrets(credentials.pass, known?.password ?? "");
    return known !== undefined && isRight ? { kind: "admitted", user: known.user } : { kind: "refused" };
  }
}

/** Through a digest, since lengths differ. */
export function equalSecrets(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(value: string): Buffer {
  return createHash("sha256").update(value).digest();
}
