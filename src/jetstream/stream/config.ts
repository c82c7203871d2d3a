/** The configuration of a stream: its fields. What a create fills in and what is refused is in complete.ts. */
import { mappingTransform, type Transform } from "../../subject/transform.ts";
import { field, flag, int, list, nested, optional, text, textMap, uint, word, type Shape } from "../codec.ts";
import {
  originShape,
  sourceCodec,
  transformShape,
  type OriginConfig,
  type SubjectTransform,
} from "./origin-config.ts";

/** "pedantic": what would be changed in silence is refused. */
export type Strictness = "pedantic" | "lenient";

interface Placement {
  readonly cluster: string;
  readonly tags: readonly string[];
}

interface Republish extends SubjectTransform {
  readonly headersOnly: boolean;
}

interface ConsumerLimits {
  readonly inactiveThresholdNs: number;
  readonly maxAckPending: number;
}

export interface StreamConfig {
  readonly name: string;
  readonly description: string;
  readonly subjects: readonly string[];
  readonly retention: "limits" | "interest" | "workqueue";
  /** This and the next four: -1: no limit. */
  readonly maxConsumers: number;
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** 0: no limit. */
  readonly maxAgeNs: number;
  readonly maxPerSubject: number;
  readonly maxMessageBytes: number;
  readonly discard: "old" | "new";
  readonly storage: "file" | "memory";
  readonly replicas: number;
  readonly noAck: boolean;
  readonly duplicateWindowNs: number;
  readonly placement: Placement | null;
  /** The stream that this one is a copy of; null: none. */
  readonly mirror: OriginConfig | null;
  readonly sources: readonly OriginConfig[];
  readonly compression: "none" | "s2";
  /** 0: 1. */
  readonly firstSequence: number;
  readonly subjectTransform: SubjectTransform | null;
  readonly republish: Republish | null;
  readonly sealed: boolean;
  readonly denyDelete: boolean;
  readonly denyPurge: boolean;
  readonly allowRollup: boolean;
  readonly allowDirect: boolean;
  readonly mirrorDirect: boolean;
  readonly discardNewPerSubject: boolean;
  readonly consumerLimits: ConsumerLimits | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly allowMessageTtl: boolean;
  readonly deleteMarkerTtlNs: number;
  readonly allowCounter: boolean;
  readonly allowAtomic: boolean;
  readonly allowSchedules: boolean;
  readonly allowBatched: boolean;
  readonly persistMode: "default" | "async" | "";
}

const placement: Shape<Placement> = {
  cluster: optional("cluster", text),
  tags: optional("tags", list(text)),
};
const republish: Shape<Republish> = {
  source: optional("src", text),
  destination: field("dest", text),
  headersOnly: optional("headers_only", flag),
};
const limits: Shape<ConsumerLimits> = {
  inactiveThresholdNs: optional("inactive_threshold", int),
  maxAckPending: optional("max_ack_pending", int),
};

export const streamShape: Shape<StreamConfig> = {
  name: field("name", text),
  description: optional("description", text),
  subjects: optional("subjects", list(text)),
  retention: field("retention", word(["limits", "interest", "workqueue"])),
  maxConsumers: field("max_consumers", int),
  maxMessages: field("max_msgs", int),
  maxBytes: field("max_bytes", int),
  maxAgeNs: field("max_age", int),
  maxPerSubject: field("max_msgs_per_subject", int),
  maxMessageBytes: optional("max_msg_size", int),
  discard: field("discard", word(["old", "new"])),
  storage: field("storage", word(["file", "memory"])),
  replicas: field("num_replicas", int),
  noAck: optional("no_ack", flag),
  duplicateWindowNs: optional("duplicate_window", int),
  placement: optional("placement", nested(placement)),
  mirror: optional("mirror", nested(originShape)),
  sources: optional("sources", list(sourceCodec)),
  compression: field(
    "compression",
    word(["none", "s2"], () => "unknown compression algorithm"),
  ),
  firstSequence: optional("first_seq", uint),
  subjectTransform: optional("subject_transform", nested(transformShape)),
  republish: optional("republish", nested(republish)),
  allowDirect: field("allow_direct", flag),
  mirrorDirect: field("mirror_direct", flag),
  sealed: field("sealed", flag),
  denyDelete: field("deny_delete", flag),
  denyPurge: field("deny_purge", flag),
  allowRollup: field("allow_rollup_hdrs", flag),
  discardNewPerSubject: optional("discard_new_per_subject", flag),
  consumerLimits: field("consumer_limits", nested(limits)),
  allowMessageTtl: field("allow_msg_ttl", flag),
  metadata: optional("metadata", textMap),
  deleteMarkerTtlNs: optional("subject_delete_marker_ttl", int),
  allowCounter: optional("allow_msg_counter", flag),
  allowAtomic: optional("allow_atomic", flag),
  allowSchedules: optional("allow_msg_schedules", flag),
  allowBatched: optional("allow_batched", flag),
  persistMode: optional("persist_mode", word(["", "default", "async"])),
};

export const NAME_MAX = 255;
/** Sequences are exact up to 2^53: none is given that would leave little room below. */
export const SEQUENCE_START_MAX = Number.MAX_SAFE_INTEGER - 2 ** 40;

/** Whether it can name a stream or a consumer: it becomes a token of subjects and a folder. */
export function isValidName(name: string): boolean {
  return name !== "" && name.length <= NAME_MAX && !/[\s.*>\\/\0]/.test(name);
}

/** What belongs to the server: nothing is delivered or republished there. */
const RESERVED = /^(_R_\.|_GR_\.|\$G?N?R\.|\$JS\.(API|ACK|FC|SNAPSHOT|EVENT)(\.|$)|\$JS\.[^.]*\.API(\.|$))/;

export function isReserved(subject: string): boolean {
  return RESERVED.test(subject);
}

/** null: there is none, or it has no destination. Throws `MappingError`. */
export function transformOf(transform: SubjectTransform | null): Transform | null {
  if (transform === null || transform.destination === "") return null;
  return mappingTransform(transform.source, transform.destination);
}

/** The default of `max_payload`. */
const MESSAGE_BYTES = 1024 * 1024;

/** Bytes of the largest message that a stream may get. */
export function largestMessage({ maxMessageBytes }: StreamConfig): number {
  return maxMessageBytes > 0 ? maxMessageBytes : MESSAGE_BYTES;
}

/** The level of the API that is needed to understand the configuration. */
export function requiredLevel(config: StreamConfig): number {
  if (config.allowBatched) return 4;
  if (config.allowCounter || config.allowAtomic || config.allowSchedules || config.persistMode === "async")
    return 2;
  return config.allowMessageTtl || config.deleteMarkerTtlNs > 0 ? 1 : 0;
}
