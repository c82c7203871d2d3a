/** What an account may ask about itself. */
import type { Handler } from "./request.ts";

export const accountInfo: Handler = ({ assets, facts }) => {
  const { limits } = assets;
  return {
    memory: assets.usage.bytesOf("memory"),
    storage: assets.usage.bytesOf("file"),
    reserved_memory: assets.usage.reservedBytes("memory"),
    reserved_storage: assets.usage.reservedBytes("file"),
    streams: assets.streams.size,
    consumers: assets.consumerCount,
    limits: {
      max_memory: limits.maxMemoryBytes,
      max_storage: limits.maxFileBytes,
      max_streams: limits.maxStreams,
      max_consumers: limits.maxConsumers,
      max_ack_pending: limits.maxAckPending,
      memory_max_stream_bytes: limits.maxMemoryStreamBytes,
      storage_max_stream_bytes: limits.maxFileStreamBytes,
      max_bytes_required: limits.maxBytesRequired,
    },
    ...(facts.domain === "" ? {} : { domain: facts.domain }),
    api: { level: facts.level, total: assets.counters.total, errors: assets.counters.errors },
  };
};
