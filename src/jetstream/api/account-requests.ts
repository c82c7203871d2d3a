/** What an account may ask about itself. */
import type { Assets } from "../assets.ts";
import { NO_LIMITS, tierOf, type TierLimits } from "../limits.ts";
import type { ApiRequest, Fields } from "./request.ts";

export const accountInfo = ({ assets, facts }: Pick<ApiRequest, "assets" | "facts">): Fields => {
  const { tiers } = assets.limits;
  return {
    ...usageFields(assets),
    limits: limitFields(tiers === null ? assets.limits : NOTHING),
    ...(facts.domain === "" ? {} : { domain: facts.domain }),
    api: { level: facts.level, total: assets.counters.total, errors: assets.counters.errors },
    ...(tiers === null ? {} : { tiers: tierFields(assets, tiers) }),
  };
};

/** What nats-server shows as limits of an account that has tiers. */
const NOTHING: TierLimits = {
  ...NO_LIMITS,
  maxMemoryBytes: 0,
  maxFileBytes: 0,
  maxStreams: 0,
  maxConsumers: 0,
  maxAckPending: 0,
  maxMemoryStreamBytes: 0,
  maxFileStreamBytes: 0,
};

function usageFields({ usage, streams, consumerCount }: Assets): Fields {
  return {
    memory: usage.bytesOf("memory"),
    storage: usage.bytesOf("file"),
    reserved_memory: usage.reservedBytes("memory"),
    reserved_storage: usage.reservedBytes("file"),
    streams: streams.size,
    consumers: consumerCount,
  };
}

function limitFields(limits: TierLimits): Fields {
  return {
    max_memory: limits.maxMemoryBytes,
    max_storage: limits.maxFileBytes,
    max_streams: limits.maxStreams,
    max_consumers: limits.maxConsumers,
    max_ack_pending: limits.maxAckPending,
    memory_max_stream_bytes: limits.maxMemoryStreamBytes,
    storage_max_stream_bytes: limits.maxFileStreamBytes,
    max_bytes_required: limits.maxBytesRequired,
  };
}

/** On one server all streams have one replica. */
function tierFields(assets: Assets, tiers: ReadonlyMap<string, TierLimits>): Fields {
  const used = usageFields(assets);
  const none = Object.fromEntries(Object.keys(used).map((name) => [name, 0]));
  const own = tierOf({ replicas: 1 });
  return fieldsOfTiers(tiers, (name) => (name === own ? used : none));
}

/** `used`: what a tier uses, in nats-server's words. */
export function fieldsOfTiers(
  tiers: ReadonlyMap<string, TierLimits>,
  used: (tier: string) => Fields,
): Fields {
  return Object.fromEntries(
    Array.from(tiers, ([name, limits]) => [name, { ...used(name), limits: limitFields(limits) }]),
  );
}
