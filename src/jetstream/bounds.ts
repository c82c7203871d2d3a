/** Limits of the server and of an account, as they bound configurations of streams and consumers. */
import { apiErrors } from "./api-error.ts";
import type { ConsumerBounds } from "./consumer/complete.ts";
import type { ConsumerConfig } from "./consumer/config.ts";
import type { JetStreamLimits } from "./limits.ts";
import type { ServerLimits } from "./server-limits.ts";
import type { StreamSurroundings } from "./stream/complete.ts";
import type { StreamConfig } from "./stream/config.ts";

interface Limits {
  /** Copies of a stream or a consumer. */
  readonly replicasMax: number;
  readonly limits: JetStreamLimits;
  readonly serverLimits: ServerLimits;
}

interface BoundStream {
  readonly stream: { readonly config: StreamConfig };
  readonly consumers: ReadonlyMap<string, { readonly config: ConsumerConfig }>;
}

type CountLimits = Omit<Limits, "replicasMax">;

/** Whether a stream may have one more consumer. Those for mirrors and sources do not count. Throws `ApiError`. */
export function checkConsumerCount(
  { stream, consumers }: BoundStream,
  { direct, sourcing }: ConsumerConfig,
  options: CountLimits,
): void {
  if (direct || sourcing) return;
  let count = 0;
  for (const { config } of consumers.values()) if (!config.direct && !config.sourcing) count++;
  if (count >= mostConsumers(stream.config, options)) throw apiErrors.maximumConsumers();
}

/** The account's limit is one of each of its streams, as in nats-server. */
function mostConsumers({ maxConsumers: ofStream }: StreamConfig, options: CountLimits): number {
  const { limits, serverLimits } = options;
  const bounds = [ofStream, limits.maxConsumers].filter((most) => most > 0);
  if (bounds.length > 0) return Math.min(...bounds);
  return serverLimits.defaultMaxConsumers > 0 ? serverLimits.defaultMaxConsumers : Infinity;
}

export function consumerBounds({ limits, serverLimits, replicasMax }: Limits): ConsumerBounds {
  const { maxRequestBatch, maxAckPending } = serverLimits;
  return { maxRequestBatch, maxAckPendings: [maxAckPending, limits.maxAckPending], replicasMax };
}

export function streamSurroundings({
  options,
  streams,
}: {
  readonly options: Limits;
  readonly streams: ReadonlyMap<string, Pick<BoundStream, "stream">>;
}): StreamSurroundings {
  const { duplicateWindowNs } = options.serverLimits;
  const { replicasMax } = options;
  return { duplicateWindowNs, replicasMax, find: (other) => streams.get(other)?.stream.config ?? null };
}
