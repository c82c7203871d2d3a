/** What a client may do: the narrower of what the server and what its account allow. */
import type { Account } from "../../core/account.ts";
import type { ClientLimits } from "./host.ts";

export function limitsIn({ limits }: Account, server: ClientLimits): ClientLimits {
  const { maxSubscriptions, maxPayloadBytes } = limits;
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
