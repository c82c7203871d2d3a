/** `$SYS.REQ.USER.INFO`: the user, account and permissions of a client. */
import type { UserPermissions } from "../core/permissions.ts";
import type { Client } from "../links/client/client.ts";
import { nanoseconds, orOmit, shownText } from "../monitor/go-format.ts";

/** The client that asks, as far as it is read. */
export type UserOf = Pick<Client, "user" | "account" | "rights" | "grant">;

export function userInfo({ user, account, rights, grant }: UserOf, nowMs: number): object {
  const token = grant?.origin.kind === "jwt" ? grant.origin.user.token : null;
  return {
    user,
    account: account.name,
    account_name: account.nameTag || account.name,
    user_name: orOmit(token?.name ?? ""),
    permissions: rights === null ? undefined : permissionFields(rights.permissions.rules),
    expires: orOmit(token === null ? 0 : secondsLeft(token.expires, nowMs)),
  };
}

/** In nanoseconds, without parts of a second. `expires`: seconds since the epoch; 0: never. */
function secondsLeft(expires: number, nowMs: number): number {
  return expires === 0 ? 0 : nanoseconds(Math.trunc(expires - nowMs / 1000) * 1000);
}

function permissionFields({ publish, subscribe, responses }: UserPermissions): object {
  return {
    publish: rules(publish),
    subscribe: rules(subscribe),
    responses:
      responses === null ? undefined : { max: responses.max, ttl: orOmit(nanoseconds(responses.expiresMs)) },
  };
}

function rules(told: UserPermissions["publish"]): object | undefined {
  if (told === null) return undefined;
  return {
    allow: told.allow?.map(shownText),
    deny: told.deny.length === 0 ? undefined : told.deny.map(shownText),
  };
}
