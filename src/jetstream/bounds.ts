/** Limits of the server and of an account, as they bound configurations of streams and consumers. */
import { apiErrors } from "./api-error.ts";
import type { ConsumerBounds } from "./consumer/complete.ts";
import type { ConsumerConfig } from "./consumer/config.ts";
import { limitsFor, shareLimits, type JetStreamLimits } from "./limits.ts";
import type { ServerLimits } from "./server-limits.ts";
import type { StreamSurroundings } from "./stream/complete.ts";
import type { StreamConfig } from "./stream/config.ts";

/** An account, as its limits and those of the server bound it. */
interface BoundAccount {
  readonly limits: JetStreamLimits;
  readonly options: {
    /** Copies of a stream or a consumer. */
    readonly replicasMax: number;
    readonly serverLimits: ServerLimits;
  };
}

interface BoundStream {
  readonly stream: { readonly config: StreamConfig };
  readonly consumers: ReadonlyMap<string, { readonly config: ConsumerConfig }>;
}

/**
 * Whether a stream may have one more consumer. Those for mirrors and sources do not count. The limit of the account is one of each of its
 * streams, as in nats-server, and with tiers of consumers with as many replicas. Throws `ApiError`, also where tiers have no such.
 */
export function checkConsumerCount(
  { stream: { config: stream }, consumers }: BoundStream,
  config: ConsumerConfig,
  { limits, options: { serverLimits } }: BoundAccount,
): void {
  if (config.direct || config.sourcing) return;
  const asked = { replicas: copiesOf(config, stream) };
  const { maxConsumers: ofAccount } = limitsFor(limits, asked);
  let [all, alike] = [0, 0];
  for (const { config: other } of consumers.values()) {
    if (other.direct || other.sourcing) continue;
    all++;
    if (shareLimits(limits, asked, { replicas: copiesOf(other, stream) })) alike++;
  }
  const isUnlimited = stream.maxConsumers <= 0 && ofAccount <= 0;
  const ofStream = isUnlimited ? serverLimits.defaultMaxConsumers : stream.maxConsumers;
  if ((ofStream > 0 && all >= ofStream) || (ofAccount > 0 && alike >= ofAccount))
    throw apiErrors.maximumConsumers();
}

/** Replicas of a consumer: those that it asks for, or those that nats-server gives it. */
export function copiesOf({ replicas, durable }: ConsumerConfig, stream: StreamConfig): number {
  if (replicas > 0 && replicas <= stream.replicas) return replicas;
  return replicas === 0 && durable === "" && stream.retention === "limits" ? 1 : stream.replicas;
}

/** Throws `ApiError` where tiers have no limits for such a consumer. */
export function consumerBounds(
  { limits, options }: BoundAccount,
  consumer: ConsumerConfig,
  stream: StreamConfig,
): ConsumerBounds {
  const { replicasMax, serverLimits } = options;
  const { maxRequestBatch, maxAckPending } = serverLimits;
  const { maxAckPending: ofAccount } = limitsFor(limits, { replicas: copiesOf(consumer, stream) });
  return { maxRequestBatch, maxAckPendings: [maxAckPending, ofAccount], replicasMax };
}

export function streamSurroundings({
  options,
  streams,
}: {
  readonly options: BoundAccount["options"];
  readonly streams: ReadonlyMap<string, Pick<BoundStream, "stream">>;
}): StreamSurroundings {
  const { duplicateWindowNs } = options.serverLimits;
  const { replicasMax } = options;
  return { duplicateWindowNs, replicasMax, find: (other) => streams.get(other)?.stream.config ?? null };
}
