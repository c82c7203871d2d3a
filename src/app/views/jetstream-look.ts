/** What metrics show of JetStream, in one pass over streams and consumers. */
import type { ConsumerReport, StreamReport } from "../../jetstream/report.ts";
import type { ConsumerLook, JetStreamLook, StreamLook } from "../../metrics/metrics.ts";
import type { JetStreamSource } from "../../monitor/source.ts";

/** Streams and consumers with series of their own. */
const STREAMS_MAX = 500;
const CONSUMERS_MAX = 1000;

export function jetStreamLook({
  report,
  settings,
  storageLeft,
  syncs,
  scrub,
}: JetStreamSource): JetStreamLook {
  const { totals, stats } = report;
  const streams: StreamLook[] = [];
  const consumers: ConsumerLook[] = [];
  const damaged: { account: string; name: string; lost: number }[] = [];
  const refusing: { account: string; name: string }[] = [];
  const idle = new Map<string, number>();
  const accounts = report.accountNames.map((name) => {
    const account = report.account(name)!;
    for (const stream of account.streams) {
      if (streams.length < STREAMS_MAX) streams.push(streamLook(name, stream));
      if (stream.lost > 0 && damaged.length < STREAMS_MAX)
        damaged.push({ account: name, name: stream.name, lost: stream.lost });
      if (stream.problem !== "" && refusing.length < STREAMS_MAX)
        refusing.push({ account: name, name: stream.name });
      for (const consumer of stream.consumers) {
        if (consumers.length < CONSUMERS_MAX) consumers.push(consumerLook(name, stream.name, consumer));
        const { standstill } = consumer;
        if (standstill !== null) idle.set(standstill, (idle.get(standstill) ?? 0) + 1);
      }
    }
    return {
      name,
      maxMemoryBytes: account.limits.maxMemoryBytes,
      maxStorageBytes: account.limits.maxFileBytes,
      storageBytes: account.stats.storageBytes,
      memoryBytes: account.stats.memoryBytes,
      putAside: account.putAside.length,
    };
  });
  return {
    domain: settings.domain,
    maxMemoryBytes: settings.maxMemoryBytes,
    maxStorageBytes: settings.maxStorageBytes(stats.storageBytes),
    storageLeft: storageLeft(),
    totals,
    requests: stats.requests,
    errors: stats.errors,
    syncs,
    scrub: scrub(),
    accounts,
    streams,
    consumers,
    damaged,
    refusing,
    idle,
    leftOut: {
      streams: totals.streams - streams.length,
      consumers: totals.consumers - consumers.length,
    },
  };
}

function streamLook(account: string, { name, figures }: StreamReport): StreamLook {
  return { account, name, ...figures };
}

function consumerLook(account: string, stream: string, { name, figures }: ConsumerReport): ConsumerLook {
  return { account, stream, name, ...figures };
}
