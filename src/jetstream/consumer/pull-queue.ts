/**
 * The pull requests of a consumer that wait for messages. They are served in turn, one message each; a request ends when it has all
 * that it asked for, at its expiry, or when nobody waits for its answers any more. Bounded by `max_waiting`.
 */
import { durationToText } from "../../base/duration.ts";
import { statusBlock } from "../headers.ts";
import type { AccountHost } from "../host.ts";
import type { ConsumerConfig } from "./config.ts";
import { readRequest, type PullRequest, type RequestBody } from "./requests.ts";

export interface PullQueueHost extends Pick<AccountHost, "clock" | "isAwaited"> {
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
    const refusal = refusalOf(request, config);
    if (refusal !== null) return refusal;
    if (config.maxWaiting > 0 && this.requests.length >= config.maxWaiting) this.dropUnawaited();
    if (config.maxWaiting > 0 && this.requests.length >= config.maxWaiting)
      return request.heartbeatNs === 0 ? "409 Exceeded MaxWaiting" : "";
    const nowMs = (this.askedMs = this.host.clock.nowMs());
    this.requests.push({
      reply,
      left: request.batch,
      bytesLeft: request.maxBytes,
      hasBytesBound: request.maxBytes > 0,
      noWait: request.noWait,
      expiresMs: request.expiresNs > 0 ? nowMs + request.expiresNs / 1e6 : Infinity,
      heartbeatMs: request.heartbeatNs / 1e6,
      activeMs: nowMs,
    });
    return null;
  }

  /** The request that gets the next message; null: nobody waits. */
  next(): PullRequest | null {
    for (;;) {
      const request = this.requests[0];
      if (request === undefined) return null;
      const isAwaited = this.host.isAwaited(request.reply);
      if (isAwaited && request.expiresMs > this.host.clock.nowMs()) return request;
      this.requests.shift();
      if (isAwaited) this.expire(request);
    }
  }

  /** The first request got a message of this size: it goes behind the others, or ends. */
  served(size: number): void {
    const request = this.requests.shift()!;
    request.left--;
    request.activeMs = this.host.clock.nowMs();
    if (request.hasBytesBound) request.bytesLeft -= size;
    const hasRoom = !request.hasBytesBound || request.bytesLeft > 0;
    if (request.left > 0 && hasRoom) this.requests.push(request);
    else if (request.left > 0) this.end(request, "409 Batch Completed");
  }

  /** The next message is larger than what the first request still takes. */
  endTooSmall(): void {
    this.end(this.requests.shift()!, "409 Message Size Exceeds MaxBytes");
  }

  /** There is nothing to deliver: requests that do not wait end. */
  endImpatient(): void {
    for (let i = this.requests.length - 1; i >= 0; i--) {
      const { noWait, expiresMs, reply } = this.requests[i]!;
      if (!noWait || expiresMs !== Infinity) continue;
      this.requests.splice(i, 1);
      this.host.say(reply, statusBlock("404 No Messages"));
    }
  }

  endAll(status: string): void {
    for (const { reply } of this.requests.splice(0)) this.host.say(reply, statusBlock(status));
  }

  /** Expiries and heartbeats that are due. */
  onTime(): void {
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
    let dueMs = Infinity;
    for (const { expiresMs, heartbeatMs, activeMs } of this.requests) {
      dueMs = Math.min(dueMs, expiresMs, heartbeatMs > 0 ? activeMs + heartbeatMs : Infinity);
    }
    return dueMs;
  }

  /** Forgets requests whose answers nobody would get. */
  dropUnawaited(): void {
    for (let i = this.requests.length - 1; i >= 0; i--) {
      if (!this.host.isAwaited(this.requests[i]!.reply)) this.requests.splice(i, 1);
    }
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

function refusalOf(request: RequestBody, config: ConsumerConfig): string | null {
  if (config.deliverSubject !== "") return "409 Consumer is push based";
  if (request.heartbeatNs > 0 && request.heartbeatNs * 2 > request.expiresNs)
    return "400 Bad Request - heartbeat value too large";
  if (config.maxBatch > 0 && request.batch > config.maxBatch)
    return `409 Exceeded MaxRequestBatch of ${config.maxBatch}`;
  if (config.maxExpiresNs > 0 && request.expiresNs > config.maxExpiresNs)
    return `409 Exceeded MaxRequestExpires of ${durationToText(config.maxExpiresNs / 1e6)}`;
  if (config.maxBytes > 0 && request.maxBytes > config.maxBytes)
    return `409 Exceeded MaxRequestMaxBytes of ${config.maxBytes}`;
  return null;
}
