/** Admits everybody while nothing is configured that clients could present. */
import { GLOBAL_ACCOUNT } from "../../subject/account-names.ts";
import { admitted, type Grant } from "../grant.ts";
import type { Method } from "./method.ts";

export const EVERYBODY: Grant = {
  origin: { kind: "open" },
  user: "",
  account: GLOBAL_ACCOUNT,
  permissions: null,
  expiresInMs: null,
};

/** `hasSecrets`: clients have to present something. */
export function openMethod(hasSecrets: () => boolean): Method {
  return {
    decide: () => (hasSecrets() ? null : admitted(EVERYBODY)),
    // The authenticator keeps EVERYBODY while there are no secrets.
    current: () => null,
    needsProxy: () => false,
  };
}
