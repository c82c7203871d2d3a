/** What a client may do: the narrowest of what the server, its account and its user allow. */
import type { Grant } from "../../auth/grant.ts";
import type { Account } from "../../core/account.ts";
import type { ClientLimits } from "./host.ts";

export function limitsIn(account: Account, grant: Grant | null, server: ClientLimits): ClientLimits {
  const { limits } = account;
  const maxSubscriptions = lower(limits.maxSubscriptions, grant?.maxSubscriptions ?? null);
  const maxPayloadBytes = lower(limits.maxPayloadBytes, grant?.maxPayloadBytes ?? null);
  if (maxSubscriptions === null && maxPayloadBytes === null) return server;
  return {
    ...server,
    maxSubscriptions: lower(maxSubscriptions, server.maxSubscriptions),
    maxPayloadBytes: Math.min(maxPayloadBytes ?? Infinity, server.maxPayloadBytes),
  };
}

/** null: no limit. */
function lower(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}
