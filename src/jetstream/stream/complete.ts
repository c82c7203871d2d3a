/** What a create fills into the configuration of a stream, and what is refused, in nats-server's order and words. */
import { isDeepStrictEqual } from "node:util";
import { isValidSubject, subjectsMeet } from "../../subject/subject.ts";
import { apiErrors, type ApiError } from "../api-error.ts";
import { goDuration } from "../time.ts";
import { completeOrigins, transformProblem, type FindStream } from "./complete-origins.ts";
import { isValidName, NAME_MAX, SEQUENCE_START_MAX, type StreamConfig, type Strictness } from "./config.ts";
import type { SubjectTransform } from "./origin-config.ts";
import { checkBackupForm } from "./backup-form.ts";
import { checkSyncPolicy } from "./sync-policy.ts";

const DESCRIPTION_MAX = 4096;
const METADATA_MAX = 128 * 1024;
const REPLICAS_MAX = 5;
const SECOND_NS = 1_000_000_000;
const SMALLEST_AGE_NS = 100_000_000;
const DUPLICATE_WINDOW_NS = 120_000_000_000;
/** Subjects of the server itself, which a stream must not store. */
const OWN_SUBJECTS = ["$JS.>", "$JSC.>", "$NRG.>", "$SYS.>"];
const OWN_ALLOWED = ["$JS.EVENT.>", "$SYS.ACCOUNT.>"];

export interface StreamSurroundings {
  /** The other streams of the account. */
  readonly find: FindStream;
  /** The longest duplicate window; 0: no limit. */
  readonly duplicateWindowNs: number;
  /** Copies of a stream that there can be. */
  readonly replicasMax: number;
}

/** Fills in the defaults and refuses what cannot be. Throws `ApiError`. */
export function completeStream(
  config: StreamConfig,
  strictness: Strictness,
  { find, duplicateWindowNs: longest, replicasMax }: StreamSurroundings,
): StreamConfig {
  if (config.name === "") throw apiErrors.streamInvalidConfig("stream name is required");
  if (/[/\\]/.test(config.name)) throw apiErrors.streamPath();
  if (config.name.length > NAME_MAX) throw invalid(`stream name is too long, maximum allowed is ${NAME_MAX}`);
  if (!isValidName(config.name)) throw apiErrors.streamInvalidConfig("invalid stream name");
  if (config.description.length > DESCRIPTION_MAX)
    throw invalid(`stream description is too long, maximum allowed is ${DESCRIPTION_MAX}`);
  const metadataSize = Object.entries(config.metadata).reduce(
    (sum, [key, value]) => sum + key.length + value.length,
    0,
  );
  if (metadataSize > METADATA_MAX) throw invalid("stream metadata exceeds maximum size of 131072 bytes");
  if (config.replicas < 0) throw apiErrors.replicasNegative();
  if (config.replicas > REPLICAS_MAX) throw invalid(`maximum replicas is ${REPLICAS_MAX}`);
  if (config.replicas > replicasMax) throw apiErrors.replicasNotSupported();
  if (strictness === "pedantic") checkPedantic(config);
  const complete: StreamConfig = {
    ...config,
    ...impliedBy(config, strictness),
    replicas: Math.max(1, config.replicas),
    maxConsumers: noLimit(config.maxConsumers),
    maxMessages: noLimit(config.maxMessages),
    maxBytes: noLimit(config.maxBytes),
    maxPerSubject: noLimit(config.maxPerSubject),
    maxMessageBytes: noLimit(config.maxMessageBytes),
    duplicateWindowNs: duplicateWindow(config, longest, strictness),
    consumerLimits: config.consumerLimits ?? { inactiveThresholdNs: 0, maxAckPending: 0 },
    metadata: withoutAnswered(config.metadata),
  };
  checkAges(complete, longest);
  checkSyncPolicy(complete, null);
  checkBackupForm(complete);
  if (config.denyPurge && config.allowRollup) throw invalid("roll-ups require the purge permission");
  checkCounter(complete);
  checkDiscard(complete);
  checkMarkers(config);
  if (config.allowSchedules && config.discard === "new")
    throw invalid("message scheduling cannot use discard new");
  if (config.persistMode === "async") checkAsync(complete);
  const withOrigins = withSubjects(completeOrigins(complete, find, strictness));
  checkSubjects(withOrigins);
  checkTransform(withOrigins.subjectTransform);
  return completeRepublish(withOrigins, strictness);
}

/** Without subjects of its own a stream takes messages on its name, unless it takes them from others. */
function withSubjects(config: StreamConfig): StreamConfig {
  const isFed = config.mirror !== null || config.sources.length > 0;
  return isFed || config.subjects.length > 0 ? config : { ...config, subjects: [config.name] };
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
  if (next.mirror !== null && !isDeepStrictEqual(next.mirror, before.mirror)) throw apiErrors.mirrorFixed();
  if (before.allowMessageTtl && !next.allowMessageTtl) throw refuse("message TTL status can not be disabled");
  if (next.allowCounter !== before.allowCounter)
    throw refuse("stream configuration update can not change message counter setting");
  if (before.allowSchedules && !next.allowSchedules) throw refuse("message schedules can not be disabled");
  if (next.persistMode !== before.persistMode)
    throw refuse("stream configuration update can not change persist mode");
  checkSyncPolicy(next, before);
  checkBackupForm(next);
  if (!next.sealed) return next;
  return { ...next, maxAgeNs: 0, discard: "new", denyDelete: true, denyPurge: true, allowRollup: false };
}

const invalid = apiErrors.streamInvalidConfig;

/** Delete markers need TTLs, and they and schedules roll up. */
function impliedBy(config: StreamConfig, strictness: Strictness): Partial<StreamConfig> {
  const { deleteMarkerTtlNs, allowSchedules, allowRollup, allowMessageTtl } = config;
  const hasMarkers = deleteMarkerTtlNs > 0;
  if (strictness === "pedantic" && hasMarkers && !allowMessageTtl)
    throw invalid("subject delete marker cannot be set if message TTLs are disabled");
  if (strictness === "pedantic" && hasMarkers && !allowRollup)
    throw invalid("subject delete marker cannot be set if roll-ups are disabled");
  if (strictness === "pedantic" && allowSchedules && !allowRollup)
    throw invalid("message scheduling cannot be set if roll-ups are disabled");
  return {
    ...(hasMarkers ? { allowMessageTtl: true } : {}),
    ...((hasMarkers || allowSchedules) && !allowRollup ? { allowRollup: true, denyPurge: false } : {}),
  };
}

function checkPedantic(config: StreamConfig): void {
  const numbers: readonly (readonly [number, string])[] = [
    [config.maxMessages, "max_msgs"],
    [config.maxPerSubject, "max_msgs_per_subject"],
    [config.maxBytes, "max_bytes"],
    [config.maxMessageBytes, "max_msg_size"],
    [config.maxConsumers, "max_consumers"],
  ];
  for (const [value, name] of numbers) if (value < -1) throw apiErrors.pedantic(`${name} must be set to -1`);
  const { duplicateWindowNs, maxAgeNs, mirror, sources } = config;
  const hasDefault = duplicateWindowNs === 0 && mirror === null && sources.length === 0;
  if (hasDefault && maxAgeNs !== 0 && maxAgeNs < DUPLICATE_WINDOW_NS)
    throw apiErrors.pedantic("duplicate window cannot be bigger than max age");
}

function checkCounter(config: StreamConfig): void {
  if (!config.allowCounter) return;
  if (config.discard === "new") throw invalid("counter stream cannot use discard new");
  if (config.allowMessageTtl) throw invalid("counter stream cannot use message TTLs");
  if (config.allowSchedules) throw invalid("counter stream cannot use message schedules");
  if (config.retention !== "limits") throw invalid("counter stream can only use limits retention");
}

function checkAsync({ storage, allowAtomic }: StreamConfig): void {
  if (storage !== "file") throw invalid("async persist mode is only supported on file storage");
  if (allowAtomic) throw invalid("async persist mode is not supported with atomic batch publish");
}

function checkMarkers({ deleteMarkerTtlNs }: StreamConfig): void {
  if (deleteMarkerTtlNs < 0) throw invalid("subject delete marker TTL must not be negative");
  if (deleteMarkerTtlNs > 0 && deleteMarkerTtlNs < SECOND_NS)
    throw invalid("subject delete marker TTL must be at least 1 second");
}

function checkTransform(transform: SubjectTransform | null): void {
  if (transform === null) return;
  const { source, destination } = transform;
  if (source !== "" && !isValidSubject(source))
    throw apiErrors.streamTransformSource(`invalid subject ${source}`);
  const problem = transformProblem(source, destination);
  if (problem !== null) throw apiErrors.streamTransform(problem);
}

function completeRepublish(config: StreamConfig, strictness: Strictness): StreamConfig {
  const { republish, subjectTransform, subjects } = config;
  if (republish === null) return config;
  if (republish.source === "" && strictness === "pedantic")
    throw apiErrors.pedantic("republish source can not be empty");
  const source = republish.source === "" ? ">" : republish.source;
  const isImplicit =
    source === ">" &&
    republish.destination === ">" &&
    subjectTransform !== null &&
    subjects.length === 1 &&
    subjectTransform.source === subjects[0];
  if (isImplicit && strictness === "pedantic")
    throw apiErrors.pedantic("implicit republish based on subject transform");
  const complete = isImplicit
    ? { ...republish, source: subjectTransform.destination, destination: subjectTransform.destination }
    : { ...republish, source };
  if (subjects.some((subject) => subjectsMeet(complete.destination, subject)))
    throw invalid("stream configuration for republish destination forms a cycle");
  if (transformProblem(complete.source, complete.destination) !== null)
    throw invalid(
      `stream configuration for republish with transform from '${complete.source}' to '${complete.destination}' not valid`,
    );
  return { ...config, republish: complete };
}

function noLimit(value: number): number {
  return value <= 0 ? -1 : value;
}

/** Where messages come from other streams, only a window that was asked for holds. */
function duplicateWindow(
  { duplicateWindowNs, maxAgeNs, mirror, sources }: StreamConfig,
  longestNs: number,
  strictness: Strictness,
): number {
  if (duplicateWindowNs !== 0 || mirror !== null || sources.length > 0) return duplicateWindowNs;
  const isLimited = longestNs > 0 && longestNs < DUPLICATE_WINDOW_NS;
  if (isLimited && strictness === "pedantic")
    throw apiErrors.pedantic("duplicate window limits are higher than current limits");
  const most = isLimited ? longestNs : DUPLICATE_WINDOW_NS;
  return maxAgeNs !== 0 && maxAgeNs < most ? maxAgeNs : most;
}

/** `_nats.` and the store's own stand in answers alone. */
function withoutAnswered(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => !key.startsWith("_nats.")));
}

function checkAges({ maxAgeNs, duplicateWindowNs }: StreamConfig, longestNs: number): void {
  if (maxAgeNs < 0) throw invalid("max age can not be negative");
  if (maxAgeNs !== 0 && maxAgeNs < SMALLEST_AGE_NS) throw invalid("max age needs to be >= 100ms");
  if (duplicateWindowNs < 0) throw invalid("duplicates window can not be negative");
  if (maxAgeNs !== 0 && duplicateWindowNs > maxAgeNs)
    throw invalid("duplicates window can not be larger then max age");
  if (longestNs > 0 && duplicateWindowNs > longestNs)
    throw invalid(`duplicates window can not be larger then server limit of ${goDuration(longestNs)}`);
  if (duplicateWindowNs > 0 && duplicateWindowNs < SMALLEST_AGE_NS)
    throw invalid("duplicates window needs to be >= 100ms");
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
