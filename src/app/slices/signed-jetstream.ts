/** What an account that an operator has signed may take of JetStream. */
import { usesJetStream, type AccountClaims } from "../../auth/operator/account-claims.ts";
import type { AccountInForce } from "../../auth/operator/accounts.ts";
import { NO_LIMITS, type JetStreamLimits, type TierLimits } from "../../jetstream/limits.ts";

/** Streams of one server have one replica. */
const TIER = "R1";

/** null: none at all. */
export function signedJetStreamLimits(account: AccountInForce | null): JetStreamLimits | null {
  if (account === null || account.isOver || !usesJetStream(account.claims)) return null;
  const { tiers, jetStream } = account.claims.limits;
  if (tiers.size === 0) return { ...limitsOf(jetStream), tiers: null };
  const byName = new Map(Array.from(tiers, ([name, claims]) => [name, limitsOf(claims)]));
  return { ...(byName.get(TIER) ?? NO_LIMITS), tiers: byName };
}

function limitsOf(claims: AccountClaims["limits"]["jetStream"]): TierLimits {
  return {
    maxMemoryBytes: claims.memoryBytes,
    maxFileBytes: claims.fileBytes,
    maxStreams: orNone(claims.streams),
    maxConsumers: orNone(claims.consumers),
    maxAckPending: orNone(claims.maxAckPending),
    maxBytesRequired: claims.needsMaxBytes,
    maxMemoryStreamBytes: orNone(claims.memoryMaxStreamBytes),
    maxFileStreamBytes: orNone(claims.fileMaxStreamBytes),
  };
}

/** As nats-server reads claims, 0 is no limit. */
function orNone(limit: number): number {
  return limit > 0 ? limit : -1;
}
