/** What metrics show of JetStream, in one pass over streams and consumers. */
import type { JetStreamAccountReport, StreamReport } from "../../jetstream/report.ts";
import type { ConsumerReport } from "../../jetstream/report-consumers.ts";
import type {
  ConsumerLook,
  JetStreamAccountLook,
  JetStreamLook,
  OriginLook,
  StreamLook,
} from "../../metrics/metrics.ts";
import type { JetStreamSource } from "../../monitor/source.ts";

/** Streams and consumers with series of their own. */
const STREAMS_MAX = 500;
const CONSUMERS_MAX = 1000;
/** The same of sources and mirrors. */
const ORIGINS_MAX = 1000;

export function jetStreamLook(source: JetStreamSource): JetStreamLook {
  const { report, settings, storageLeft, syncs, scrub } = source;
  const { totals, stats } = report;
  const { streams, consumers, ...others } = streamsOf(report);
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
    accounts: report.accountNames.map((name) => accountLook(report.account(name)!)),
    streams,
    consumers,
    ...others,
    ...clusterLook(report),
    leftOut: {
      streams: totals.streams - streams.length,
      consumers: totals.consumers - consumers.length,
    },
  };
}

type StreamLooks = Pick<JetStreamLook, "streams" | "consumers" | "origins" | "damaged" | "refusing" | "idle">;

function streamsOf(report: JetStreamSource["report"]): StreamLooks {
  const streams: StreamLook[] = [];
  const consumers: ConsumerLook[] = [];
  const origins: OriginLook[] = [];
  const damaged: JetStreamLook["damaged"][number][] = [];
  const refusing: JetStreamLook["refusing"][number][] = [];
  const idle = new Map<string, number>();
  for (const name of report.accountNames) {
    for (const stream of report.account(name)!.streams) {
      if (streams.length < STREAMS_MAX) {
        streams.push(streamLook(name, stream));
        origins.push(...originLooks(name, stream).slice(0, ORIGINS_MAX - origins.length));
      }
      const { lost, lostBytes } = stream;
      if (lost > 0 && damaged.length < STREAMS_MAX)
        damaged.push({ account: name, name: stream.name, lost, lostBytes });
      if (stream.problem !== "" && refusing.length < STREAMS_MAX)
        refusing.push({ account: name, name: stream.name });
      for (const consumer of stream.consumers) {
        if (consumers.length < CONSUMERS_MAX) consumers.push(consumerLook(name, stream, consumer));
        const { standstill } = consumer;
        if (standstill !== null) idle.set(standstill, (idle.get(standstill) ?? 0) + 1);
      }
    }
  }
  return { streams, consumers, origins, damaged, refusing, idle };
}

function accountLook({
  name,
  limits,
  stats,
  putAside,
  deadLetters,
  stuckConsumers,
}: JetStreamAccountReport): JetStreamAccountLook {
  return {
    name,
    maxMemoryBytes: limits.maxMemoryBytes,
    maxStorageBytes: limits.maxFileBytes,
    storageBytes: stats.storageBytes,
    memoryBytes: stats.memoryBytes,
    putAside: putAside.length,
    deadLetters,
    stuckConsumers,
  };
}

function clusterLook({
  cluster,
}: JetStreamSource["report"]): Pick<JetStreamLook, "meta" | "groups" | "notCurrent"> {
  if (cluster === null) return { meta: null, groups: 0, notCurrent: null };
  const { meta } = cluster;
  let count = 0;
  let behind = 0;
  for (const trouble of cluster.troubles()) {
    count++;
    behind += trouble.behind;
  }
  return {
    meta: meta === null ? null : { ...meta, pending: meta.pendingRequests },
    groups: cluster.groupCount,
    notCurrent: { count, behind },
  };
}

function streamLook(account: string, { name, leader, group, figures }: StreamReport): StreamLook {
  return { account, name, leader, group, ...figures };
}

function consumerLook(account: string, of: StreamReport, consumer: ConsumerReport): ConsumerLook {
  const { name, leader, figures } = consumer;
  const { leader: streamLeader, group: streamGroup } = of;
  return { account, stream: of.name, streamLeader, streamGroup, name, leader, ...figures };
}

interface ToldOrigin {
  readonly name: string;
  readonly external?: { readonly api: string; readonly deliver?: string };
  readonly lag: number;
  readonly active: number;
}

/** As stream info tells them. */
function originLooks(account: string, of: StreamReport): OriginLook[] {
  const { name: stream, origins, leader: streamLeader, group: streamGroup } = of;
  const { mirror, sources = [] } = origins as { mirror?: ToldOrigin; sources?: readonly ToldOrigin[] };
  const look = (
    kind: OriginLook["kind"],
    { name, external, lag, active: activeNs }: ToldOrigin,
  ): OriginLook => {
    const [apiPrefix, deliverPrefix] = [external?.api ?? "", external?.deliver ?? ""];
    return {
      kind,
      account,
      stream,
      streamLeader,
      streamGroup,
      name,
      apiPrefix,
      deliverPrefix,
      lag,
      activeNs,
    };
  };
  return [
    ...(mirror === undefined ? [] : [look("mirror", mirror)]),
    ...sources.map((source) => look("source", source)),
  ];
}
