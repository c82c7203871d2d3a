/**
 * How long the services of one account take: a message for each request that is measured, as nats-server writes it. Where requester
 * and responder are on different servers, the responder's server sends what it has measured (`$SYS.LATENCY.M2.…`) and the
 * requester's puts the two together.
 */
import { assert } from "../base/assert.ts";
import { OldestFirst } from "../base/oldest-first.ts";
import type { Clock } from "../base/clock.ts";
import { nuid } from "../base/base62.ts";
import type { Random } from "../base/random.ts";
import { readText } from "../slab/memory.ts";
import type { Message, MessageOrigin } from "../protocol/message.ts";
import { subjectMatches } from "../subject/subject.ts";
import type { Crossed, Expected, ResponseLoss, Tracking } from "./crossed.ts";
import type { LatencyDefinition } from "./definitions.ts";
import { describeOrigin } from "./service-import.ts";
import type { Crossing } from "./subscription.ts";
import { latencyHalfJson, readLatencyHalf } from "../protocol/json/latency-half.ts";

const TYPE = "io.nats.server.metric.v1.service_latency";
const REMOTE_SUBJECT = "$SYS.LATENCY.M2.";
const TRACKED_SUFFIX = ".T";
/** Measurements that wait for their other half, and routed requests that wait for their response; older ones are forgotten. */
const WAITING_MAX = 65_536;

/** Times in nanoseconds. */
interface Measurement {
  status: number;
  description?: string;
  requestor?: Record<string, unknown>;
  responder?: Record<string, unknown> | undefined;
  header?: Readonly<Record<string, readonly string[]>>;
  start: string;
  service: number;
  system: number;
  total: number;
}

export interface LatencyWorld {
  readonly clock: Clock;
  readonly random: Random;
  /** One token that names this server to the others. */
  readonly serverHash: string;
  system(): Pick<Crossed, "send"> | null;
}

export class ServiceLatency {
  private readonly account: Crossed;
  private readonly world: LatencyWorld;
  /** Halves measured here or there, by the reply subject of the request. */
  private readonly here = new OldestFirst<string, { latency: LatencyDefinition; half: Measurement }>();
  private readonly there = new OldestFirst<string, Measurement>();
  /** Responses to routed requests that are awaited from clients here. */
  private readonly awaited = new OldestFirst<string, Crossing>();

  constructor(account: Crossed, world: LatencyWorld) {
    this.account = account;
    this.world = world;
  }

  /** What marks the reply subject of a request that is measured, and tells which server wants to know. */
  get replySuffix(): string {
    return this.world.system() === null ? "" : `.${this.world.serverHash}${TRACKED_SUFFIX}`;
  }

  /** A request without a reply subject cannot be measured. */
  refused(latency: LatencyDefinition, tracking: Tracking): void {
    const half = this.begin(tracking, this.world.clock.nowMs());
    this.send(latency, { ...half, status: 400, description: "Bad Request" });
  }

  lost(
    latency: LatencyDefinition,
    { tracking, sinceMs, account, reply }: Expected,
    loss: ResponseLoss,
  ): void {
    if (tracking === null) return;
    const half = this.begin(tracking, sinceMs);
    if (loss === "nobody there")
      this.send(latency, { ...half, status: 503, description: "Service Unavailable" });
    else if (account.interest.covers(reply))
      this.send(latency, { ...half, status: 504, description: "Service Timeout" });
    else this.send(latency, { ...half, status: 408, description: "Request Timeout" });
  }

  /** `responder` null: a client of another server, which measures, too. */
  responded({ tracking, sinceMs, subject, service }: Expected, responder: MessageOrigin | null): void {
    const { latency } = service;
    if (tracking === null || latency === null) return;
    const half = this.begin(tracking, sinceMs);
    const tookNs = nanoseconds(this.world.clock.nowMs() - sinceMs);
    half.status = 200;
    const responderRtt = nanoseconds(responder?.roundTripMs ?? 0);
    half.responder = responder === null ? undefined : describeOrigin(responder, "full");
    half.service = Math.max(0, tookNs - responderRtt);
    half.total = tookNs + nanoseconds(tracking.requester?.roundTripMs ?? 0);
    if (responder !== null) return this.send(latency, half);
    const other = this.there.get(subject);
    this.there.delete(subject);
    if (other !== undefined) this.send(latency, merged(half, other));
    else remember(this.here, subject, { latency, half });
  }

  /** The half that another server measured. */
  hearRemote(subject: string, half: Measurement): void {
    const own = this.here.get(subject);
    this.here.delete(subject);
    if (own !== undefined) this.send(own.latency, merged(own.half, half));
    else if (this.account.responses.isExpected(subject)) remember(this.there, subject, half);
  }

  /** A request that a neighbour measures goes to a client here: what it takes is told to the neighbour. */
  watchRouted(message: Message): void {
    const reply = readText(message.at + message.replyFrom, message.replyLength);
    if (!reply.startsWith("_R_.") || this.awaited.has(reply)) return;
    const subject = readText(message.at + message.subjectFrom, message.subjectLength);
    if (!this.account.serviceExports.some((service) => subjectMatches(service.subject, subject))) return;
    const startMs = this.world.clock.nowMs();
    const watch: Crossing = {
      isCrossing: true,
      takesRouted: false,
      queue: null,
      subject: reply,
      cross: (response) => {
        this.endWatch(watch);
        if (response.origin !== null) this.tellRemote(reply, startMs, response.origin);
        return false;
      },
    };
    this.account.interest.add(watch);
    this.awaited.set(reply, watch);
    if (this.awaited.size > WAITING_MAX) this.endWatch(this.awaited.oldest()![1]);
    assert(this.awaited.size <= WAITING_MAX, "watched responses stay within their bound");
  }

  private endWatch(watch: Crossing): void {
    this.account.interest.remove(watch);
    this.awaited.delete(watch.subject);
  }

  private tellRemote(reply: string, startMs: number, responder: MessageOrigin): void {
    const tookNs = nanoseconds(this.world.clock.nowMs() - startMs);
    const rtt = nanoseconds(responder.roundTripMs);
    const service = Math.max(0, tookNs - rtt);
    const half: Measurement = {
      status: 200,
      responder: describeOrigin(responder, "full"),
      start: new Date(startMs).toISOString(),
      service,
      system: 0,
      total: service + rtt,
    };
    const serverHash = reply.split(".").at(-2) ?? "";
    const told = latencyHalfJson({ account: this.account.name, reply, half });
    this.world.system()?.send(`${REMOTE_SUBJECT}${serverHash}`, Buffer.from(told));
  }

  private begin({ headers, requester, share }: Tracking, sinceMs: number): Measurement {
    const start = new Date(sinceMs - (requester?.roundTripMs ?? 0)).toISOString();
    return {
      status: 0,
      ...(requester === null ? {} : { requestor: describeOrigin(requester, share ? "full" : "brief") }),
      ...(Object.keys(headers).length === 0 ? {} : { header: headers }),
      start,
      service: 0,
      system: 0,
      total: 0,
    };
  }

  private send(latency: LatencyDefinition, measurement: Measurement): void {
    const { clock, random } = this.world;
    const { status, description, requestor, responder, header, start, service, system, total } = measurement;
    const event = {
      type: TYPE,
      id: nuid(random),
      timestamp: new Date(clock.nowMs()).toISOString(),
      ...{ status, description, requestor, responder, header, start, service, system, total },
    };
    this.account.send(latency.subject, Buffer.from(JSON.stringify(event)));
  }
}

/** Whether a routed message is a request that its server measures. */
export function isTracked(message: Message): boolean {
  const end = message.replyFrom + message.replyLength;
  return message.replyLength > 4 && readText(message.at + end - 2, 2) === TRACKED_SUFFIX;
}

/** An account whose services are measured. */
interface Measured {
  readonly latency: Pick<ServiceLatency, "hearRemote">;
}

/** Takes what other servers measured, in the system account. */
export class RemoteLatency implements Crossing {
  readonly isCrossing = true;
  readonly takesRouted = true;
  readonly queue = null;
  readonly subject: string;
  private readonly find: (account: string) => Measured | undefined;

  constructor(serverHash: string, find: (account: string) => Measured | undefined) {
    this.subject = `${REMOTE_SUBJECT}${serverHash}`;
    this.find = find;
  }

  cross(message: Message): boolean {
    if (message.body !== null) return false;
    const told = readText(
      message.at + message.payloadFrom + message.headerLength,
      message.size - message.headerLength,
    );
    const read = readLatencyHalf(Buffer.from(told, "latin1").toString("utf8"));
    if (read === null) return false;
    const { account, reply, half } = read;
    if (typeof account !== "string" || typeof reply !== "string" || !isMeasurement(half)) return false;
    this.find(account)?.latency.hearRemote(reply, half);
    return true;
  }
}

function isMeasurement(value: unknown): value is Measurement {
  if (typeof value !== "object" || value === null || !("service" in value)) return false;
  return typeof value.service === "number" && Number.isFinite(value.service);
}

/** The total as measured here, the service as measured there; what is left was on the way. */
function merged(here: Measurement, there: Measurement): Measurement {
  const rtt = there.responder?.["rtt"];
  const system = here.service - there.service - (typeof rtt === "number" ? rtt : 0);
  const service = Math.max(0, there.service);
  return { ...here, responder: there.responder, service, system: Math.max(0, system) };
}

function remember<V extends object>(map: OldestFirst<string, V>, key: string, value: V): void {
  map.set(key, value);
  if (map.size > WAITING_MAX) map.delete(map.oldest()![0]);
  assert(map.size <= WAITING_MAX, "measurements that wait stay within their bound");
}

function nanoseconds(ms: number): number {
  return Math.round(ms * 1e6);
}
