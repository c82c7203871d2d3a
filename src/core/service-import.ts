/**
 * A service of another account. Requests that clients of this server publish here continue in the exporter's account, with a reply
 * subject of the exporter's own (`_R_.…`), by which the response finds back: see service-responses.ts.
 */
import type { Random } from "../base/random.ts";
import { readText } from "../slab/memory.ts";
import { toByteString } from "../protocol/info.ts";
import type { Message, MessageOrigin, Via } from "../protocol/message.ts";
import { isAckReply } from "../protocol/shown-subject.ts";
import type { MessageTrace } from "../protocol/message-trace.ts";
import { TRACE_DEST_NAME } from "../protocol/trace-headers.ts";
import { hasWildcard } from "../subject/subject.ts";
import { importTransform, sameDestination, type Transform } from "../subject/transform.ts";
import type { Crossed } from "./crossed.ts";
import type { ServiceExportDefinition } from "./definitions.ts";
import { withDerived } from "./derived-message.ts";
import { sampledHeaders } from "./latency-sampling.ts";
import type { Source } from "./reach.ts";
import type { Crossing } from "./subscription.ts";
import { withHeader, withoutTrace } from "./tracing.ts";

const NO_CHANCE: Random = { next: () => 0 };
const REQUEST_INFO = "Nats-Request-Info";

export interface ServiceImportParts {
  readonly importer: Crossed;
  readonly exporter: Crossed;
  /** Subject in the exporting account. */
  readonly subject: string;
  /** Subject in the importing account. */
  readonly to: string;
  readonly share: boolean;
  readonly export: ServiceExportDefinition;
  readonly random: Random;
  /** Beginnings of subjects here that do not cross. */
  readonly except?: readonly string[];
}

export class ServiceImport implements Crossing {
  readonly isCrossing = true;
  readonly takesRouted = false;
  readonly queue = null;
  /** Subjects here, wildcards as wildcards. */
  readonly subject: string;
  readonly parts: ServiceImportParts;
  private readonly transform: Transform | null;

  /** Throws MappingError. */
  constructor(parts: ServiceImportParts) {
    this.parts = parts;
    const { subject: there, to: here } = parts;
    const isMapped = hasWildcard(there) && here !== there;
    const backwards = isMapped ? importTransform(there, sameDestination(here)) : null;
    this.transform = backwards?.reversed() ?? null;
    this.subject = this.transform?.source ?? here;
  }

  cross(message: Message, source: Source): boolean {
    const { export: service } = this.parts;
    const subject = readText(message.at + message.subjectFrom, message.subjectLength);
    if (hasCrossed(message.via, service) || this.isExcepted(subject)) return false;
    if (message.trace !== null) return this.crossTraced(message, message.trace, source);
    return this.carry(message, source, null);
  }

  /** `trace` records the crossing; the message says whether its further way is traced. */
  private carry(message: Message, source: Source, trace: MessageTrace | null): boolean {
    const { importer, exporter, export: service, share, random } = this.parts;
    importer.work.headersRead(message.headerLength);
    const subject = readText(message.at + message.subjectFrom, message.subjectLength);
    const latency = service.responseType === "singleton" ? service.latency : null;
    const trackedHeaders = latency === null ? null : sampledHeaders(latency, message, random);
    const reply = readText(message.at + message.replyFrom, message.replyLength);
    const expected =
      reply === "" || isAckReply(message)
        ? null
        : exporter.responses.expect({
            account: importer,
            reply,
            service,
            tracking:
              trackedHeaders === null ? null : { headers: trackedHeaders, requester: message.origin, share },
          });
    if (expected === null && trackedHeaders !== null && latency !== null)
      exporter.latency.refused(latency, { headers: trackedHeaders, requester: message.origin, share });
    const isShared = message.via?.isShared ?? share;
    const there = this.map(subject);
    const awaitedAt = message.via === null ? ownReply(message, reply, there) : message.via.reply;
    const info = requestInfo(message, this.parts, { isShared, reply: awaitedAt });
    const change = {
      subject: there,
      reply: expected?.subject ?? reply,
      header: info === null ? null : { name: REQUEST_INFO, value: toByteString(JSON.stringify(info)) },
    };
    const via: Via = { export: service, isShared, reply: awaitedAt, before: message.via };
    const reached = withDerived(message, change, (derived) => {
      derived.via = via;
      applyMappings(exporter, derived);
      derived.trace = message.trace;
      const to = readText(derived.at + derived.subjectFrom, derived.subjectLength);
      trace?.crossed(exporter.name, subject, to);
      return exporter.publish(derived, source);
    });
    if (expected === null) return reached;
    if (trace?.isOnly === true) exporter.responses.cancel(expected);
    else if (!reached) exporter.responses.forget(expected, "nobody there");
    return reached;
  }

  /**
   * Servers behind the import send their traces in the exporter's account, to a reply subject that leads to where the trace is
   * wanted; where the export does not allow it they do not trace.
   */
  private crossTraced(message: Message, trace: MessageTrace, source: Source): boolean {
    const { importer, exporter, export: service } = this.parts;
    if (service.allowTrace !== true) {
      if (!trace.isOnly) return withoutTrace(message, (untraced) => this.carry(untraced, source, trace));
      const subject = readText(message.at + message.subjectFrom, message.subjectLength);
      trace.crossed(exporter.name, subject, this.map(subject));
      return false;
    }
    const { destination, hops } = trace;
    const many = { ...service, responseType: "stream", latency: null } as const;
    const way = exporter.responses.expect({
      account: importer,
      reply: destination,
      service: many,
      tracking: null,
    });
    trace.destination = way.subject;
    const reached = withHeader(message, TRACE_DEST_NAME, way.subject, (changed) => {
      changed.trace = trace;
      return this.carry(changed, source, trace);
    });
    trace.destination = destination;
    if (trace.hops === hops) exporter.responses.cancel(way);
    return reached;
  }

  private isExcepted(subject: string): boolean {
    const { except } = this.parts;
    return except !== undefined && except.some((beginning) => subject.startsWith(beginning));
  }

  private map(subject: string): string {
    const { subject: there, to: here } = this.parts;
    if (this.transform !== null) return this.transform.apply(subject.split("."), NO_CHANCE);
    return there === here ? subject : there;
  }
}

/** Requests that come in by an import are mapped as those of the exporter's own clients are. */
function applyMappings({ mappings }: Crossed, message: Message): void {
  const mapped = mappings?.map(message.at + message.subjectFrom, message.subjectLength, message.subjectHash);
  if (mapped) message.moveSubject(mapped.at, mapped.length, mapped.hash);
}

function hasCrossed(via: Via | null, service: object): boolean {
  for (let step = via; step !== null; step = step.before) if (step.export === service) return true;
  return false;
}

/** What the exporter is told of the requester: its account, and the rest where that is shared. */
function requestInfo(
  message: Message,
  { importer, exporter }: ServiceImportParts,
  { isShared, reply }: Pick<Via, "isShared" | "reply">,
): Readonly<Record<string, unknown>> | null {
  const { origin, via } = message;
  // a server asks for streams of other servers in the name of an account
  if (origin === null) return exporter.isSystem ? { acc: importer.name } : null;
  const service = via === null ? {} : { svc: importer.name };
  const server = exporter.isSystem ? origin.serverDetails() : {};
  const awaited = reply === "" ? {} : { reply };
  return inOrder({
    ...server,
    ...describeOrigin(origin, isShared ? "full" : "brief"),
    ...service,
    ...awaited,
  });
}

const NEXT_REQUEST = "$JS.API.CONSUMER.MSG.NEXT.";
const ACK = "$JS.ACK.";
const NEXT_WITH_ACK = "+NXT";
/** Behind the reply of a message that is stored in a fast batch. */
const FAST_BATCH = ".$FI";

/** Where the requester waits, if JetStream has to know: whether anybody still does, and how a batch goes on. "": it need not. */
function ownReply({ body, at, payloadFrom, headerLength }: Message, reply: string, there: string): string {
  if (reply === "" || reply.endsWith(FAST_BATCH)) return reply;
  if (there.startsWith(NEXT_REQUEST)) return reply;
  if (!there.startsWith(ACK) || body !== null) return "";
  const begins = readText(at + payloadFrom + headerLength, NEXT_WITH_ACK.length);
  return begins === NEXT_WITH_ACK ? reply : "";
}

/** Times in nanoseconds, as nats-server tells them. */
export function describeOrigin(
  origin: MessageOrigin,
  detail: "full" | "brief",
): Readonly<Record<string, unknown>> {
  const rtt = Math.round(origin.roundTripMs * 1e6);
  const brief = { acc: origin.account.name, ...(rtt === 0 ? {} : { rtt }) };
  return detail === "full" ? inOrder({ ...origin.details(), ...brief, ...origin.serverDetails() }) : brief;
}

const ORDER = [
  "start",
  "host",
  "id",
  "acc",
  "svc",
  "user",
  "name",
  "lang",
  "ver",
  "rtt",
  "server",
  "cluster",
];

function inOrder(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const named = ORDER.flatMap((name) => (fields[name] === undefined ? [] : [[name, fields[name]] as const]));
  return { ...Object.fromEntries(named), ...fields };
}
