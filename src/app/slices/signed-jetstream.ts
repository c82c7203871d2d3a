/** What an account that an operator has signed may take of JetStream. */
import { usesJetStream, type AccountClaims } from "../../auth/operator/account-claims.ts";
import type { AccountInForce } from "../../auth/operator/accounts.ts";
import type { JetStreamLimits } from "../../jetstream/limits.ts";

/** Streams of one server have one replica. */
const TIER = "R1";

/** null: none at all. With tiers the one for a single replica counts. */
export function signedJetStreamLimits(account: AccountInForce | null): JetStreamLimits | null {
  if (account === null || account.isOver || !usesJetStream(account.claims)) return null;
  const claims = tierOf(account.claims);
  if (claims === undefined) return null;
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

function tierOf({ limits }: AccountClaims): AccountClaims["limits"]["jetStream"] | undefined {
  return limits.tiers.size === 0 ? limits.jetStream : limits.tiers.get(TIER);
}

/** As nats-server reads claims, 0 is no limit. */
function orNone(limit: number): number {
  return limit > 0 ? limit : -1;
}
