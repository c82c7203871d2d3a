/** The catalogue of what JetStream refuses: codes and texts are nats-server's (its `errors.json`, level 2.15). */

/** Shown as `{"code","err_code","description"}`. `code` is like one of HTTP. */
export class ApiError extends Error {
  readonly code: number;
  readonly errorCode: number;

  constructor(code: number, errorCode: number, description: string) {
    super(description);
    this.code = code;
    this.errorCode = errorCode;
  }
}

/** `{"code":400,"err_code":10003,"description":"bad request"}` */
export function errorJson({ code, errorCode, message }: ApiError): string {
  return `{"code":${code},"err_code":${errorCode},"description":${JSON.stringify(message)}}`;
}

const fixed =
  (code: number, errorCode: number, text: string): (() => ApiError) =>
  () =>
    new ApiError(code, errorCode, text);
const withText =
  (code: number, errorCode: number, before = ""): ((text: string | number) => ApiError) =>
  (text) =>
    new ApiError(code, errorCode, `${before}${text}`);

export const apiErrors = {
  resourcesExceeded: fixed(400, 10002, "resource limits exceeded for account"),
  badRequest: fixed(400, 10003, "bad request"),
  consumerCreate: withText(500, 10012),
  consumerNotFound: fixed(404, 10014, "consumer not found"),
  consumerDurableMismatch: fixed(
    400,
    10017,
    "consumer name in subject does not match durable name in request",
  ),
  consumerDurableNotSet: fixed(400, 10018, "consumer expected to be durable but a durable name was not set"),
  consumerEphemeralWithDurable: fixed(
    400,
    10020,
    "consumer expected to be ephemeral but a durable name was set in request",
  ),
  invalidJson: withText(400, 10025, "invalid JSON: "),
  maximumConsumers: fixed(400, 10026, "maximum consumers limit reached"),
  maximumStreams: fixed(400, 10027, "maximum number of streams reached"),
  noMessage: fixed(404, 10037, "no message found"),
  notEmptyRequest: fixed(400, 10038, "expected an empty request payload"),
  sequenceNotFound: (sequence: number | string) => new ApiError(400, 10043, `sequence ${sequence} not found`),
  insufficientStorage: fixed(500, 10047, "insufficient storage resources available"),
  insufficientMemory: fixed(500, 10028, "insufficient memory resources available"),
  streamInvalidConfig: withText(500, 10052),
  messageTooLarge: fixed(400, 10054, "message size exceeds maximum allowed"),
  streamMismatch: fixed(400, 10056, "stream name in subject does not match request"),
  messageDelete: withText(500, 10057),
  streamNameExists: fixed(400, 10058, "stream name already in use with a different configuration"),
  streamNotFound: fixed(404, 10059, "stream not found"),
  expectedStream: fixed(400, 10060, "expected stream does not match"),
  subjectsOverlap: fixed(400, 10065, "subjects overlap with an existing stream"),
  wrongLastMessageId: withText(400, 10070, "wrong last msg ID: "),
  wrongLastSequence: withText(400, 10071, "wrong last sequence: "),
  replicasNotSupported: fixed(500, 10074, "replicas > 1 not supported in non-clustered mode"),
  notClustered: fixed(503, 10010, "JetStream clustering support required"),
  storeFailed: withText(503, 10077),
  consumerConfigRequired: fixed(400, 10078, "consumer config required"),
  deliverToWildcards: fixed(400, 10079, "consumer deliver subject has wildcards"),
  pushMaxWaiting: fixed(400, 10080, "consumer in push mode can not set max waiting"),
  maxAckPendingNeedsAck: fixed(400, 10082, "consumer requires ack policy for max ack pending"),
  deliverCycle: fixed(400, 10081, "consumer deliver subject forms a cycle"),
  smallHeartbeat: fixed(400, 10083, "consumer idle heartbeat needs to be >= 100ms"),
  pullNeedsExplicitAck: fixed(
    400,
    10084,
    "consumer in pull mode requires explicit ack policy on workqueue stream",
  ),
  pullWithRate: fixed(400, 10086, "consumer in pull mode can not have rate limit set"),
  heartbeatNeedsPush: fixed(400, 10088, "consumer idle heartbeat requires a push based consumer"),
  flowControlNeedsPush: fixed(400, 10089, "consumer flow control requires a push based consumer"),
  filterNotSubset: fixed(
    400,
    10093,
    "consumer filter subject is not a valid subset of the interest subjects",
  ),
  invalidPolicy: withText(400, 10094),
  invalidSampling: withText(400, 10095, "failed to parse consumer sampling configuration: "),
  headersTooLarge: fixed(400, 10097, "header size exceeds maximum allowed of 64k"),
  workQueueExplicitAck: fixed(400, 10098, "workqueue stream requires explicit ack"),
  workQueueMultiple: fixed(400, 10099, "multiple non-filtered consumers not allowed on workqueue stream"),
  workQueueNotUnique: fixed(400, 10100, "filtered consumer not unique on workqueue stream"),
  workQueueDeliverAll: fixed(400, 10101, "consumer must be deliver all on workqueue stream"),
  consumerNameTooLong: withText(400, 10102, "consumer name is too long, maximum allowed is "),
  badDurableName: fixed(400, 10103, "durable name can not contain '.', '*', '>'"),
  consumerDescriptionTooLong: withText(400, 10107, "consumer description is too long, maximum allowed is "),
  flowControlNeedsHeartbeat: fixed(400, 10108, "consumer with flow control also needs heartbeats"),
  sealed: fixed(400, 10109, "invalid operation on sealed stream"),
  purgeFailed: withText(500, 10110),
  rollupFailed: withText(500, 10111),
  invalidDeliverSubject: fixed(400, 10112, "invalid push consumer deliver subject"),
  maxBytesRequired: fixed(400, 10113, "account requires a stream config to have max bytes set"),
  maxExpiresSmall: fixed(400, 10115, "consumer max request expires needs to be >= 1ms"),
  maxDeliverSmall: fixed(400, 10116, "max deliver is required to be > length of backoff values"),
  maxAckPendingExceeded: withText(400, 10121, "consumer max ack pending exceeds system limit of "),
  streamMaxBytesExceeded: fixed(400, 10122, "stream max bytes exceeds account limit max stream bytes"),
  filterMismatch: fixed(
    400,
    10131,
    "Consumer create request did not match filtered subject from create subject",
  ),
  consumerPath: fixed(400, 10127, "Consumer name can not contain path separators"),
  streamPath: fixed(400, 10128, "Stream name can not contain path separators"),
  durableNotName: fixed(400, 10132, "Consumer Durable and Name have to be equal if both are provided"),
  replicasNegative: fixed(400, 10133, "replicas count cannot be negative"),
  consumerMetadata: withText(400, 10135, "consumer metadata exceeds maximum size of "),
  twoFilters: fixed(400, 10136, "consumer cannot have both FilterSubject and FilterSubjects specified"),
  manyFiltersInSubject: fixed(
    400,
    10137,
    "consumer with multiple subject filters cannot use subject based API",
  ),
  overlappingFilters: fixed(400, 10138, "consumer subject filters cannot overlap"),
  emptyFilter: fixed(400, 10139, "consumer filter in FilterSubjects cannot be empty"),
  consumerExists: fixed(400, 10148, "consumer already exists"),
  consumerDoesNotExist: fixed(400, 10149, "consumer does not exist"),
  inactiveThresholdExceeded: withText(400, 10153, "consumer inactive threshold exceeds system limit of "),
  streamTransformSource: withText(400, 10155, "stream transform source: "),
  streamTransform: withText(400, 10156, "stream transform: "),
  pedantic: withText(400, 10157, "pedantic mode: "),
  policyWithoutGroup: fixed(
    400,
    10159,
    "Setting PriorityPolicy requires at least one PriorityGroup to be set",
  ),
  unknownGroup: fixed(400, 10160, "Provided priority group does not exist for this consumer"),
  emptyGroup: fixed(400, 10161, "Group name cannot be an empty string"),
  invalidGroup: fixed(
    400,
    10162,
    "Valid priority group name must match A-Z, a-z, 0-9, -_/=)+ and may not exceed 16 characters",
  ),
  wrongLastSequenceInFlight: fixed(400, 10164, "wrong last sequence"),
  ttlInvalid: fixed(400, 10165, "invalid per-message TTL"),
  ttlDisabled: fixed(400, 10166, "per-message TTL is disabled"),
  countersDisabled: fixed(400, 10168, "message counters is disabled"),
  incrementMissing: fixed(400, 10169, "message counter increment is missing"),
  incrementPayload: fixed(400, 10170, "message counter has payload"),
  incrementInvalid: fixed(400, 10171, "message counter increment is invalid"),
  counterBroken: fixed(400, 10172, "message counter is broken"),
  batchesDisabled: fixed(400, 10174, "atomic publish is disabled"),
  batchSequenceMissing: fixed(400, 10175, "atomic publish sequence is missing"),
  batchIncomplete: fixed(400, 10176, "atomic publish batch is incomplete"),
  batchHeaderUnsupported: withText(400, 10177, "atomic publish unsupported header used: "),
  pushWithGroups: fixed(400, 10178, "priority groups can not be used with push consumers"),
  batchIdInvalid: fixed(400, 10179, "atomic publish batch ID is invalid"),
  ackWaitNegative: fixed(400, 10183, "consumer ack wait needs to be positive"),
  backoffNegative: fixed(400, 10184, "consumer backoff needs to be positive"),
  requiredApiLevel: fixed(412, 10185, "JetStream minimum api level required"),
  schedulesDisabled: fixed(400, 10188, "message schedules is disabled"),
  schedulePatternInvalid: fixed(400, 10189, "message schedules pattern is invalid"),
  scheduleTargetInvalid: fixed(400, 10190, "message schedules target is invalid"),
  scheduleTtlInvalid: fixed(400, 10191, "message schedules invalid per-message TTL"),
  scheduleRollupInvalid: fixed(400, 10192, "message schedules invalid rollup"),
  missingLastSequence: fixed(400, 10193, "missing sequence for expected last sequence per subject"),
  groupsWithoutPolicy: fixed(400, 10196, "consumer can not have priority groups when policy is none"),
  pinTimeWithoutPolicy: fixed(400, 10197, "PinnedTTL cannot be set when PriorityPolicy is none"),
  batchTooLarge: withText(400, 10199, "atomic publish batch is too large: "),
  batchCommitInvalid: fixed(400, 10200, "atomic publish batch commit is invalid"),
  batchDuplicate: fixed(400, 10201, "atomic publish batch contains duplicate message id"),
  scheduleSourceInvalid: fixed(400, 10203, "message schedules source is invalid"),
  fastDisabled: fixed(400, 10205, "batch publish is disabled"),
  fastPatternInvalid: fixed(400, 10206, "batch publish pattern is invalid"),
  fastIdInvalid: fixed(400, 10207, "batch publish ID is invalid"),
  fastIdUnknown: fixed(400, 10208, "batch publish ID unknown"),
  batchesInFlight: fixed(429, 10210, "atomic publish too many inflight"),
  fastInFlight: fixed(429, 10211, "batch publish too many inflight"),
  schedulerInvalid: fixed(400, 10212, "message schedules invalid scheduler"),
  flowAcksNeedPush: fixed(400, 10218, "flow control ack policy requires a push based consumer"),
  flowAcksNeedFlow: fixed(400, 10219, "flow control ack policy requires flow control"),
  flowAcksNeedMaxPending: fixed(400, 10220, "flow control ack policy requires max ack pending"),
  flowAcksWithAckWait: fixed(400, 10221, "flow control ack policy requires unset ack wait"),
  flowAcksWithMaxDeliver: fixed(400, 10222, "flow control ack policy requires unset max deliver"),
  scheduleZoneInvalid: fixed(400, 10223, "message schedules time zone is invalid"),
  sourceNotAllowed: fixed(400, 10227, "message stream source header is not allowed"),
} as const;
