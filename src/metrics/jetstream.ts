/**
 * JetStream: what prometheus-nats-exporter shows with `-jsz=all`, under the same names and with the same labels, and what it lacks:
 * damage, syncs, room on the volume, and why consumers deliver nothing. Families are there where JetStream is.
 */
import type { Family, Sample } from "./family.ts";
import type {
  ConsumerLook,
  JetStreamAccountLook,
  JetStreamLook,
  Look,
  OriginLook,
  ScrubLook,
  StreamLook,
} from "./look.ts";

const SERVER = ["server_id", "server_name", "cluster", "domain", "meta_leader", "is_meta_leader"] as const;
const ACCOUNT = [...SERVER, "account", "account_name", "account_id"] as const;
const STREAM = [...ACCOUNT, "stream_name", "stream_leader", "is_stream_leader", "stream_raft_group"] as const;
const CONSUMER = [
  ...STREAM,
  "consumer_name",
  "consumer_leader",
  "is_consumer_leader",
  "consumer_desc",
] as const;

export const jetStreamFamilies: readonly Family[] = [
  ofServer("jetstream_disabled", "0: JetStream is enabled.", () => 0),
  ofServer("total_streams", "Streams.", ({ totals }) => totals.streams),
  ofServer("total_consumers", "Consumers.", ({ totals }) => totals.consumers),
  ofServer("total_messages", "Messages that are stored.", ({ totals }) => totals.messages),
  ofServer("total_message_bytes", "Bytes that are stored.", ({ totals }) => totals.bytes),
  ofServer("max_memory", "Bytes that streams in memory may take.", (look) => look.maxMemoryBytes),
  ofServer("max_storage", "Bytes that streams in files may take.", (look) => look.maxStorageBytes),
  ofAccount("max_memory", "Bytes that the account may store in memory.", (a) => shownLimit(a.maxMemoryBytes)),
  ofAccount("max_storage", "Bytes that the account may store in files.", (a) =>
    shownLimit(a.maxStorageBytes),
  ),
  ofAccount("storage_used", "Bytes that the account stores in files.", (a) => a.storageBytes),
  ofAccount("memory_used", "Bytes that the account stores in memory.", (a) => a.memoryBytes),
  ofStream("total_messages", "Messages in the stream.", (s) => s.messages),
  ofStream("limit_messages", "Messages that the stream may hold; -1: no limit.", (s) => s.maxMessages),
  ofStream("total_bytes", "Bytes in the stream.", (s) => s.bytes),
  ofStream("limit_bytes", "Bytes that the stream may hold; -1: no limit.", (s) => s.maxBytes),
  ofStream("first_seq", "First sequence of the stream.", (s) => s.firstSequence),
  ofStream("last_seq", "Last sequence of the stream.", (s) => s.lastSequence),
  untyped(ofStream("consumer_count", "Consumers of the stream.", (s) => s.consumers)),
  untyped(ofStream("subject_count", "Subjects in the stream.", (s) => s.subjects)),
  ofOrigin("source", "lag", "Messages that the source is ahead.", ({ lag }) => lag),
  ofOrigin(
    "source",
    "active_duration_ns",
    "Nanoseconds since the source was heard; -1: never.",
    ({ activeNs }) => activeNs,
  ),
  ofOrigin("mirror", "lag", "Messages that the mirrored stream is ahead.", ({ lag }) => lag),
  ofOrigin(
    "mirror",
    "active_duration_ns",
    "Nanoseconds since the mirrored stream was heard; -1: never.",
    ({ activeNs }) => activeNs,
  ),
  ofConsumer("delivered_consumer_seq", "Deliveries of the consumer so far.", (c) => c.delivered),
  ofConsumer("delivered_stream_seq", "Sequence of the last message it delivered.", (c) => c.deliveredStream),
  ofConsumer("last_delivery_seconds", "Seconds since its last delivery.", (c) => c.deliveredAgoSeconds),
  ofConsumer("last_ack_seconds", "Seconds since the last acknowledgement.", (c) => c.ackedAgoSeconds),
  ofConsumer("num_ack_pending", "Messages that wait for an acknowledgement.", (c) => c.ackPending),
  ofConsumer("num_redelivered", "Messages that were delivered more than once.", (c) => c.redelivered),
  ofConsumer("num_waiting", "Pull requests that wait.", (c) => c.waiting),
  ofConsumer("num_pending", "Messages that it has not delivered yet.", (c) => c.pending),
  ofConsumer("ack_floor_stream_seq", "Sequence up to which all is acknowledged.", (c) => c.floorStream),
  ofConsumer("ack_floor_consumer_seq", "Delivery up to which all is acknowledged.", (c) => c.floor),
  ofCluster(
    "meta_cluster_size",
    "Servers of the group of all servers with JetStream.",
    ({ meta }) => meta?.size,
  ),
  ofCluster("meta_pending_requests", "Requests to the API that wait.", ({ meta }) => meta?.pending),
  ofCluster("meta_has_leader", "Whether the group of all servers has a leader.", ({ meta }) =>
    meta === null ? undefined : Number(meta.leader !== ""),
  ),
  ofCluster("groups", "Groups of servers that this one belongs to.", ({ notCurrent, groups }) =>
    notCurrent === null ? undefined : groups,
  ),
  ofCluster("not_current", "Streams and consumers whose copy here is not current.", ({ notCurrent }) => {
    return notCurrent?.count;
  }),
  ofCluster("behind_operations", "What copies that catch up still lack.", ({ notCurrent }) => {
    return notCurrent?.behind;
  }),
  own("requests_total", "counter", "Requests to the API.", (look) => look.requests),
  own("request_errors_total", "counter", "Requests to the API that were refused.", (look) => look.errors),
  own("syncs_total", "counter", "Syncs of files to the disk.", (look) => look.syncs.syncs),
  own("sync_seconds_total", "counter", "Time that syncs took.", (look) => look.syncs.ms / 1000),
  own("slow_syncs_total", "counter", "Syncs that took longer than 0.1 seconds.", (look) => look.syncs.slow),
  own("failed_syncs_total", "counter", "Syncs that the disk refused.", (look) => look.syncs.failed),
  ofScrub("passes_total", "counter", "Times that the scrub has read all.", ({ passes }) => passes),
  ofScrub("bytes_total", "counter", "Bytes that the scrub has read.", ({ bytes }) => bytes),
  ofScrub("progress", "gauge", "Part of its present pass that is done, 0 to 1.", ({ progress }) => progress),
  ofScrub(
    "finished_timestamp_seconds",
    "gauge",
    "When its last pass ended; 0: none has.",
    ({ finishedMs }) => finishedMs / 1000,
  ),
  ofScrub("damaged_files_total", "counter", "Files in which it found damage.", ({ damaged }) => damaged),
  ofScrub("mended_files_total", "counter", "Of these, files that it wrote again.", ({ mended }) => mended),
  own("storage_left_bytes", "gauge", "Bytes that can still be stored in files.", (look) => look.storageLeft),
  own(
    "quarantined_folders",
    "gauge",
    "Folders that were put aside, since they cannot be understood.",
    (look) => look.accounts.reduce((sum, { putAside }) => sum + putAside, 0),
  ),
  own(
    "left_out_streams",
    "gauge",
    "Streams that have no series of their own: there are too many.",
    (look) => {
      return look.leftOut.streams;
    },
  ),
  own("left_out_consumers", "gauge", "Consumers that have no series of their own.", (look) => {
    return look.leftOut.consumers;
  }),
  {
    name: "jetstream_lost_messages",
    type: "gauge",
    help: "Messages that are damaged and known missing, of streams that have any.",
    labels: ["account", "stream"],
    samples: ({ jetStream }) =>
      (jetStream?.damaged ?? []).map(({ account, name, lost }): Sample => [lost, account, name]),
  },
  {
    name: "jetstream_lost_bytes",
    type: "gauge",
    help: "Bytes of these on the disk, as far as they are known.",
    labels: ["account", "stream"],
    samples: ({ jetStream }) =>
      (jetStream?.damaged ?? []).map(({ account, name, lostBytes }): Sample => [lostBytes, account, name]),
  },
  {
    name: "jetstream_dead_letters_total",
    type: "counter",
    help: "Messages that consumers gave up once they were kept elsewhere, by reason.",
    labels: ["reason"],
    samples: ({ jetStream }) => {
      if (jetStream === null) return [];
      const { accounts } = jetStream;
      return [
        [accounts.reduce((sum, { deadLetters }) => sum + deadLetters.exhausted, 0), "max_deliver"],
        [accounts.reduce((sum, { deadLetters }) => sum + deadLetters.terminated, 0), "terminated"],
      ];
    },
  },
  own(
    "dead_letters_refused_total",
    "counter",
    "Attempts to keep such a message elsewhere that failed: it stays with its consumer.",
    (look) => look.accounts.reduce((sum, { deadLetters }) => sum + deadLetters.refused, 0),
  ),
  own(
    "stuck_consumers_total",
    "counter",
    "Times that a consumer delivered nothing for seconds though it had messages and requests waited. It is set going again; a fault of the server.",
    (look) => look.accounts.reduce((sum, { stuckConsumers }) => sum + stuckConsumers, 0),
  ),
  {
    name: "jetstream_refusing_streams",
    type: "gauge",
    help: "1 for each stream that takes no messages, since they cannot be written.",
    labels: ["account", "stream"],
    samples: ({ jetStream }) =>
      (jetStream?.refusing ?? []).map(({ account, name }): Sample => [1, account, name]),
  },
  {
    name: "jetstream_idle_consumers",
    type: "gauge",
    help: "Consumers that have messages and deliver none of them, by reason.",
    labels: ["reason"],
    samples: ({ jetStream }) => Array.from(jetStream?.idle ?? [], ([reason, n]): Sample => [n, reason]),
  },
];

/** Prometheus' conventions allow such a name for no other type. */
function untyped(family: Family): Family {
  return { ...family, type: "untyped" };
}

/** nats-server shows no limit as the largest number of 64 bits. */
function shownLimit(bytes: number): number {
  return bytes < 0 ? 2 ** 64 : bytes;
}

function ofServer(name: string, help: string, value: (look: JetStreamLook) => number): Family {
  return {
    name: `server_${name}`,
    prefix: "jetstream",
    type: "gauge",
    help,
    labels: SERVER,
    samples: (look) =>
      look.jetStream === null ? [] : [[value(look.jetStream), ...serverLabels(look, look.jetStream)]],
  };
}

function ofAccount(name: string, help: string, value: (account: JetStreamAccountLook) => number): Family {
  return {
    name: `account_${name}`,
    prefix: "jetstream",
    type: "gauge",
    help,
    labels: ACCOUNT,
    samples: (look) =>
      (look.jetStream?.accounts ?? []).map((account): Sample => [
        value(account),
        ...serverLabels(look, look.jetStream!),
        ...accountLabels(account.name),
      ]),
  };
}

function ofStream(name: string, help: string, value: (stream: StreamLook) => number): Family {
  return {
    name: `stream_${name}`,
    prefix: "jetstream",
    type: "gauge",
    help,
    labels: STREAM,
    samples: (look) =>
      (look.jetStream?.streams ?? []).map((stream): Sample => [
        value(stream),
        ...serverLabels(look, look.jetStream!),
        ...streamLabels(look, stream),
      ]),
  };
}

/** Of where streams take messages from. */
function ofOrigin(
  kind: OriginLook["kind"],
  name: string,
  help: string,
  value: (origin: OriginLook) => number,
): Family {
  return {
    name: `stream_${kind}_${name}`,
    prefix: "jetstream",
    type: "gauge",
    help,
    labels: [...STREAM, `${kind}_name`, `${kind}_api`, `${kind}_deliver`],
    *samples(look) {
      for (const origin of look.jetStream?.origins ?? []) {
        if (origin.kind !== kind) continue;
        yield [
          value(origin),
          ...serverLabels(look, look.jetStream!),
          ...streamLabels(look, {
            account: origin.account,
            name: origin.stream,
            leader: origin.streamLeader,
            group: origin.streamGroup,
          }),
          origin.name,
          origin.apiPrefix,
          origin.deliverPrefix,
        ];
      }
    },
  };
}

/** null: there is none. */
function ofConsumer(name: string, help: string, value: (consumer: ConsumerLook) => number | null): Family {
  return {
    name: `consumer_${name}`,
    prefix: "jetstream",
    type: "gauge",
    help,
    labels: CONSUMER,
    *samples(look) {
      for (const consumer of look.jetStream?.consumers ?? []) {
        const figure = value(consumer);
        if (figure === null) continue;
        yield [
          figure,
          ...serverLabels(look, look.jetStream!),
          ...streamLabels(look, {
            account: consumer.account,
            name: consumer.stream,
            leader: consumer.streamLeader,
            group: consumer.streamGroup,
          }),
          consumer.name,
          consumer.leader,
          String(consumer.leader === look.serverName),
          consumer.description,
        ];
      }
    },
  };
}

function own(
  name: string,
  type: "gauge" | "counter",
  help: string,
  value: (look: JetStreamLook) => number,
): Family {
  return {
    name: `jetstream_${name}`,
    type,
    help,
    labels: [],
    samples: ({ jetStream }) => (jetStream === null ? [] : [[value(jetStream)]]),
  };
}

/** Nothing without a cluster. */
function ofCluster(name: string, help: string, value: (look: JetStreamLook) => number | undefined): Family {
  return {
    name: `jetstream_${name}`,
    type: "gauge",
    help,
    labels: [],
    samples({ jetStream }) {
      const found = jetStream === null ? undefined : value(jetStream);
      return found === undefined ? [] : [[found]];
    },
  };
}

/** Nothing where the scrub is off. */
function ofScrub(
  name: string,
  type: "gauge" | "counter",
  help: string,
  value: (scrub: ScrubLook) => number,
): Family {
  return {
    name: `jetstream_scrub_${name}`,
    type,
    help,
    labels: [],
    samples({ jetStream }) {
      const scrub = jetStream?.scrub ?? null;
      return scrub === null ? [] : [[value(scrub)]];
    },
  };
}

/** Without a cluster every server is the leader of what it has. */
function serverLabels({ serverId, serverName }: Look, { domain, meta }: JetStreamLook): string[] {
  const cluster =
    meta === null ? ["", domain, "", "true"] : [meta.name, domain, meta.leader, String(meta.leads)];
  return [serverId, serverName, ...cluster];
}

function accountLabels(name: string): string[] {
  return [name, name, name];
}

function streamLabels(
  { serverName }: Look,
  { account, name, leader, group }: Pick<StreamLook, "account" | "name" | "leader" | "group">,
): string[] {
  return [...accountLabels(account), name, leader, String(leader === serverName), group];
}
