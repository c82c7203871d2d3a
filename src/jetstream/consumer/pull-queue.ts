/**
 * The pull requests of a consumer that wait for messages. They are served in turn, one message each; a request ends when it has all
 * that it asked for, at its expiry, or when nobody waits for its answers any more. Bounded by `max_waiting`.
 */
import { statusBlock } from "../headers.ts";
import type { AccountHost } from "../host.ts";
import { goDuration } from "../time.ts";
import type { ConsumerConfig } from "./config.ts";
import type { Pin } from "./pin.ts";
import { noPriority, readRequest, type PullRequest, type RequestBody } from "./requests.ts";

export interface PullQueueHost extends Pick<AccountHost, "clock" | "lane"> {
  readonly pin: Pin;
  config(): ConsumerConfig;
  /** Sends a status. Must not be called while a message is being delivered. */
  say(to: string, headers: string): void;
  /** A heartbeat is due. */
  beat(to: string): void;
}

export class PullQueue {
  /** When somebody asked last, milliseconds of the clock. */
  askedMs = 0;
  private readonly requests: PullRequest[] = [];
  private readonly host: PullQueueHost;
  /** When all that wait were last found to be still there. */
  private nobodyGoneMs = -Infinity;

  constructor(host: PullQueueHost) {
    this.host = host;
  }

  get size(): number {
    return this.requests.length;
  }

  /** Takes a request. Returns the status that refuses it, "" for a silent refusal, or null: it waits now. */
  add(payload: string, reply: string, config: ConsumerConfig): string | null {
    const request = readRequest(payload);
    if (request === null) return "400 Bad Request";
    const { pin } = this.host;
    const refusal = refusalOf(request, config) ?? refusalOfPriority(request, config, pin.id);
    if (refusal !== null) return refusal;
    if (pin.id !== "" && request.priority?.pinId === pin.id) pin.keep();
    if (config.maxWaiting > 0 && this.requests.length >= config.maxWaiting) this.makeRoom();
    if (config.maxWaiting > 0 && this.requests.length >= config.maxWaiting)
      return request.heartbeatNs === 0 ? "409 Exceeded MaxWaiting" : "";
    const nowMs = (this.askedMs = this.host.clock.nowMs());
    this.insert({
      reply,
      lane: this.host.lane(reply),
      left: request.batch,
      bytesLeft: request.maxBytes,
      hasBytesBound: request.maxBytes > 0,
      noWait: request.noWait,
      expiresMs: request.expiresNs > 0 ? nowMs + request.expiresNs / 1e6 : Infinity,
      heartbeatMs: request.heartbeatNs / 1e6,
      activeMs: nowMs,
      hasSome: false,
      priority: request.priority ?? noPriority(),
    });
    return null;
  }

  /** The request that gets the next message; it is the first then. Null: nobody waits who may get it. */
  next(ahead: number, ackPending: number, nowMs: number): PullRequest | null {
    for (let passed = 0; passed < this.requests.length;) {
      const request = this.requests[0]!;
      const { isAwaited } = request.lane;
      const isLate = request.expiresMs <= nowMs;
      const turn = isAwaited && !isLate ? this.turnOf(request, ahead, ackPending) : "over";
      if (turn === "now") return request;
      this.requests.shift();
      if (turn === "later") {
        this.requests.push(request);
        passed++;
      } else if (turn === "wrong pin") this.end(request, "423 Nats-Wrong-Pin-Id");
      else if (isAwaited) this.expire(request);
    }
    return null;
  }

  /** The first request is about to get a message: it is pinned, where the policy wants that. The id of the pin; "": none. */
  claim(): string {
    const { pin } = this.host;
    if (this.host.config().priorityPolicy !== "pinned_client") return "";
    const { priority } = this.requests[0]!;
    if (pin.id === "" && priority.group !== "") {
      pin.give(priority.group);
      priority.pinId = pin.id;
    }
    return pin.id;
  }

  /** The first request got a message of this size: it goes behind the others, or ends. */
  served(size: number, nowMs: number): void {
    const request = this.requests[0]!;
    request.left--;
    request.activeMs = nowMs;
    request.hasSome = true;
    if (this.requests.length === 1 && request.left > 0 && !request.hasBytesBound) return; // it stays the first
    this.requests.shift();
    if (request.hasBytesBound) request.bytesLeft -= size;
    const hasRoom = !request.hasBytesBound || request.bytesLeft > 0;
    if (request.left > 0 && hasRoom) this.insert(request);
    else if (request.left > 0) this.end(request, "409 Batch Completed");
  }

  /** The next message is larger than what the first request still takes. */
  endTooSmall(): void {
    this.end(this.requests.shift()!, "409 Message Size Exceeds MaxBytes");
  }

  /** There is nothing to deliver: requests that do not wait end; where they have an expiry, they wait for the first message only. */
  endImpatient(): void {
    for (let i = this.requests.length - 1; i >= 0; i--) {
      const { noWait, expiresMs, hasSome, reply } = this.requests[i]!;
      if (!noWait || (expiresMs !== Infinity && !hasSome)) continue;
      this.requests.splice(i, 1);
      this.host.say(reply, statusBlock("404 No Messages"));
    }
  }

  endAll(status: string): void {
    for (const { reply } of this.requests.splice(0)) this.host.say(reply, statusBlock(status));
  }

  /** The server stops: those who wait are told what they have not got. */
  leaveAll(): void {
    for (const request of this.requests.splice(0)) this.end(request, "409 Server Shutdown");
  }

  /** Expiries and heartbeats that are due. */
  onTime(): void {
    this.host.pin.onTime();
    const nowMs = this.host.clock.nowMs();
    for (let i = this.requests.length - 1; i >= 0; i--) {
      const request = this.requests[i]!;
      if (request.expiresMs <= nowMs) {
        this.requests.splice(i, 1);
        this.expire(request);
      } else if (request.heartbeatMs > 0 && request.activeMs + request.heartbeatMs <= nowMs) {
        request.activeMs = nowMs;
        this.host.beat(request.reply);
      }
    }
  }

  /** When `onTime` has something to do; Infinity: never. */
  get dueMs(): number {
    let { dueMs } = this.host.pin;
    for (const { expiresMs, heartbeatMs, activeMs } of this.requests) {
      dueMs = Math.min(dueMs, expiresMs, heartbeatMs > 0 ? activeMs + heartbeatMs : Infinity);
    }
    return dueMs;
  }

  /** Forgets requests whose answers nobody would get. */
  dropUnawaited(): void {
    for (let i = this.requests.length - 1; i >= 0; i--) {
      if (!this.requests[i]!.lane.isAwaited) this.requests.splice(i, 1);
    }
  }

  /** Looks whether somebody has gone, once in a millisecond where nobody has: a flood of requests must not look for each of its own. */
  private makeRoom(): void {
    const nowMs = Math.floor(this.host.clock.nowMs());
    if (this.nobodyGoneMs === nowMs) return;
    const before = this.requests.length;
    this.dropUnawaited();
    if (this.requests.length === before) this.nobodyGoneMs = nowMs;
  }

  /** Behind the others; with the policy `prioritized` behind those that come no later. */
  private insert(request: PullRequest): void {
    const { requests } = this;
    let at = requests.length;
    if (this.host.config().priorityPolicy === "prioritized")
      while (at > 0 && requests[at - 1]!.priority.priority > request.priority.priority) at--;
    requests.splice(at, 0, request);
  }

  private turnOf(
    { priority }: PullRequest,
    ahead: number,
    ackPending: number,
  ): "now" | "later" | "wrong pin" {
    const { pin } = this.host;
    const { priorityPolicy } = this.host.config();
    if (priorityPolicy === "pinned_client") {
      if (priority.pinId !== "") return priority.pinId === pin.id ? "now" : "wrong pin";
      return pin.id === "" ? "now" : "later";
    }
    if (priorityPolicy !== "overflow") return "now";
    const { minPending, minAckPending } = priority;
    if (minPending <= 0 && minAckPending <= 0) return "now";
    const isOver =
      (minPending > 0 && minPending <= ahead) || (minAckPending > 0 && minAckPending <= ackPending);
    return isOver ? "now" : "later";
  }

  private expire(request: PullRequest): void {
    this.end(request, "408 Request Timeout");
  }

  private end({ reply, left, bytesLeft }: PullRequest, status: string): void {
    const entries = [
      ["Nats-Pending-Messages", left],
      ["Nats-Pending-Bytes", bytesLeft],
    ] as const;
    this.host.say(reply, statusBlock(status, entries));
  }
}

function refusalOfPriority({ priority }: RequestBody, config: ConsumerConfig, pinId: string): string | null {
  if (priority === null) return null;
  const { priorityPolicy } = config;
  const bad = "400 Bad Request - ";
  if ((priority.minPending !== 0 || priority.minAckPending !== 0) && priorityPolicy !== "overflow")
    return `${bad}Not a Overflow Priority consumer`;
  if (priority.pinId !== "" && priorityPolicy !== "pinned_client")
    return `${bad}Not a Pinned Client Priority consumer`;
  if (priority.priority < 0 || priority.priority > 9) return `${bad}Priority must be between 0 and 9`;
  if (priorityPolicy === "" || priorityPolicy === "none") return null;
  if (priority.group === "") return `${bad}Priority Group missing`;
  if (!config.priorityGroups.includes(priority.group)) return `${bad}Invalid Priority Group`;
  if (pinId !== "" && priority.pinId !== "" && priority.pinId !== pinId) return "423 Nats-Pin-Id mismatch";
  return null;
}

function refusalOf(request: RequestBody, config: ConsumerConfig): string | null {
  if (config.deliverSubject !== "") return "409 Consumer is push based";
  if (request.heartbeatNs > 0 && request.heartbeatNs * 2 > request.expiresNs)
    return "400 Bad Request - heartbeat value too large";
  if (config.maxBatch > 0 && request.batch > config.maxBatch)
    return `409 Exceeded MaxRequestBatch of ${config.maxBatch}`;
  if (config.maxExpiresNs > 0 && request.expiresNs > config.maxExpiresNs)
    return `409 Exceeded MaxRequestExpires of ${goDuration(config.maxExpiresNs)}`;
  if (config.maxBytes > 0 && request.maxBytes > config.maxBytes)
    return `409 Exceeded MaxRequestMaxBytes of ${config.maxBytes}`;
  return null;
}
