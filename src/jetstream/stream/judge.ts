/**
 * Decides whether a message is accepted: limits, expected sequences, duplicates, and what its headers ask for. The result is an
 * operation, which replicas apply without judging it again. The order of the checks is nats-server's, since it decides which of
 * several errors a publisher gets.
 */
import { assert } from "../../base/assert.ts";
import type { Transform } from "../../subject/transform.ts";
import { apiErrors, type ApiError } from "../api-error.ts";
import { MessageHeaders } from "../headers.ts";
import { withHeader, withoutHeader } from "../header-edits.ts";
import type { AccountHost, Incoming } from "../host.ts";
import { transformOf, type StreamConfig } from "./config.ts";
import { count, type Counted } from "./counter.ts";
import type { Duplicates } from "./duplicates.ts";
import type { JudgedStore } from "./judged-store.ts";
import { judgeSchedule, scheduleOf, type Schedule } from "./schedule.ts";
import { readTtl } from "./ttl.ts";

/** An accepted message: everything that a replica needs. */
export interface Operation {
  readonly subject: string;
  readonly headerLength: number;
  /** Headers and payload. */
  readonly body: Uint8Array;
  readonly timeNs: bigint;
  readonly id: string | null;
  readonly rollup: "sub" | "all" | null;
  /** Seconds until it expires; 0: not by this; below 0: never, whatever `max_age` says. */
  readonly ttlSeconds: number;
  /** What a counter has come to; null: it is none. */
  readonly value: string | null;
  /** What it says about a schedule, its own or the one that made it; null: nothing. */
  readonly schedule: Schedule | null;
  /** It takes a sequence and is not kept, since no consumer wants it: what the leader of a replicated stream has found. */
  readonly isUnwanted?: boolean;
}

/** Where a mirror keeps a message, and since when it is there. */
export interface Place {
  readonly sequence: number;
  readonly timeNs: bigint;
}

/** "published": by a client. "batched": by a client, in a batch. "trusted": made by the server itself, or taken from another stream. */
export type Trust = "published" | "batched" | "trusted";

export interface JudgedStream {
  readonly config: StreamConfig;
  readonly store: JudgedStore;
  readonly duplicates: Pick<Duplicates, "find">;
  /** The id of the message that was stored last; null: it had none. */
  readonly lastId: string | null;
  /** Why nothing can be stored; "": all is well. */
  readonly problem: string;
  readonly host: AccountHost;
}

/** What may still be stored. */
export interface Room {
  /** Infinity: no limit. */
  bytesLeft(): number;
  /** What a publisher is told whose message finds no room: whether it is the account's or the server's limit. */
  refusal(): ApiError;
}

/** nats-server keeps the length of headers in 16 bits. */
const HEADERS_MAX = 65_535;
const SUBJECT_MAX = 65_535;

export class Judge {
  private readonly stream: JudgedStream;
  private readonly room: Room;
  private transform: Transform | null = null;

  constructor(stream: JudgedStream, room: Room) {
    this.stream = stream;
    this.room = room;
    this.configure(stream.config);
  }

  configure({ subjectTransform }: StreamConfig): void {
    this.transform = transformOf(subjectTransform);
  }

  /**
   * The operation to apply, the sequence of which the message is a duplicate, or the headers of one that belongs to a batch. Throws
   * `ApiError`.
   */
  judge(message: Incoming, origin: Trust): Operation | number | MessageHeaders {
    const { stream } = this;
    const { config, store, host } = stream;
    if (stream.problem !== "") throw apiErrors.insufficientStorage();
    if (config.sealed) throw apiErrors.sealed();
    const timeNs = host.nowNs();
    const subject = this.subjectOf(message.subject);
    this.judgeSize(message);
    assert(store.last < Number.MAX_SAFE_INTEGER, "sequences stay whole numbers");
    if (message.headerLength > 0) return this.judgeWithHeaders(message, subject, timeNs, origin);
    if (config.allowCounter) throw apiErrors.incrementMissing();
    const { headerLength, body } = message;
    this.judgeRoom(subject, body, headerLength, "no rollup");
    return {
      subject,
      headerLength,
      body,
      timeNs,
      id: null,
      rollup: null,
      ttlSeconds: 0,
      value: null,
      schedule: null,
    };
  }

  private judgeWithHeaders(
    message: Incoming,
    subject: string,
    timeNs: bigint,
    origin: Trust,
  ): Operation | number | MessageHeaders {
    const { config, duplicates, lastId } = this.stream;
    const block = Buffer.from(message.body.buffer, message.body.byteOffset, message.headerLength);
    const headers = new MessageHeaders(block.toString("latin1"));
    const draft = { headers: headers.block, payload: message.body.subarray(message.headerLength) };
    if (origin === "published" && hasValue(headers, "Nats-Batch-Id")) return headers;
    const isPublished = origin !== "trusted";
    const counted = this.judgeCounter(headers, message, subject, isPublished);
    this.judgeExpectations(headers, subject);
    if (isPublished && !config.allowMessageTtl && (readTtl(headers.get("Nats-TTL")) ?? 0) !== 0)
      throw apiErrors.ttlDisabled();
    if (isPublished) {
      this.judgeLastSequence(headers);
      if (judgeSchedule(headers, subject, this.stream, timeNs) && !hasValue(headers, "Nats-Rollup"))
        draft.headers = withHeader(draft.headers, "Nats-Rollup", "sub");
      if (hasValue(headers, "Nats-Stream-Source")) throw apiErrors.sourceNotAllowed();
    }
    const id = headers.get("Nats-Msg-Id") || null;
    if (id !== null && config.mirror === null) {
      const sequence = duplicates.find(id, timeNs);
      if (sequence !== 0) return sequence;
    }
    const expectedId = headers.get("Nats-Expected-Last-Msg-Id") ?? "";
    if (expectedId !== "" && expectedId !== (lastId ?? "")) throw apiErrors.wrongLastMessageId(lastId ?? "");
    const rollup = this.judgeRollup(new MessageHeaders(draft.headers), isPublished);
    if (config.allowCounter && counted === null) throw apiErrors.incrementMissing();
    if (counted !== null) Object.assign(draft, { headers: counted.headers, payload: counted.payload });
    const ttlSeconds = this.judgeTtl(headers, draft);
    const { headerLength, body } = this.bodyOf(draft, message);
    this.judgeRoom(subject, body, headerLength, rollup === null ? "no rollup" : "rollup");
    const schedule = config.allowSchedules ? scheduleOf(new MessageHeaders(draft.headers), timeNs) : null;
    const value = counted?.value ?? null;
    return { subject, headerLength, body, timeNs, id, rollup, ttlSeconds, value, schedule };
  }

  /** Under which subject a message is stored. */
  subjectOf(published: string): string {
    const { transform, stream } = this;
    if (transform === null) return published;
    const subject = transform.match(published, stream.host.random) ?? published;
    if (subject.length > SUBJECT_MAX) throw apiErrors.storeFailed("message size exceeds maximum allowed");
    return subject;
  }

  private judgeSize({ headerLength, body }: Pick<Incoming, "headerLength" | "body">): void {
    const { maxMessageBytes } = this.stream.config;
    if (maxMessageBytes >= 0 && body.length > maxMessageBytes) throw apiErrors.messageTooLarge();
    if (headerLength > HEADERS_MAX) throw apiErrors.headersTooLarge();
  }

  private judgeCounter(
    headers: MessageHeaders,
    message: Incoming,
    subject: string,
    isPublished: boolean,
  ): Counted | null {
    const { config, store } = this.stream;
    const text = headers.get("Nats-Incr") ?? "";
    if (text === "") return null;
    if (!/^[+-]?\d+$/.test(text)) throw apiErrors.incrementInvalid();
    if (isPublished) {
      if (!config.allowCounter) throw apiErrors.countersDisabled();
      if (message.body.length > message.headerLength) throw apiErrors.incrementPayload();
      if (NOT_WITH_COUNTERS.some((name) => hasValue(headers, name))) throw apiErrors.incrementInvalid();
    }
    if (!config.allowCounter) return null;
    return count({
      headers,
      increment: BigInt(text),
      payload: message.body.subarray(message.headerLength),
      subject,
      store,
    });
  }

  private judgeExpectations(headers: MessageHeaders, subject: string): void {
    const { config, store } = this.stream;
    const stream = headers.get("Nats-Expected-Stream") ?? "";
    if (stream !== "" && stream !== config.name) throw apiErrors.expectedStream();
    const ofSubject = headers.get("Nats-Expected-Last-Subject-Sequence") ?? "";
    const pattern = headers.get("Nats-Expected-Last-Subject-Sequence-Subject") ?? "";
    if (ofSubject === "" && pattern !== "") throw apiErrors.missingLastSequence();
    if (ofSubject === "") return;
    const there = store.lastMatching(pattern === "" ? subject : pattern);
    if (Number(ofSubject) !== there) throw apiErrors.wrongLastSequence(there);
  }

  private judgeLastSequence(headers: MessageHeaders): void {
    const { store } = this.stream;
    const last = headers.get("Nats-Expected-Last-Sequence") ?? "";
    if (last !== "" && Number(last) !== store.last) throw apiErrors.wrongLastSequence(store.last);
  }

  private judgeRollup(headers: MessageHeaders, isPublished: boolean): Operation["rollup"] {
    const value = headers.get("Nats-Rollup") ?? "";
    if (value === "") return null;
    const isAllowed = this.stream.config.allowRollup && !this.stream.config.denyPurge;
    if (!isAllowed && isPublished) throw apiErrors.rollupFailed("rollup not permitted");
    const rollup = value.toLowerCase();
    if (rollup !== "sub" && rollup !== "all")
      throw apiErrors.rollupFailed(`rollup value invalid: ${JSON.stringify(rollup)}`);
    return isAllowed ? rollup : null;
  }

  /** A time shorter than that of delete markers is raised to it: otherwise a marker could outlive what it marks. */
  private judgeTtl(headers: MessageHeaders, draft: { headers: string }): number {
    const { config } = this.stream;
    const ttl = readTtl(headers.get("Nats-TTL"));
    if (ttl === null) throw apiErrors.ttlInvalid();
    const least = Math.floor(config.deleteMarkerTtlNs / 1e9);
    if (ttl <= 0 || least === 0 || config.maxPerSubject === 1 || ttl >= least) return ttl;
    draft.headers = withHeader(withoutHeader(draft.headers, "Nats-TTL"), "Nats-TTL", `${least}`);
    return least;
  }

  /** The body with the headers as they are to be stored. */
  private bodyOf(
    { headers, payload }: { headers: string; payload: Uint8Array },
    message: Incoming,
  ): Pick<Incoming, "headerLength" | "body"> {
    const isSame =
      headers.length === message.headerLength && headers.length + payload.length === message.body.length;
    const changed =
      !isSame || payload.buffer !== message.body.buffer
        ? { headerLength: headers.length, body: Buffer.concat([Buffer.from(headers, "latin1"), payload]) }
        : message;
    this.judgeSize(changed);
    return changed;
  }

  private judgeRoom(
    subject: string,
    body: Uint8Array,
    headerLength: number,
    kind: "rollup" | "no rollup",
  ): void {
    const { config, store } = this.stream;
    if (body.length > this.room.bytesLeft()) throw this.room.refusal();
    if (config.discard !== "new") return;
    const ofSubject = store.countOf(subject);
    const isFullSubject = config.maxPerSubject > 0 && ofSubject >= config.maxPerSubject;
    if (isFullSubject && config.discardNewPerSubject && kind !== "rollup")
      throw apiErrors.storeFailed("maximum messages per subject exceeded");
    const freed = isFullSubject ? 1 : 0;
    if (config.maxMessages > 0 && store.messages - freed >= config.maxMessages)
      throw apiErrors.storeFailed("maximum messages exceeded");
    const freedBytes = isFullSubject ? store.bytesOf(store.firstOf(subject)) : 0;
    const more = store.bytesFor({ subject, headerLength, body });
    if (config.maxBytes > 0 && store.bytes - freedBytes + more > config.maxBytes)
      throw apiErrors.storeFailed("maximum bytes exceeded");
  }
}

const NOT_WITH_COUNTERS = [
  "Nats-Rollup",
  "Nats-Expected-Stream",
  "Nats-Expected-Last-Msg-Id",
  "Nats-Expected-Last-Subject-Sequence-Subject",
  "Nats-Expected-Last-Sequence",
  "Nats-Expected-Last-Subject-Sequence",
];

function hasValue(headers: MessageHeaders, name: string): boolean {
  return (headers.get(name) ?? "") !== "";
}
