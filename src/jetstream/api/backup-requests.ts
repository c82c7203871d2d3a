/** Requests for backups of streams, and for streams of backups. */
import { isValidSubject, hasWildcard } from "../../subject/subject.ts";
import { advise } from "../advisories.ts";
import { streamSurroundings } from "../bounds.ts";
import { apiErrors, ApiError } from "../api-error.ts";
import type { StreamAssets } from "../assets.ts";
import { knownFields, readObject } from "../codec.ts";
import { completeStream } from "../stream/complete.ts";
import { isReserved, streamShape, type StreamConfig } from "../stream/config.ts";
import { formatTime } from "../time.ts";
import type { Backups } from "./backups.ts";
import { streamConfig, streamInfo, streamState, type AnswerFacts } from "./info.ts";
import {
  askedBy,
  numberOf,
  streamOf,
  textOf,
  type ApiRequest,
  type Fields,
  type Handler,
  type ApiOperation,
} from "./request.ts";
import { fieldsOf, RESTORE_FIELDS, SNAPSHOT_FIELDS } from "./request-fields.ts";
import { Restore, type RestoreOptions } from "./restore.ts";
import { Snapshot } from "./snapshot.ts";

const CHUNK_BYTES = { standard: 128 * 1024, least: 1024, most: 1024 * 1024 };
const WINDOW_BYTES = { standard: 8 * 1024 * 1024, least: 1024, most: 32 * 1024 * 1024 };
const NO_DETAILS = { deleted: false, subjects: null };

const snapshot: Handler = (request) => {
  const { payload, names, facts, assets: account, backups } = request;
  if (payload === "" || payload === "{}") throw apiErrors.badRequest();
  const assets = streamOf(request, names[0]!);
  const body = fieldsOf(request, SNAPSHOT_FIELDS);
  const to = textOf(body, "deliver_subject");
  if (!isValidSubject(to) || hasWildcard(to) || /\s/.test(to) || isReserved(to))
    throw apiErrors.snapshotDeliverInvalid();
  if (!backups.hasRoom)
    throw apiErrors.snapshotFailed("as many backups as may be are under way: try again later");
  const { stream } = assets;
  const { host } = account;
  const { name } = stream.config;
  const chunkBytes = clamp(numberOf(body, "chunk_size"), CHUNK_BYTES);
  const windowBytes = Math.max(chunkBytes, clamp(numberOf(body, "window_size"), WINDOW_BYTES));
  const state = streamState(assets, NO_DETAILS);
  const start = formatTime(host.nowNs());
  const asked = askedBy(request.origin);
  const withConsumers = body["no_consumers"] !== true;
  host.afterwards(() => {
    advise(host, `STREAM.SNAPSHOT_CREATE.${name}`, "snapshot_create", { stream: name, state, ...asked });
    const one: Snapshot = new Snapshot({
      ...{ assets, state, to, chunkBytes, withConsumers },
      chunksMax: Math.floor(windowBytes / chunkBytes),
      ended: (problem) => {
        backups.ended(one);
        const error = problem === "" ? {} : { error: problem };
        const fields = { stream: name, start, end: formatTime(host.nowNs()), ...error, ...asked };
        advise(host, `STREAM.SNAPSHOT_COMPLETE.${name}`, "snapshot_complete", fields);
      },
    });
    backups.saving(one);
  });
  return { config: streamConfig(stream, facts, "listed"), state };
};

function clamp(value: number, { standard, least, most }: typeof CHUNK_BYTES): number {
  return value === 0 ? standard : Math.min(Math.max(least, value), most);
}

const restore: Handler = (request) => {
  const { payload, assets, backups, facts } = request;
  if (payload === "" || payload === "{}") throw apiErrors.badRequest();
  const config = restoredConfig(request);
  assets.usage.check(config, null);
  const made = beginRestore({
    ...{ assets, backups, config, facts },
    asked: askedBy(request.origin),
    becomes: "the same",
    settle: (stream) => stream.finish(),
  });
  return { deliver_subject: made.subject };
};

export interface RestoreBegin extends Pick<RestoreOptions, "assets" | "config" | "becomes" | "settle"> {
  readonly backups: Backups;
  readonly facts: AnswerFacts;
  /** The client that asked, as advisories show it. */
  readonly asked: Fields;
}

/** Takes a backup in from now on. Throws `ApiError`, `DiskError`. */
export function beginRestore(begin: RestoreBegin): Restore {
  const { assets, backups, config, facts, asked, becomes, settle } = begin;
  const { name } = config;
  if (assets.streams.has(name) || backups.isRestoring(name)) throw apiErrors.restoreNameTaken();
  if (!backups.hasRoom)
    throw apiErrors.restoreFailed("as many restores as may be are under way: try again later");
  const { host } = assets;
  const start = formatTime(host.nowNs());
  advise(host, `STREAM.RESTORE_CREATE.${name}`, "restore_create", { stream: name, ...asked });
  const made: Restore = new Restore({
    ...{ assets, config, becomes, settle },
    otherBytes: () => backups.otherBytes(name, config.storage),
    answer: (result) => answerOf(result, facts),
    ended: () => {
      backups.ended(made, name);
      const fields = { stream: name, start, end: formatTime(host.nowNs()), bytes: made.bytes, ...asked };
      advise(host, `STREAM.RESTORE_COMPLETE.${name}`, "restore_complete", fields);
    },
  });
  backups.restoringTo(name, made);
  return made;
}

function answerOf(result: StreamAssets | ApiError, facts: AnswerFacts): Record<string, unknown> {
  const type = "io.nats.jetstream.api.v1.stream_create_response";
  if (!(result instanceof ApiError)) return { type, ...streamInfo(result, facts, NO_DETAILS) };
  return { type, error: { code: result.code, err_code: result.errorCode, description: result.message } };
}

interface ConfigRequest extends Pick<ApiRequest, "names" | "payload" | "facts"> {
  readonly assets: Parameters<typeof streamSurroundings>[0];
}

/** The configuration of the stream that a backup is to become. Throws `ApiError`. */
export function restoredConfig(request: ConfigRequest): StreamConfig {
  const { names, assets } = request;
  const [name] = names;
  const asked = fieldsOf(request, RESTORE_FIELDS)["config"];
  const read = readObject(streamShape, knownFields(streamShape, asked ?? {}));
  const config = read.name === "" ? { ...read, name: name! } : read;
  if (config.name !== name) throw apiErrors.streamMismatch();
  if (/[\\/]/.test(config.name)) throw apiErrors.streamPath();
  return completeStream(config, "lenient", streamSurroundings(assets));
}

const NAME: readonly [number, number] = [1, 1];

export const backupRequests: readonly ApiOperation[] = [
  { subject: "STREAM.SNAPSHOT", names: NAME, type: "stream_snapshot", handle: snapshot },
  {
    subject: "STREAM.RESTORE",
    names: NAME,
    type: "stream_restore",
    handle: restore,
    refusal: { deliver_subject: "" },
  },
];
