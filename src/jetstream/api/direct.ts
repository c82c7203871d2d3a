/**
 * Direct gets: messages read without the consumer machinery, answered as messages themselves. Several at once are sent in pieces, so
 * that others have their turn.
 */
import { parseJsonBytes } from "../../base/json.ts";
import { formatTime, isTime, timeNsOf } from "../time.ts";
import { statusBlock, VERSION_LINE } from "../headers.ts";
import type { StreamStore } from "../../store/stream-store.ts";
import type { RecordView } from "../../store/record.ts";
import { payloadOf, type AccountHost, type Incoming } from "../host.ts";
import type { Origins } from "../origins/origins.ts";
import { LastGets } from "./last-gets.ts";
import type { Stream } from "../stream/stream.ts";

const EMPTY = new Uint8Array(0);
const MULTI_MAX = 1024;
const PER_TURN_BYTES = 256 * 1024;
/** Messages that one turn looks at. */
const PER_TURN_MESSAGES = 4000;
const isText = (value: unknown): boolean => typeof value === "string";
const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0;
const isMoment = (value: unknown): boolean => typeof value === "string" && isTime(value);
/** What each field of a request has to hold. */
const KNOWN = new Map<string, (value: unknown) => boolean>([
  ["seq", isCount],
  ["last_by_subj", isText],
  ["next_by_subj", isText],
  ["start_time", isMoment],
  ["multi_last", (value) => Array.isArray(value) && value.every(isText)],
  ["batch", Number.isInteger],
  ["max_bytes", Number.isInteger],
  ["up_to_seq", isCount],
  ["up_to_time", isMoment],
  ["no_hdr", (value) => typeof value === "boolean"],
]);

type Body = Record<string, unknown>;

/** Mirrors share requests for their origin with those of other servers, as members of this queue group. */
const MIRRORS = "_sys_";
/** A mirror that has no more than this to catch up with answers for its origin. */
const BEHIND_MAX = 9;

interface Mirroring {
  readonly stream: Stream;
  readonly origins: Origins;
}

export class DirectGets {
  private readonly stream: Stream;
  private readonly origins: Origins;
  private readonly hasStream: (name: string) => boolean;
  private readonly host: AccountHost;
  private readonly lasts: LastGets;
  /** By the name of the stream that they answer for. */
  private readonly listeners = new Map<string, readonly Disposable[]>();

  /** `hasStream`: whether this server has a stream of that name in the account. */
  constructor({ stream, origins }: Mirroring, hasStream: (name: string) => boolean) {
    this.stream = stream;
    this.origins = origins;
    this.hasStream = hasStream;
    this.host = stream.host;
    this.lasts = new LastGets(stream, { answer: (sequence, reply) => this.one(sequence, reply, false) });
  }

  /** Answers while the stream allows it; and once it has caught up for the stream that it mirrors, unless that is here, too. */
  follow(): void {
    const { name, allowDirect, mirrorDirect, mirror } = this.stream.config;
    const origin = mirrorDirect && mirror !== null && !this.hasStream(mirror.name) ? mirror.name : "";
    const isThere = this.listeners.has(origin) || (origin !== "" && this.isCaughtUp);
    const wanted = this.stream.serves ? [...(allowDirect ? [name] : []), ...(isThere ? [origin] : [])] : [];
    for (const one of this.listeners.keys()) if (!wanted.includes(one)) this.end(one);
    for (const one of wanted) if (!this.listeners.has(one)) this.listen(one);
  }

  stop(): void {
    for (const name of this.listeners.keys()) this.end(name);
  }

  private get isCaughtUp(): boolean {
    const { mirror } = this.origins;
    return mirror !== null && mirror.isFollowing && mirror.lag <= BEHIND_MAX;
  }

  private end(name: string): void {
    for (const listener of this.listeners.get(name) ?? []) listener[Symbol.dispose]();
    this.listeners.delete(name);
  }

  private listen(name: string): void {
    const base = `$JS.API.DIRECT.GET.${name}`;
    const queue = name === this.stream.config.name ? undefined : MIRRORS;
    const answer = (message: Incoming, subject: string): void => {
      const { reply } = message;
      if (reply === "") return;
      const payload = payloadOf(message);
      this.host.afterwards(() => this.answer(payload, subject, reply));
    };
    const last = (message: Incoming): void => {
      if (!this.lasts.take(message, base.length + 1)) answer(message, message.subject.slice(base.length + 1));
    };
    this.listeners.set(name, [
      this.host.listen(base, (message) => answer(message, ""), queue),
      this.host.listen(`${base}.>`, last, queue),
    ]);
  }

  private answer(payload: string, subject: string, reply: string): void {
    if (subject !== "") {
      if (payload !== "") this.say(reply, "408 Bad Request");
      else this.one(this.stream.store.lastOf(subject), reply, false);
      return;
    }
    const body = readBody(payload);
    if (typeof body === "string") {
      this.say(reply, body);
      return;
    }
    const noHeaders = body["no_hdr"] === true;
    if (Array.isArray(body["multi_last"])) this.multi(body, reply);
    else if (Number(body["batch"] ?? 0) > 0) this.find(body, (first) => this.batch(first, body, reply));
    else this.find(body, (sequence) => this.one(sequence, reply, noHeaders));
  }

  /** Hands over the sequence of the first message that is asked for; 0: there is none. */
  private find(body: Body, done: (sequence: number) => void): void {
    const { store, longWork } = this.stream;
    const { last_by_subj: last, next_by_subj: next, start_time: time, seq = 0 } = body;
    if (typeof last === "string") {
      done(store.lastMatching(last));
      return;
    }
    const from = typeof time === "string" ? store.atTime(timeNsOf(time)) : Number(seq);
    if (typeof next !== "string") {
      done(typeof time === "string" ? store.next(from, null) : from);
      return;
    }
    let at = -Math.max(1, from);
    longWork.begin(() => {
      at = store.nextWithin(-at, [next], store.last, PER_TURN_MESSAGES);
      if (at < 0) return "more";
      done(at);
      return "done";
    });
  }

  private one(sequence: number, reply: string, noHeaders: boolean): void {
    const view = sequence === 0 ? null : this.stream.store.read(sequence);
    if (view === null) this.say(reply, "404 Message Not Found");
    else this.send(sequence, reply, [], noHeaders);
  }

  private batch(first: number, body: Body, reply: string): void {
    const { store, longWork } = this.stream;
    const filter = typeof body["next_by_subj"] === "string" ? body["next_by_subj"] : null;
    const filters = filter === null ? null : [filter];
    const from = first === 0 ? 0 : store.next(first, filters);
    if (from === 0) {
      this.say(reply, "404 Message Not Found");
      return;
    }
    const begin = (pending: number): void => {
      this.series({ sequences: inSteps(store, from, filters), pending, body, reply, upTo: 0 });
    };
    if (store.isCountedAtOnce(from, filters)) {
      begin(store.countFrom(from, filters));
      return;
    }
    const counted = inSteps(store, from, filters);
    let pending = 0;
    longWork.begin(() => {
      for (let left = PER_TURN_MESSAGES; left > 0; left--) {
        const { value, done } = counted.next();
        if (done === true) {
          begin(pending);
          return "done";
        }
        if (value === 0) return "more";
        pending++;
      }
      return "more";
    });
  }

  private multi(body: Body, reply: string): void {
    const { store } = this.stream;
    const upToTime =
      typeof body["up_to_time"] === "string" ? store.atTime(timeNsOf(body["up_to_time"])) - 1 : store.last;
    const upTo =
      Number(body["up_to_seq"] ?? 0) > 0 ? Math.min(Number(body["up_to_seq"]), store.last) : upToTime;
    const numbers = numbersOf(store, (body["multi_last"] as unknown[]).map(String));
    const found = new Set<number>();
    this.stream.longWork.begin(() => {
      for (let next = numbers.next(); next.done !== true; next = numbers.next()) {
        if (next.value === 0) return "more";
        const last = store.lastOf(store.subjects.nameOf(next.value), upTo);
        if (last !== 0) found.add(last);
        if (found.size > MULTI_MAX) {
          this.say(reply, "413 Too Many Results");
          return "done";
        }
      }
      const from = Number(body["seq"] ?? 0);
      const ordered = [...found].filter((one) => one >= from).sort((a, b) => a - b);
      if (ordered.length === 0) this.say(reply, "404 No Results");
      else this.series({ sequences: ordered.values(), pending: ordered.length, body, reply, upTo });
      return "done";
    });
  }

  private series({ sequences, pending, body, reply, upTo }: Series): void {
    const batch = Number(body["batch"] ?? 0) > 0 ? Number(body["batch"]) : Infinity;
    const maxBytes = Number(body["max_bytes"] ?? 0) > 0 ? Number(body["max_bytes"]) : Infinity;
    let sent = 0;
    let bytes = 0;
    let last = 0;
    let left = pending;
    const more = (): void => {
      let inTurn = 0;
      while (sent < batch && bytes < maxBytes) {
        const next = sequences.next();
        if (next.done === true) break;
        if (next.value === 0) {
          this.host.soon(more);
          return;
        }
        const size = this.send(
          next.value,
          reply,
          [
            ["Nats-Num-Pending", --left],
            ["Nats-Last-Sequence", last],
          ],
          body["no_hdr"] === true,
        );
        last = next.value;
        sent++;
        bytes += size;
        inTurn += size;
        if (inTurn >= PER_TURN_BYTES) {
          this.host.soon(more);
          return;
        }
      }
      this.say(reply, "204 EOB", [
        ["Nats-Num-Pending", left],
        ["Nats-Last-Sequence", last],
        ...(upTo === 0 ? [] : ([["Nats-UpTo-Sequence", upTo]] as const)),
      ]);
    };
    more();
  }

  /** Returns the bytes sent; 0: the message is gone or damaged. */
  private send(
    sequence: number,
    reply: string,
    more: readonly (readonly [string, number])[],
    noHeaders: boolean,
  ): number {
    const view = this.stream.store.read(sequence);
    if (view === null) return 0;
    const headers = noHeaders
      ? ""
      : directHeaders(view, [
          ["Nats-Stream", this.stream.config.name],
          ["Nats-Subject", view.subject],
          ["Nats-Sequence", sequence],
          ["Nats-Time-Stamp", formatTime(view.timeNs)],
          ...more,
        ]);
    const payload = view.body.subarray(view.headerLength);
    this.host.send({ subject: reply, reply: "", headers, payload });
    return headers.length + payload.length;
  }

  private say(reply: string, status: string, entries: readonly (readonly [string, number])[] = []): void {
    this.host.send({ subject: reply, reply: "", headers: statusBlock(status, entries), payload: EMPTY });
  }
}

/** Sequences of the messages that the filters cover; 0 each time after so many were looked at, so that others have their turn. */
function* inSteps(
  store: StreamStore,
  from: number,
  filters: readonly string[] | null,
): Generator<number, void> {
  for (let at = from; at !== 0;) {
    const found = store.nextWithin(at, filters, store.last, PER_TURN_MESSAGES);
    if (found === 0) return;
    yield Math.max(0, found);
    at = found < 0 ? -found : found + 1;
  }
}

/** Numbers of the subjects that the patterns cover; 0 each time after so many were looked at. */
function* numbersOf(store: StreamStore, patterns: readonly string[]): Generator<number> {
  for (const pattern of patterns) yield* store.numbersInSteps(pattern, PER_TURN_MESSAGES);
}

interface Series {
  /** 0: others have their turn. */
  readonly sequences: Iterator<number>;
  /** Messages from the first one on. */
  readonly pending: number;
  readonly body: Body;
  readonly reply: string;
  /** 0: it is not told. */
  readonly upTo: number;
}

/** The message's own headers, and what the getter is told of it. */
function directHeaders(
  { body, headerLength }: RecordView,
  entries: readonly (readonly [string, string | number])[],
): string {
  const own = headerLength === 0 ? VERSION_LINE : body.toString("latin1", 0, headerLength - 2);
  return `${own}${entries.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

/** The body, or the status that refuses it. */
function readBody(payload: string): Body | string {
  if (payload === "") return "408 Empty Request";
  const body = parseJsonBytes(payload);
  if (typeof body !== "object" || body === null || Array.isArray(body)) return "408 Malformed Request";
  const read = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
  if (Object.keys(body).some((name) => !KNOWN.has(name))) return "408 Malformed Request";
  if (Object.entries(read).some(([name, value]) => !KNOWN.get(name)!(value))) return "408 Malformed Request";
  const ways = ["seq", "last_by_subj", "next_by_subj", "start_time", "multi_last"];
  if (!ways.some((name) => read[name] !== undefined)) return "408 Empty Request";
  if (read["last_by_subj"] !== undefined && (read["seq"] !== undefined || read["next_by_subj"] !== undefined))
    return "408 Bad Request";
  return read;
}
