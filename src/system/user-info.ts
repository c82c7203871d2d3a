/** `$SYS.REQ.USER.INFO`: the user, account and permissions of a client. */
import type { UserPermissions } from "../core/permissions.ts";
import type { ClientSession } from "../links/client/session.ts";
import { nanoseconds, orOmit, shownText } from "../monitor/go-format.ts";

export function userInfo({ user, account, rights }: ClientSession): object {
  return {
    user,
    account: account.name,
    account_name: account.name,
    permissions: rights === null ? undefined : permissionFields(rights.permissions.rules),
  };
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
