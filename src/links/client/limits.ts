/** What a client may do: the narrowest of what the server, its account and its user allow. */
import type { Grant } from "../../auth/grant.ts";
import { liveCell, type Live } from "../../base/live.ts";
import type { Account } from "../../core/account.ts";
import type { ClientLimits } from "./host.ts";

/** The server's own cell where nothing is narrower; otherwise a cell that is made again at each change. */
export function limitsIn(
  account: Account,
  grant: Grant | null,
  server: Live<ClientLimits>,
): Live<ClientLimits> {
  const { limits } = account;
  const maxSubscriptions = lower(limits.maxSubscriptions, grant?.maxSubscriptions ?? null);
  const maxPayloadBytes = lower(limits.maxPayloadBytes, grant?.maxPayloadBytes ?? null);
  if (maxSubscriptions === null && maxPayloadBytes === null) return server;
  const { current } = server;
  return liveCell({
    ...current,
    maxSubscriptions: lower(maxSubscriptions, current.maxSubscriptions),
    maxPayloadBytes: Math.min(maxPayloadBytes ?? Infinity, current.maxPayloadBytes),
  });
}

/** null: no limit. */
function lower(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}
