/** Activation tokens: an account permits another one to import what it exports. */
import { text } from "../../keys/claim-fields.ts";
import { decodeToken, type Token } from "../../keys/token.ts";
import { kindOf, type CrossingKind } from "./account-claims.ts";

export interface Activation {
  readonly token: Token;
  readonly kind: CrossingKind;
  readonly subject: string;
}

/** Throws BadJwt. */
export function readActivation(jwt: string): Activation {
  const token = decodeToken(jwt, "activation");
  return {
    token,
    kind: kindOf(token.nats, token.version === 1 ? "type" : "kind"),
    subject: text(token.nats, "subject"),
  };
}
