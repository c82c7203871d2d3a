/** CONNECT of a client: is it well-formed, is the client admitted, is what it wants offered. Decides; the session acts. */
import type { Authenticator, Verdict } from "../../auth/authenticator.ts";
import { readHello, type ClientHello } from "../../protocol/connect.ts";
import * as errors from "../../protocol/errors.ts";
import type { PeerError } from "../../protocol/errors.ts";

export type Admission =
  | { readonly kind: "admitted"; readonly hello: ClientHello; readonly user: string }
  | { readonly kind: "refused"; readonly error: PeerError; readonly detail: string };

/** `admittedAs` is the user of an earlier CONNECT, which a later one without credentials keeps; null: this is the first. */
export function admit(
  authenticator: Authenticator,
  before: ClientHello,
  admittedAs: string | null,
  json: string,
): Admission {
  const hello = readHello(before, json);
  if (hello === null) return refused(errors.badArguments, "CONNECT is not the JSON it should be");
  // No accounts can be asked for until they can be configured.
  if (hello.account !== "" || hello.newAccount)
    return refused(errors.authorizationViolation, "account asked for");
  const keeps = admittedAs !== null && hello.user === "" && hello.authToken === "";
  const verdict: Verdict = keeps ? { kind: "admitted", user: admittedAs } : authenticator.check(hello);
  if (verdict.kind === "refused") return refused(errors.authorizationViolation, describe(hello));
  if (hello.protocol < 0 || hello.protocol > 1) {
    return refused(errors.invalidClientProtocol, `protocol ${hello.protocol}`);
  }
  if (hello.noResponders && !hello.headers) return refused(errors.noRespondersRequiresHeaders, "");
  return { kind: "admitted", hello: withoutSecrets(hello), user: verdict.user };
}

function refused(error: PeerError, detail: string): Admission {
  return { kind: "refused", error, detail };
}

function describe(hello: ClientHello): string {
  if (hello.user !== "") return `User ${JSON.stringify(hello.user)}`;
  return hello.authToken !== "" ? 'Token "[REDACTED]"' : "no credentials";
}

/** Credentials are not kept longer than they are needed. */
function withoutSecrets(hello: ClientHello): ClientHello {
  return { ...hello, user: "", pass: "", authToken: "" };
}
