/** `/jsz`: the state of JetStream on this server, by account, stream and consumer. */
import type { JetStreamAccountReport, JetStreamStats, StreamReport } from "../jetstream/report.ts";
import { json, text, type Answer } from "./answer.ts";
import { goTime } from "./go-format.ts";
import { List } from "./json.ts";
import { pageOf, type Query } from "./query.ts";
import type { JetStreamSource, MonitorSource } from "./source.ts";

/** When no snapshot was taken. */
const NO_TIME = "0001-01-01T00:00:00Z";

interface Details {
  /** Names of groups. */
  readonly groups?: boolean;
  /** Streams that this server leads, no others. */
  readonly ledOnly?: boolean;
  readonly streams: boolean;
  readonly consumers: boolean;
  readonly config: boolean;
  /** Consumers of mirrors and sources, too. */
  readonly origins?: boolean;
}

export function jsz(source: MonitorSource, query: Query): Answer {
  const flag = (name: string): boolean => query.flag(name);
  const [accounts, streams, consumers] = [flag("accounts"), flag("streams"), flag("consumers")];
  const origins = flag("direct-consumers");
  const page = pageOf(query);
  const isLeaderAsked = flag("leader-only");
  const groups = flag("raft");
  const ledOnly = flag("stream-leader-only");
  const details = {
    streams: streams || consumers,
    consumers,
    origins,
    config: flag("config"),
    groups,
    ledOnly,
  };
  const head = { server_id: source.facts().id, now: goTime(source.nowMs()) };
  const jetStream = source.jetStream();
  if (jetStream === null) return isLeaderAsked ? notLeader() : json(disabled(head));
  const { report } = jetStream;
  if (isLeaderAsked && report.cluster !== null && report.cluster.meta?.leads !== true) return notLeader();
  const name = query.text("acc");
  const one = report.account(name);
  const listed =
    accounts || (details.streams && name === "")
      ? report.accountNames.slice(page.offset, page.offset + page.limit)
      : [];
  const shown =
    one === null ? listed.map((each) => report.account(each)).filter((each) => each !== null) : [one];
  const { totals, stats } = report;
  return json({
    ...statsFields(stats, report.accountCount, report.level, groupsOf(report)),
    ...head,
    config: jetStreamConfig(jetStream, stats),
    limits: limitsFields(jetStream),
    streams: totals.streams,
    streams_leader: groups && totals.streamsLed > 0 ? totals.streamsLed : undefined,
    consumers: totals.consumers,
    consumers_leader: groups && totals.consumersLed > 0 ? totals.consumersLed : undefined,
    messages: totals.messages,
    bytes: totals.bytes,
    meta_cluster: metaFields(report),
    account_details:
      shown.length === 0 ? undefined : new List(shown.map((each) => accountFields(source, each, details))),
    total: report.accountCount,
    scrub: scrubFields(jetStream),
  });
}

/** Not in nats-server; undefined: the scrub is off. */
function scrubFields({ scrub }: JetStreamSource): object | undefined {
  const now = scrub();
  if (now === null) return undefined;
  return {
    progress: Math.round(now.progress * 1000) / 1000,
    passes: now.passes,
    finished: now.finishedMs === 0 ? undefined : goTime(now.finishedMs),
    bytes: now.bytes,
    damaged_files: now.damaged,
    mended_files: now.mended,
  };
}

/** One account, for the system account. null: the account does not use JetStream. */
export function accountJsz(source: MonitorSource, account: string, details: Details): object | null {
  const found = source.jetStream()?.report.account(account) ?? null;
  return found === null ? null : accountFields(source, found, details);
}

/** The JetStream fields that servers exchange and `/varz` shows. */
export function jetStreamFields(jetStream: JetStreamSource, shows: "folder" | "no folder"): object {
  const { report } = jetStream;
  const { stats } = report;
  const config = jetStreamConfig(jetStream, stats);
  return {
    config: shows === "folder" ? config : { ...config, store_dir: undefined },
    stats: statsFields(stats, report.accountCount, report.level, groupsOf(report)),
    meta: metaFields(report),
    limits: limitsFields(jetStream),
  };
}

/** The group of all servers with JetStream; undefined: there is none. */
function metaFields({ cluster }: JetStreamSource["report"]): object | undefined {
  const meta = cluster?.meta ?? null;
  if (meta === null) return undefined;
  const { name, leader, peer, replicas, size, quorum, pendingRequests, entries, bytes } = meta;
  return {
    name,
    leader: leader || undefined,
    peer: peer || undefined,
    replicas: replicas.length === 0 ? undefined : replicas,
    cluster_size: size,
    quorum_needed: quorum,
    pending: pendingRequests,
    pending_requests: pendingRequests,
    pending_infos: 0,
    snapshot: { pending_entries: entries, pending_size: bytes, last_time: NO_TIME },
  };
}

function groupsOf({ cluster }: JetStreamSource["report"]): number {
  return cluster?.groupCount ?? 0;
}

function notLeader(): Answer {
  return text(400, "filtered response: not leader");
}

function jetStreamConfig({ settings }: JetStreamSource, stats: JetStreamStats): Record<string, unknown> {
  const { syncIntervalMs } = settings;
  return {
    max_memory: settings.maxMemoryBytes,
    max_storage: settings.maxStorageBytes(stats.storageBytes),
    store_dir: settings.storeFolder,
    sync_interval: syncIntervalMs === null ? undefined : syncIntervalMs * 1e6,
    sync_always: syncIntervalMs === null ? true : undefined,
    domain: settings.domain === "" ? undefined : settings.domain,
    compress_ok: true,
    unique_tag: settings.uniqueTag === "" ? undefined : settings.uniqueTag,
    strict: settings.isStrict ? true : undefined,
  };
}

function statsFields(stats: JetStreamStats, accounts: number, level: number, groups: number): object {
  return {
    memory: stats.memoryBytes,
    storage: stats.storageBytes,
    reserved_memory: unsigned(stats.reservedMemoryBytes),
    reserved_storage: unsigned(stats.reservedStorageBytes),
    accounts,
    ha_assets: groups,
    api: { level, total: stats.requests, errors: stats.errors },
  };
}

function limitsFields({ shownLimits: limits }: JetStreamSource): object {
  const nanoseconds = (ms: number | null): number | undefined => (ms === null ? undefined : ms * 1e6);
  return {
    max_request_batch: limits.maxRequestBatch ?? undefined,
    max_ack_pending: limits.maxAckPending ?? undefined,
    max_ha_assets: limits.maxHaAssets ?? undefined,
    max_duplicate_window: nanoseconds(limits.duplicateWindowMs),
    max_batch_inflight_per_stream: limits.maxBatchInflightPerStream ?? undefined,
    max_batch_inflight_total: limits.maxBatchInflightTotal ?? undefined,
    max_batch_size: limits.maxBatchMessages ?? undefined,
    max_batch_timeout: nanoseconds(limits.maxBatchTimeoutMs),
    default_max_consumers: limits.defaultMaxConsumers === 0 ? -1 : limits.defaultMaxConsumers,
  };
}

/** As nats-server shows these: -1, which is no limit, as the largest number of 64 bits. */
function unsigned(limit: number): unknown {
  return limit < 0 ? raw(String(2n ** 64n + BigInt(limit))) : limit;
}

/** A number that is larger than JavaScript's. TypeScript does not know of this function yet. */
const raw = (JSON as unknown as { rawJSON(this: void, text: string): unknown }).rawJSON;

function accountFields(
  { accounts }: Pick<MonitorSource, "accounts">,
  account: JetStreamAccountReport,
  details: Details,
): object {
  const { name, stats, streams } = account;
  return {
    name: accounts.get(name)?.nameTag || name,
    id: name,
    ...statsFields(stats, 0, 0, 0),
    stream_detail: details.streams
      ? orOmitted(details.ledOnly === true ? ledOf(streams) : streams, (stream) =>
          streamFields(stream, details),
        )
      : undefined,
  };
}

function ledOf(streams: Iterable<StreamReport>): Iterable<StreamReport> {
  return {
    *[Symbol.iterator]() {
      for (const stream of streams) if (stream.isLed) yield stream;
    },
  };
}

function streamFields(stream: StreamReport, { consumers, config, origins, groups }: Details): object {
  const shown = (all: StreamReport["consumers"]): List | undefined =>
    orOmitted(all, ({ info }) => (config ? info : { ...info, config: undefined }));
  return {
    name: stream.name,
    created: stream.created,
    cluster: stream.cluster,
    config: config ? stream.config : undefined,
    state: stream.state,
    consumer_detail: consumers ? shown(stream.consumers) : undefined,
    direct_consumer_detail: consumers && origins === true ? shown(stream.originConsumers) : undefined,
    ...stream.origins,
    ...(groups === true ? groupFields(stream, consumers) : {}),
  };
}

function groupFields({ group, consumers }: StreamReport, areConsumersAsked: boolean): object {
  if (group === "") return {};
  const groups = areConsumersAsked
    ? [...consumers].flatMap((one) => (one.group === "" ? [] : [{ name: one.name, raft_group: one.group }]))
    : [];
  return {
    stream_raft_group: group,
    consumer_raft_groups: groups.length === 0 ? undefined : groups,
  };
}

/** undefined where the list is empty, as nats-server leaves it out. */
function orOmitted<T>(items: Iterable<T>, fields: (item: T) => object): List | undefined {
  for (const _ of items) {
    return new List({
      *[Symbol.iterator]() {
        for (const item of items) yield fields(item);
      },
    });
  }
  return undefined;
}

function disabled(head: object): object {
  return {
    memory: 0,
    storage: 0,
    reserved_memory: 0,
    reserved_storage: 0,
    accounts: 0,
    ha_assets: 0,
    api: { level: 0, total: 0, errors: 0 },
    ...head,
    disabled: true,
    config: { max_memory: 0, max_storage: 0 },
    streams: 0,
    consumers: 0,
    messages: 0,
    bytes: 0,
    total: 0,
  };
}
