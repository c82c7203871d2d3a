/** What a client may do: the narrowest of what the server, its account and its user allow. */
import type { Grant } from "../../auth/grant.ts";
import type { Live } from "../../base/live.ts";
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

/** Sessions keep the object, and read through it what is in force. */
export function limitsInForce(live: Live<ClientLimits>): ClientLimits {
  return {
    get maxPayloadBytes() {
      return live.current.maxPayloadBytes;
    },
    get maxControlLineBytes() {
      return live.current.maxControlLineBytes;
    },
    get maxPendingBytes() {
      return live.current.maxPendingBytes;
    },
    get writeDeadlineMs() {
      return live.current.writeDeadlineMs;
    },
    get maxSubscriptions() {
      return live.current.maxSubscriptions;
    },
    get maxSubscriptionTokens() {
      return live.current.maxSubscriptionTokens;
    },
    get pingIntervalMs() {
      return live.current.pingIntervalMs;
    },
    get pingMax() {
      return live.current.pingMax;
    },
    get authTimeoutMs() {
      return live.current.authTimeoutMs;
    },
    get noHeaders() {
      return live.current.noHeaders;
    },
    get dropsForSlow() {
      return live.current.dropsForSlow;
    },
  };
}
