/** Refuses a wrong mirror or wrong sources, in nats-server's order and words. */
import { MappingError } from "../../subject/mapping-error.ts";
import { hasWildcard, isValidSubject, subjectCovers, subjectsMeet } from "../../subject/subject.ts";
import { apiErrors } from "../api-error.ts";
import { isValidName, transformOf, type StreamConfig, type Strictness } from "./config.ts";
import { originKey, qualifiedName, type OriginConfig, type SubjectTransform } from "./origin-config.ts";

/** The configuration of another stream of the account; null: there is none. */
export type FindStream = (name: string) => StreamConfig | null;

const API = "$JS.API";

/** The configuration with what a mirror takes over from its origin. Throws `ApiError`. */
export function completeOrigins(
  config: StreamConfig,
  find: FindStream,
  strictness: Strictness,
): StreamConfig {
  const { mirror, sources } = config;
  if (mirror === null && sources.length === 0) return config;
  const complete = mirror === null ? config : completeMirror(config, mirror, find, strictness);
  checkSources(config, find);
  const all = mirror === null ? sources : [mirror];
  checkPrefixes(all, find);
  checkCycles(complete, find);
  return complete;
}

/** Why there is no such transform; null: there is one. */
export function transformProblem(source: string, destination: string): string | null {
  try {
    transformOf({ source, destination });
    return null;
  } catch (error) {
    if (error instanceof MappingError) return error.message;
    throw error;
  }
}

function completeMirror(
  config: StreamConfig,
  mirror: OriginConfig,
  find: FindStream,
  strictness: Strictness,
): StreamConfig {
  if (config.firstSequence > 0) throw apiErrors.mirrorWithFirstSequence();
  if (config.subjects.length > 0) throw apiErrors.mirrorWithSubjects();
  if (config.sources.length > 0) throw apiErrors.mirrorWithSources();
  if (config.allowCounter) throw apiErrors.mirrorWithCounters();
  if (config.allowAtomic) throw apiErrors.mirrorWithAtomic();
  if (config.allowBatched) throw apiErrors.mirrorWithBatches();
  if (config.allowSchedules) throw apiErrors.mirrorWithSchedules();
  if (!isValidConsumer(mirror)) throw apiErrors.mirrorConsumerInvalid();
  if (mirror.filter !== "" && mirror.transforms.length > 0) throw apiErrors.mirrorTwoFilters();
  if (config.deleteMarkerTtlNs > 0)
    throw apiErrors.streamInvalidConfig("subject delete markers forbidden on mirrors");
  checkTransforms(mirror.transforms, {
    source: apiErrors.mirrorTransformSource,
    destination: apiErrors.mirrorTransform,
    overlap: apiErrors.mirrorFiltersOverlap,
    meet: subjectsMeet,
  });
  if (mirror.external !== null) return config;
  if (!isValidName(mirror.name)) throw apiErrors.mirrorNameInvalid();
  const origin = find(mirror.name);
  if (origin === null) return config;
  if (isSmaller(config, origin)) throw apiErrors.mirrorMessagesTooLarge();
  if (strictness === "pedantic" && config.mirrorDirect !== origin.allowDirect)
    throw apiErrors.pedantic("origin stream has direct get set, mirror has it disabled");
  return { ...config, mirrorDirect: origin.allowDirect };
}

function checkSources(config: StreamConfig, find: FindStream): void {
  if (config.sources.length > 0 && config.allowSchedules) throw apiErrors.sourceWithSchedules();
  const keys = new Set<string>();
  const consumers = new Set<string>();
  for (const source of config.sources) {
    if (!isValidName(source.name)) throw apiErrors.sourceNameInvalid();
    const key = originKey(source);
    if (keys.has(key)) throw apiErrors.sourceTwice();
    keys.add(key);
    if (source.filter !== "" && source.transforms.length > 0) throw apiErrors.sourceTwoFilters();
    checkTransforms(source.transforms, {
      source: apiErrors.sourceTransformSource,
      destination: apiErrors.sourceTransform,
      overlap: apiErrors.sourceFiltersOverlap,
      meet: (one, other) => subjectCovers(other, one),
    });
    if (!isValidConsumer(source)) throw apiErrors.sourceConsumerInvalid();
    if (source.consumer !== null) {
      const consumer = `${qualifiedName(source)} ${source.consumer.name}`;
      if (consumers.has(consumer)) throw apiErrors.sourceConsumerTwice();
      consumers.add(consumer);
    }
    const origin = source.external === null ? find(source.name) : null;
    if (origin !== null && isSmaller(config, origin)) throw apiErrors.sourceMessagesTooLarge();
  }
}

interface TransformRules {
  readonly source: (problem: string) => Error;
  readonly destination: (problem: string) => Error;
  readonly overlap: () => Error;
  meet(one: string, other: string): boolean;
}

function checkTransforms(transforms: readonly SubjectTransform[], rules: TransformRules): void {
  for (const { source, destination } of transforms) {
    if (source !== "" && !isValidSubject(source)) throw rules.source(`invalid subject ${source}`);
    const problem = transformProblem(source, destination);
    if (problem !== null) throw rules.destination(problem);
  }
  for (const [i, one] of transforms.entries()) {
    if (transforms.some((other, at) => at !== i && rules.meet(one.source, other.source)))
      throw rules.overlap();
  }
}

/** A consumer that was made before says itself where it begins and what it filters. */
function isValidConsumer({ consumer, startSequence, startTime, filter }: OriginConfig): boolean {
  if (consumer === null) return true;
  const { name, deliverSubject } = consumer;
  const isDeliverable = isValidSubject(deliverSubject) && !hasWildcard(deliverSubject);
  return isValidName(name) && isDeliverable && startSequence === 0 && startTime === "" && filter === "";
}

function isSmaller({ maxMessageBytes }: StreamConfig, origin: StreamConfig): boolean {
  return maxMessageBytes > 0 && origin.maxMessageBytes > 0 && maxMessageBytes < origin.maxMessageBytes;
}

function checkPrefixes(origins: readonly OriginConfig[], find: FindStream): void {
  const subjects = origins.flatMap(({ external, name }) =>
    external === null ? (find(name)?.subjects ?? []) : [],
  );
  const externals = origins.flatMap(({ external }) => (external === null ? [] : [external]));
  for (const { deliver } of externals) {
    if (deliver === "") continue;
    if (!isPublishable(deliver)) throw apiErrors.externalDeliverInvalid(deliver);
    for (const subject of subjects)
      if (subjectsMeet(subject, `${deliver}.${subject}`))
        throw apiErrors.externalDeliverOverlaps(deliver, subject);
  }
  for (const { api } of externals) {
    if (api === "") continue;
    if (!isPublishable(api))
      throw apiErrors.streamInvalidConfig(
        `stream external api prefix ${JSON.stringify(api)} must be a valid subject without wildcards`,
      );
    if (subjectsMeet(api, API)) throw apiErrors.externalApiOverlaps(api, API);
  }
}

function isPublishable(subject: string): boolean {
  return isValidSubject(subject) && !hasWildcard(subject);
}

/** Whether messages could come back to the stream that they were taken from. */
function checkCycles(config: StreamConfig, find: FindStream): void {
  const visited = new Set<string>();
  const toVisit = [config];
  for (let at = toVisit.shift(); at !== undefined; at = toVisit.shift()) {
    visited.add(at.name);
    const { subjects } = at;
    for (const { name, external, filter } of at.sources) {
      if (external !== null) continue;
      if (visited.has(name)) {
        if (filter === "" || subjects.some((subject) => subjectsMeet(subject, filter))) throw cycle();
      } else visit(name);
    }
    if (at.mirror === null || at.mirror.external !== null) continue;
    if (visited.has(at.mirror.name)) throw cycle();
    visit(at.mirror.name);
  }

  function visit(name: string): void {
    const found = find(name);
    if (found !== null) toVisit.push(found);
  }
}

function cycle(): Error {
  return apiErrors.streamInvalidConfig("detected cycle");
}
