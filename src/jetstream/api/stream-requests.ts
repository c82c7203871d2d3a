/** Requests about streams and their messages. */
import { isDeepStrictEqual } from "node:util";
import { formatTime } from "../time.ts";
import { streamSurroundings } from "../bounds.ts";
import { apiErrors } from "../api-error.ts";
import { jsonOf, knownFields, readObject } from "../codec.ts";
import { checkStreamUpdate, completeStream } from "../stream/complete.ts";
import type { StreamAssets } from "../assets.ts";
import { SEQUENCE_START_MAX, streamShape, type StreamConfig } from "../stream/config.ts";
import type { Stream } from "../stream/stream.ts";
import type { StreamStore } from "../../store/stream-store.ts";
import { subjectsMeet } from "../../subject/subject.ts";
import {
  Later,
  expectEmpty,
  notClustered,
  numberOf,
  streamOf,
  textOf,
  whenKept,
  type ApiRequest,
  type Fields,
  type Handler,
  type ApiOperation,
} from "./request.ts";
import {
  fieldsOf,
  MESSAGE_DELETE_FIELDS,
  MESSAGE_GET_FIELDS,
  PURGE_FIELDS,
  STREAM_INFO_FIELDS,
  STREAM_PAGE_FIELDS,
} from "./request-fields.ts";
import { streamInfo } from "./info.ts";
import { WRITTEN } from "./written-part.ts";

const NAMES_PAGE = 1024;
const LIST_PAGE = 256;
const SUBJECTS_PAGE = 100_000;
/** Subjects, and messages, that a step looks at. */
const SUBJECTS_PER_STEP = 2000;
const MESSAGES_PER_STEP = 4000;
const NO_DETAILS = { deleted: false, subjects: null };
const NO_SUCCESS = {};
const CREATED = { did_create: true };

const create: Handler = (request) => {
  const { assets } = request;
  const config = configOf(request);
  const there = assets.streams.get(config.name);
  if (there !== undefined) {
    if (!isDeepStrictEqual(there.stream.config, config)) throw apiErrors.streamNameExists();
    return infoWhenKept(request, there, CREATED); // as nats-server answers
  }
  if (config.sealed) throw apiErrors.streamInvalidConfig("stream configuration for create can not be sealed");
  if (config.mirrorDirect && config.mirror === null)
    throw apiErrors.streamInvalidConfig("stream has no mirror but does have mirror direct");
  return infoWhenKept(request, assets.createStream(config), CREATED);
};

/** The answer tells the state of now: a mirror, say, begins to copy before it is given. */
function infoWhenKept(request: ApiRequest, assets: StreamAssets, more: Fields): Later {
  const fields = { ...streamInfo(assets, request.facts, NO_DETAILS), ...more };
  return whenKept(request, assets, null, (answer) => answer(fields));
}

const update: Handler = (request) => {
  const config = configOf(request);
  const there = streamOf(request, config.name);
  const next = checkStreamUpdate(there.stream.config, config);
  checkConsumersWithin(next, there);
  request.assets.usage.check(next, there.stream.config);
  request.assets.updateStream(there, next);
  return infoWhenKept(request, there, {});
};

/** Limits of consumers that become lower have to suit those that there are. Throws `ApiError`. */
function checkConsumersWithin(next: StreamConfig, { stream, consumers }: StreamAssets): void {
  const before = stream.config.consumerLimits;
  const { inactiveThresholdNs = 0, maxAckPending = 0 } = next.consumerLimits ?? {};
  if (inactiveThresholdNs === before?.inactiveThresholdNs && maxAckPending === before.maxAckPending) return;
  const beyond = [...consumers.values()].filter(
    ({ config }) =>
      (inactiveThresholdNs > 0 && config.inactiveThresholdNs > inactiveThresholdNs) ||
      (maxAckPending > 0 && config.maxAckPending > maxAckPending),
  );
  if (beyond.length === 0) return;
  throw apiErrors.streamUpdate(
    `change to limits violates consumers: ${beyond.map(({ name }) => name).join(", ")}`,
  );
}

type ConfigRequest = Pick<ApiRequest, "payload" | "names" | "facts"> & {
  readonly assets: Parameters<typeof streamSurroundings>[0];
};

/** Throws `ApiError`. */
export function configOf({ payload, names: [name], facts, assets }: ConfigRequest): StreamConfig {
  const body = jsonOf(payload);
  const asked = facts.isStrict ? body : knownFields(streamShape, body);
  const config = readObject(streamShape, asked, ["pedantic"]);
  if (config.name !== name) throw apiErrors.streamMismatch();
  return completeStream(config, isPedantic(body) ? "pedantic" : "lenient", streamSurroundings(assets));
}

function isPedantic(body: unknown): boolean {
  return (body as { pedantic?: unknown }).pedantic === true;
}

const info: Handler = (request) => {
  const { names, facts } = request;
  const body = fieldsOf(request, STREAM_INFO_FIELDS);
  const there = streamOf(request, names[0]!);
  const filter = textOf(body, "subjects_filter");
  const deleted = body["deleted_details"] === true;
  const cluster = request.assets.clusterOf(there.stream.config.name);
  if (filter === "") return { ...NO_PAGE, ...streamInfo(there, facts, { deleted, subjects: null, cluster }) };
  const offset = numberOf(body, "offset");
  return new Later((answer) =>
    countSubjects(there.stream, { filter, offset }, ({ total, json }) => {
      const paging = { total, offset, limit: SUBJECTS_PAGE };
      const about = streamInfo(there, facts, { deleted, subjects: WRITTEN, cluster });
      answer({ ...paging, ...about }, { name: "subjects", json });
    }),
  );
};

interface SubjectsPage {
  readonly total: number;
  readonly json: string;
}

/** Counts the messages of each subject of a page of those that the filter covers, in steps. */
function countSubjects(
  { store, longWork }: Stream,
  { filter, offset }: { readonly filter: string; readonly offset: number },
  done: (page: SubjectsPage) => void,
): void {
  const numbers = store.numbersInSteps(filter, SUBJECTS_PER_STEP);
  const pieces: string[] = [];
  let total = 0;
  longWork.begin(() => {
    const members: string[] = [];
    let next = numbers.next();
    for (; next.done !== true && next.value !== 0; next = numbers.next()) {
      const number = next.value;
      if (total >= offset && total < offset + SUBJECTS_PAGE)
        members.push(`${JSON.stringify(store.subjects.nameOf(number))}:${store.subjects.countOf(number)}`);
      total++;
    }
    if (members.length > 0) pieces.push(members.join(","));
    if (next.done !== true) return "more";
    done({ total, json: `{${pieces.join(",")}}` });
    return "done";
  });
}

const names: Handler = (request) => {
  const { offset, found } = matching(request);
  const streams = found.slice(offset, offset + NAMES_PAGE).map(({ stream }) => stream.config.name);
  return { total: found.length, offset, limit: NAMES_PAGE, streams: streams.length === 0 ? null : streams };
};

const list: Handler = (request) => {
  const { offset, found } = matching(request);
  const streams = found
    .slice(offset, offset + LIST_PAGE)
    .map((one) => streamInfo(one, request.facts, { ...NO_DETAILS, isListed: true }));
  return { total: found.length, offset, limit: LIST_PAGE, streams };
};

function matching(request: ApiRequest) {
  const { assets } = request;
  const body = fieldsOf(request, STREAM_PAGE_FIELDS);
  const subject = textOf(body, "subject");
  const found = [...assets.streams.values()]
    .filter(
      ({ stream }) => subject === "" || stream.config.subjects.some((one) => subjectsMeet(one, subject)),
    )
    .sort((a, b) => (a.stream.config.name < b.stream.config.name ? -1 : 1));
  return { offset: Math.min(numberOf(body, "offset"), found.length), found };
}

const remove: Handler = (request) => {
  expectEmpty(request.payload);
  request.assets.deleteStream(streamOf(request, request.names[0]!));
  return { success: true };
};

const purge: Handler = (request) => {
  const body = fieldsOf(request, PURGE_FIELDS);
  const { stream } = streamOf(request, request.names[0]!);
  const shared = request.assets.sharedStream(stream.config.name);
  if (stream.config.sealed) throw apiErrors.sealed();
  if (stream.config.denyPurge) throw apiErrors.purgeFailed("stream purge not permitted");
  const below = numberOf(body, "seq");
  const keep = numberOf(body, "keep");
  if (below > 0 && keep > 0) throw apiErrors.badRequest();
  if (below > Math.max(SEQUENCE_START_MAX, stream.store.last + 1))
    throw apiErrors.purgeFailed(
      `sequence ${below} is not supported by this server, the largest is ${SEQUENCE_START_MAX}`,
    );
  const filter = textOf(body, "filter");
  const options = { filter: filter === "" ? null : filter, below, keep };
  return new Later((answer) => {
    if (shared === null) stream.removals.purge(options, (purged) => answer({ success: true, purged }));
    else shared.purge(options, (purged) => void (purged !== null && answer({ success: true, purged })));
  });
};

const getMessage: Handler = (request) => {
  const body = fieldsOf(request, MESSAGE_GET_FIELDS);
  const { stream } = streamOf(request, request.names[0]!);
  const sequence = numberOf(body, "seq");
  const last = textOf(body, "last_by_subj");
  const next = textOf(body, "next_by_subj");
  if (
    request.payload === "" ||
    (sequence > 0 && last !== "") ||
    (last !== "" && next !== "") ||
    (sequence === 0 && last === "" && next === "")
  )
    throw apiErrors.badRequest();
  const { store, longWork } = stream;
  const read = (at: number): Fields | null => messageAt(store, at, body["no_hdr"] === true);
  const orRefuse = (fields: Fields | null): Fields => {
    if (fields === null) throw apiErrors.noMessage();
    return fields;
  };
  if (next === "") return orRefuse(read(last === "" ? sequence : store.lastMatching(last)));
  let at = store.nextWithin(sequence, [next], store.last, MESSAGES_PER_STEP);
  if (at >= 0) return orRefuse(read(at));
  return new Later((answer) =>
    longWork.begin(() => {
      at = store.nextWithin(-at, [next], store.last, MESSAGES_PER_STEP);
      if (at < 0) return "more";
      const { code, errorCode, message } = apiErrors.noMessage();
      answer(read(at) ?? { error: { code, err_code: errorCode, description: message } });
      return "done";
    }),
  );
};

/** null: there is none, or it is damaged. */
function messageAt(store: StreamStore, at: number, isHeadless: boolean): Fields | null {
  const view = at === 0 ? null : store.read(at);
  if (view === null) return null;
  const headers = view.body.subarray(0, view.headerLength);
  const data = view.body.subarray(view.headerLength);
  return {
    message: {
      subject: view.subject,
      seq: at,
      ...(headers.length === 0 || isHeadless ? {} : { hdrs: headers.toString("base64") }),
      ...(data.length === 0 ? {} : { data: data.toString("base64") }),
      time: formatTime(view.timeNs),
    },
  };
}

const deleteMessage: Handler = (request) => {
  const body = fieldsOf(request, MESSAGE_DELETE_FIELDS);
  if (request.payload === "") throw apiErrors.badRequest();
  const { stream } = streamOf(request, request.names[0]!);
  if (stream.config.sealed) throw apiErrors.sealed();
  if (stream.config.denyDelete) throw apiErrors.messageDelete("message delete not permitted");
  const sequence = numberOf(body, "seq");
  if (sequence === 0) throw apiErrors.badRequest();
  const how = body["no_erase"] === true ? "forget" : "erase";
  const shared = request.assets.sharedStream(stream.config.name);
  if (shared !== null && stream.store.has(sequence))
    return new Later((answer) =>
      shared.delete(sequence, how, (gone) => gone !== null && answer({ success: true })),
    );
  if (!stream.remove(sequence, how)) throw apiErrors.sequenceNotFound(sequence);
  return { success: true };
};

/** What belongs to clusters alone. */

const NAME: readonly [number, number] = [1, 1];
const NO_PAGE = { total: 0, offset: 0, limit: 0 };

export const streamRequests: readonly ApiOperation[] = [
  { subject: "STREAM.CREATE", names: NAME, type: "stream_create", handle: create },
  { subject: "STREAM.UPDATE", names: NAME, type: "stream_update", handle: update },
  {
    subject: "STREAM.NAMES",
    names: [0, 0],
    type: "stream_names",
    kind: "list",
    handle: names,
    refusal: { ...NO_PAGE, streams: null },
  },
  {
    subject: "STREAM.LIST",
    names: [0, 0],
    type: "stream_list",
    kind: "list",
    handle: list,
    refusal: { ...NO_PAGE, streams: [] },
  },
  {
    subject: "STREAM.INFO",
    names: NAME,
    type: "stream_info",
    kind: "information",
    handle: info,
    refusal: NO_PAGE,
  },
  { subject: "STREAM.DELETE", names: NAME, type: "stream_delete", handle: remove, refusal: NO_SUCCESS },
  { subject: "STREAM.PURGE", names: NAME, type: "stream_purge", handle: purge, refusal: { purged: 0 } },
  { subject: "STREAM.MSG.GET", names: NAME, type: "stream_msg_get", kind: "information", handle: getMessage },
  { subject: "STREAM.MSG.DELETE", names: NAME, type: "stream_msg_delete", handle: deleteMessage },
  {
    subject: "STREAM.LEADER.STEPDOWN",
    names: NAME,
    type: "stream_leader_stepdown",
    kind: "information",
    handle: notClustered,
  },
  {
    subject: "STREAM.PEER.REMOVE",
    names: NAME,
    type: "stream_remove_peer",
    kind: "information",
    handle: notClustered,
  },
  {
    subject: "STREAM.PEER.EVACUATE",
    names: NAME,
    type: "stream_evacuate_peer",
    kind: "information",
    handle: notClustered,
  },
  {
    subject: "STREAM.CANCEL_MOVE",
    names: NAME,
    type: "stream_cancel_move",
    kind: "information",
    handle: notClustered,
  },
];
