/** What an admitted client may do, and which method admitted it. After a reload, that method decides what remains of the grant. */
import type { Permissions } from "../core/permissions.ts";
import type { CalloutRules } from "./callout/rules.ts";
import type { KnownUser } from "./known-user.ts";
import type { SignedUser } from "./operator/user-jwt.ts";

type GrantOrigin =
  /** No credentials are needed. */
  | { readonly kind: "open" }
  /** A configured token; `issue` is another object for each token that has been configured. */
  | { readonly kind: "token"; readonly issue: object }
  /** A configured user, as it was configured then; it has presented its credentials or was taken for the no_auth_user. */
  | { readonly kind: "user"; readonly user: KnownUser; readonly how: "asked" | "no_auth_user" }
  /** A service that was asked by these rules. */
  | { readonly kind: "callout"; readonly rules: CalloutRules }
  /** A token that an account has signed; the client has presented it, or a service whom its account asks has answered with it. */
  | { readonly kind: "jwt"; readonly user: SignedUser; readonly how: "presented" | "callout" };

export interface Grant {
  readonly origin: GrantOrigin;
  /** The client's name in logs and monitoring; "" where there are no users. */
  readonly user: string;
  readonly account: string;
  /** Shared by all connections of the user; null: everything. */
  readonly permissions: Permissions | null;
  /** The connection ends after this time; null: it does not. */
  readonly expiresInMs: number | null;
  /** Limits of this connection, besides those of the server and the account; null or absent: none. */
  readonly maxSubscriptions?: number | null;
  readonly maxPayloadBytes?: number | null;
}

export type Verdict =
  | { readonly kind: "admitted"; readonly grant: Grant }
  /** `reason` is for the log. `lacksProxy`: nothing else was examined. */
  | { readonly kind: "refused"; readonly reason: string; readonly lacksProxy?: boolean };

export function admitted(grant: Grant): Verdict {
  return { kind: "admitted", grant };
}

export function refused(reason: string): Verdict & { kind: "refused" } {
  return { kind: "refused", reason };
}

/** The client must come through a trusted proxy. */
export const LACKS_PROXY: Verdict = {
  kind: "refused",
  reason: "proxy connection required",
  lacksProxy: true,
};
