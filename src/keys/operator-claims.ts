/** The claims of an operator: whose keys sign accounts. Reading throws BadJwt. */
import { flag, text, texts } from "./claim-fields.ts";
import { decodeToken } from "./token.ts";

export interface OperatorClaims {
  /** The token itself, which is no secret. */
  readonly jwt: string;
  /** Public nkey. */
  readonly subject: string;
  readonly name: string;
  readonly signingKeys: readonly string[];
  /** "": none. */
  readonly accountServerUrl: string;
  /** Public nkey of an account; "": not said. */
  readonly systemAccount: string;
  /** Least version of a server; "": any. */
  readonly assertServerVersion: string;
  /** Accounts must be signed by a signing key, and not by the operator itself. */
  readonly isStrict: boolean;
}

export function readOperatorClaims(jwt: string): OperatorClaims {
  const { subject, name, nats, version } = decodeToken(jwt, "operator");
  texts(nats, "operator_service_urls");
  return {
    jwt,
    subject,
    name,
    signingKeys: texts(nats, "signing_keys"),
    accountServerUrl: text(nats, "account_server_url"),
    systemAccount: text(nats, "system_account"),
    assertServerVersion: version === 1 ? "" : text(nats, "assert_server_version"),
    isStrict: version === 2 && flag(nats, "strict_signing_key_usage"),
  };
}

/** The keys that may sign accounts. */
export function trustedKeysOf({ subject, signingKeys, isStrict }: OperatorClaims): readonly string[] {
  return isStrict ? signingKeys : [subject, ...signingKeys];
}
