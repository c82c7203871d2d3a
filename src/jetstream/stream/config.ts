/** The configuration of a stream: its fields, what a create fills in, and what is refused. */
import { isValidSubject, subjectsMeet } from "../../subject/subject.ts";
import { apiErrors, type ApiError } from "../api-error.ts";
import { field, flag, int, list, nested, optional, text, textMap, uint, word, type Shape } from "../codec.ts";

interface Placement {
  readonly cluster: string;
  readonly tags: readonly string[];
}

interface SubjectTransform {
  readonly source: string;
  readonly destination: string;
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
  readonly mirror: object | null;
  readonly sources: readonly (object | null)[];
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
const transform: Shape<SubjectTransform> = {
  source: field("src", text),
  destination: field("dest", text),
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
/** Known to be asked for, and refused below: their fields are not read. */
const anything = {
  zero: null,
  read: (value: unknown) => value as object,
  write: (value: object | null) => value,
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
  mirror: optional("mirror", anything),
  sources: optional("sources", list(anything)),
  compression: field("compression", word(["none", "s2"])),
  firstSequence: optional("first_seq", uint),
  subjectTransform: optional("subject_transform", nested(transform)),
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

const DESCRIPTION_MAX = 4096;
const METADATA_MAX = 128 * 1024;
const REPLICAS_MAX = 5;
const NAME_MAX = 255;
const SMALLEST_AGE_NS = 100_000_000;
const DUPLICATE_WINDOW_NS = 120_000_000_000;
/** What is the server's own: a stream must not keep it. */
const OWN_SUBJECTS = ["$JS.>", "$JSC.>", "$NRG.>", "$SYS.>"];
const OWN_ALLOWED = ["$JS.EVENT.>", "$SYS.ACCOUNT.>"];
/** Sequences are exact up to 2^53: none is given that would leave little room below. */
export const SEQUENCE_START_MAX = Number.MAX_SAFE_INTEGER - 2 ** 40;

/** Whether it can name a stream or a consumer: it becomes a token of subjects and a folder. */
export function isValidName(name: string): boolean {
  return name !== "" && name.length <= NAME_MAX && !/[\s.*>\\/\0]/.test(name);
}

/** Fills in the defaults and refuses what cannot be. Throws `ApiError`. */
export function completeStream(config: StreamConfig): StreamConfig {
  if (config.name === "") throw apiErrors.streamInvalidConfig("stream name is required");
  if (/[/\\]/.test(config.name)) throw apiErrors.streamPath();
  if (!isValidName(config.name)) throw apiErrors.streamInvalidConfig("invalid stream name");
  refuseAbsent(config);
  if (config.description.length > DESCRIPTION_MAX)
    throw invalid(`stream description is too long, maximum allowed is ${DESCRIPTION_MAX}`);
  const metadataSize = Object.entries(config.metadata).reduce(
    (sum, [key, value]) => sum + key.length + value.length,
    0,
  );
  if (metadataSize > METADATA_MAX) throw invalid("stream metadata exceeds maximum size of 131072 bytes");
  if (config.replicas < 0) throw apiErrors.replicasNegative();
  if (config.replicas > REPLICAS_MAX) throw invalid(`maximum replicas is ${REPLICAS_MAX}`);
  if (config.replicas > 1) throw apiErrors.replicasNotSupported();
  const complete: StreamConfig = {
    ...config,
    subjects: config.subjects.length === 0 ? [config.name] : config.subjects,
    replicas: 1,
    maxConsumers: noLimit(config.maxConsumers),
    maxMessages: noLimit(config.maxMessages),
    maxBytes: noLimit(config.maxBytes),
    maxPerSubject: noLimit(config.maxPerSubject),
    maxMessageBytes: noLimit(config.maxMessageBytes),
    duplicateWindowNs: duplicateWindow(config),
    consumerLimits: config.consumerLimits ?? { inactiveThresholdNs: 0, maxAckPending: 0 },
    metadata: withoutAnswered(config.metadata),
  };
  checkAges(complete);
  checkDiscard(complete);
  checkSubjects(complete);
  if (complete.denyPurge && complete.allowRollup) throw invalid("roll-ups require the purge permission");
  return complete;
}

/** What a stream with the configuration `before` may become. Throws `ApiError`. */
export function checkStreamUpdate(before: StreamConfig, next: StreamConfig): StreamConfig {
  const refuse = (text: string): ApiError => apiErrors.streamInvalidConfig(text);
  if (next.storage !== before.storage)
    throw refuse("stream configuration update can not change storage type");
  if (next.retention !== before.retention && [next.retention, before.retention].includes("workqueue"))
    throw refuse("stream configuration update can not change retention policy to/from workqueue");
  if (before.sealed && !next.sealed)
    throw refuse("stream configuration update can not unseal a sealed stream");
  if (before.denyDelete && !next.denyDelete)
    throw refuse("stream configuration update can not cancel deny message deletes");
  if (before.denyPurge && !next.denyPurge)
    throw refuse("stream configuration update can not cancel deny purge");
  if (!next.sealed) return next;
  return { ...next, maxAgeNs: 0, discard: "new", denyDelete: true, denyPurge: true, allowRollup: false };
}

const invalid = apiErrors.streamInvalidConfig;

function noLimit(value: number): number {
  return value <= 0 ? -1 : value;
}

function duplicateWindow({ duplicateWindowNs, maxAgeNs }: StreamConfig): number {
  if (duplicateWindowNs !== 0) return duplicateWindowNs;
  return maxAgeNs !== 0 && maxAgeNs < DUPLICATE_WINDOW_NS ? maxAgeNs : DUPLICATE_WINDOW_NS;
}

/** `_nats.` and the store's own stand in answers alone. */
function withoutAnswered(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => !key.startsWith("_nats.")));
}

function checkAges({ maxAgeNs, duplicateWindowNs }: StreamConfig): void {
  if (maxAgeNs < 0) throw invalid("max age can not be negative");
  if (maxAgeNs !== 0 && maxAgeNs < SMALLEST_AGE_NS) throw invalid("max age needs to be >= 100ms");
  if (duplicateWindowNs < 0) throw invalid("duplicates window can not be negative");
  if (maxAgeNs !== 0 && duplicateWindowNs > maxAgeNs)
    throw invalid("duplicates window can not be larger then max age");
  if (duplicateWindowNs < SMALLEST_AGE_NS) throw invalid("duplicates window needs to be >= 100ms");
}

function checkDiscard({ discard, discardNewPerSubject, maxPerSubject, firstSequence }: StreamConfig): void {
  if (discardNewPerSubject && discard !== "new")
    throw invalid("discard new per subject requires discard new policy to be set");
  if (discardNewPerSubject && maxPerSubject <= 0)
    throw invalid("discard new per subject requires max msgs per subject > 0");
  if (firstSequence > SEQUENCE_START_MAX)
    throw invalid(
      `first sequence ${firstSequence} is not supported by this server, the largest is ${SEQUENCE_START_MAX}`,
    );
}

function checkSubjects({ subjects, noAck, replicas }: StreamConfig): void {
  for (const [i, subject] of subjects.entries()) {
    if (!isValidSubject(subject) || /\s/.test(subject)) throw invalid("invalid subject");
    if (subject === ">" && (!noAck || replicas > 1))
      throw invalid("capturing all subjects requires no-ack to be true");
    for (const own of noAck ? [] : OWN_SUBJECTS) {
      if (!subjectsMeet(own, subject)) continue;
      if (OWN_ALLOWED.some((allowed) => isWithin(allowed, subject))) continue;
      throw invalid(
        `subjects that overlap with ${own.startsWith("$SYS") ? "system" : "jetstream"} api require no-ack to be true`,
      );
    }
    for (const other of subjects.slice(0, i)) {
      if (subjectsMeet(other, subject))
        throw invalid(`subject ${JSON.stringify(other)} overlaps with ${JSON.stringify(subject)}`);
    }
  }
}

function isWithin(pattern: string, subject: string): boolean {
  return subject === pattern || subject.startsWith(pattern.slice(0, -1));
}

/** Features that are not here are refused by name: a stream that ignored them would do something else. */
function refuseAbsent(config: StreamConfig): void {
  const absent: readonly (readonly [boolean, string])[] = [
    [config.mirror !== null, "mirror"],
    [config.sources.length > 0, "sources"],
    [config.compression === "s2", "compression s2"],
    [config.subjectTransform !== null, "subject_transform"],
    [config.republish !== null, "republish"],
    [config.allowMessageTtl, "allow_msg_ttl"],
    [config.deleteMarkerTtlNs !== 0, "subject_delete_marker_ttl"],
    [config.allowCounter, "allow_msg_counter"],
    [config.allowAtomic, "allow_atomic"],
    [config.allowSchedules, "allow_msg_schedules"],
    [config.allowBatched, "allow_batched"],
    [config.persistMode === "async", "persist_mode async"],
  ];
  const found = absent.find(([isAsked]) => isAsked);
  if (found !== undefined) throw invalid(`${found[1]} is not supported by this server yet`);
}

/** Whether two lists of subjects meet. */
export function overlap(some: readonly string[], others: readonly string[]): boolean {
  return some.some((one) => others.some((other) => subjectsMeet(one, other)));
}
