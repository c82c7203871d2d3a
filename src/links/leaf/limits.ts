/** The limits of leaf connections as a reload may change them: sessions keep the object, and read through it what is in force. */
import type { LeafLimits } from "./host.ts";

export function leafLimitsInForce(limits: () => LeafLimits): LeafLimits {
  return {
    get maxControlLineBytes() {
      return limits().maxControlLineBytes;
    },
    get maxPayloadBytes() {
      return limits().maxPayloadBytes;
    },
    get maxPendingBytes() {
      return limits().maxPendingBytes;
    },
    get writeDeadlineMs() {
      return limits().writeDeadlineMs;
    },
    get pingIntervalMs() {
      return limits().pingIntervalMs;
    },
    get pingMax() {
      return limits().pingMax;
    },
    get authTimeoutMs() {
      return limits().authTimeoutMs;
    },
    get maxSubscriptions() {
      return limits().maxSubscriptions;
    },
  };
}
