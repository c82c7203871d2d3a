/**
 * Streams of another account. Nothing is copied from account to account: where a subscription here covers an imported subject, a
 * shadow of it stands in the exporter's interest, on this server only, and hands on what arrives under the subject here.
 * Neighbours are told of the shadow as of any subscription there.
 */
import type { Random } from "../base/random.ts";
import { AREA, LINE_MAX } from "../slab/layout.ts";
import { readText, writeText } from "../slab/memory.ts";
import type { Message } from "../protocol/message.ts";
import { shownSubject } from "../protocol/shown-subject.ts";
import { hasWildcard, subjectCovers } from "../subject/subject.ts";
import { importTransform, sameDestination, type Transform } from "../subject/transform.ts";
import type { Crossed } from "./crossed.ts";
import { Subscription, type DeliveryFilter, type Subscriber, type TracedReceiver } from "./subscription.ts";

/** Transforms of imports have no random part. */
const NO_CHANCE: Random = { next: () => 0 };

interface StreamImportParts {
  readonly exporter: Crossed;
  readonly from: string;
  readonly to: string;
  /** Whether what is published there may be traced here. */
  readonly allowTrace: boolean;
}

export class StreamImport {
  readonly exporter: Crossed;
  /** Subjects there. */
  readonly from: string;
  /** Subjects here, wildcards as wildcards. */
  readonly to: string;
  private readonly transform: Transform | null;
  private readonly reversed: Transform | null;
  readonly allowTrace: boolean;
  /** Imports of one account that have it in common are one. No part holds a blank but the last. */
  readonly key: string;
  private lastFrom = "";
  private lastTo = "";

  /** `to` may use `$1` for the first wildcard of `from`. Throws MappingError. */
  constructor({ exporter, from, to, allowTrace }: StreamImportParts) {
    this.exporter = exporter;
    this.allowTrace = allowTrace;
    this.from = from;
    this.key = `${from} ${to} ${allowTrace} ${exporter.name}`;
    const keeps = to === from || !hasWildcard(from);
    this.transform = keeps ? null : importTransform(from, sameDestination(to));
    this.reversed = this.transform?.reversed() ?? null;
    this.to = this.reversed?.source ?? to;
  }

  /** The exporter's subject of the shadow for a subscription here; null: they have nothing in common. */
  shadowSubject(subject: string): string | null {
    const { to, from } = this;
    if (subject === to || subjectCovers(subject, to)) return from;
    const common = subjectCovers(to, subject) ? subject : overlap(subject, to);
    if (common === null) return null;
    if (this.reversed === null) return to === from ? common : from;
    return this.reversed.apply(common.split("."), NO_CHANCE);
  }

  /** The subject here of a literal subject there. */
  map(subject: string): string {
    if (this.transform === null) return this.to === this.from ? subject : this.to;
    if (subject !== this.lastFrom) {
      this.lastTo = this.transform.apply(subject.split("."), NO_CHANCE);
      this.lastFrom = subject;
    }
    return this.lastTo;
  }
}

/** The narrowest subject that both patterns cover where neither covers the other; null: there is none. */
function overlap(one: string, other: string): string | null {
  const [a, b] = [one.split("."), other.split(".")];
  const tokens: string[] = [];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [x, y] = [a[i], b[i]];
    if (x === undefined || y === undefined) return null;
    if (x === ">" || y === ">") return [...tokens, ...(x === ">" ? b : a).slice(i)].join(".");
    if (x !== y && x !== "*" && y !== "*") return null;
    tokens.push(x === "*" ? y : x);
  }
  return tokens.join(".");
}

/** A subscription's place in the account that exports; null where the import has nothing for it. */
export function shadowOf(subscription: Subscription, streams: StreamImport): Subscription | null {
  const subject = streams.shadowSubject(subscription.subject);
  if (subject === null) return null;
  const { queue, sid, filter } = subscription;
  return new Subscription(
    new Shadow(subscription, streams),
    subject,
    queue,
    sid,
    filter === null ? null : new ShadowFilter(filter, streams),
  );
}

/** Receives in the exporter's account, delivers as in the importer's. */
export class Shadow implements Subscriber {
  private readonly real: Subscription;
  private readonly streams: StreamImport;

  constructor(real: Subscription, streams: StreamImport) {
    this.real = real;
    this.streams = streams;
  }

  get isGone(): boolean {
    return this.real.owner.isGone === true;
  }

  /** As the client whose subscription it is. */
  get traced(): TracedReceiver | undefined {
    return this.real.owner.traced;
  }

  /** Whether what is published in the exporter's account may be traced in the importer's. */
  get allowsTrace(): boolean {
    return this.streams.allowTrace;
  }

  /** The subject under which the importer gets the message that the router is about to deliver; null: it does not. */
  subjectThere(message: Message): string | null {
    if (message.via !== null) return null;
    if (message.shownLength > 0) return shownSubject(message);
    const { at, subjectFrom, subjectLength } = message;
    return this.streams.map(readText(at + subjectFrom, subjectLength));
  }

  deliver(_shadow: Subscription, message: Message): boolean {
    const { real } = this;
    // A subject that is shown is nobody's to map: it is the one of the stream that the message comes from.
    if (message.shownLength > 0) return real.owner.deliver(real, message);
    const { headAt, headLength } = message;
    const verb = message.headerLength > 0 ? "HMSG " : "MSG ";
    const subject = readText(headAt + verb.length, headLength - verb.length - 1);
    const mapped = this.streams.map(subject);
    if (mapped === subject) return real.owner.deliver(real, message);
    if (mapped.length > LINE_MAX) return false;
    const { at } = AREA.shadowHead;
    message.headAt = at;
    message.headLength = writeText(at, `${verb}${mapped} `) - at;
    const isDelivered = real.owner.deliver(real, message);
    message.headAt = headAt;
    message.headLength = headLength;
    return isDelivered;
  }
}

/** Rights are those for the subject here. */
export class ShadowFilter implements DeliveryFilter {
  private readonly filter: DeliveryFilter;
  private readonly streams: StreamImport;

  constructor(filter: DeliveryFilter, streams: StreamImport) {
    this.filter = filter;
    this.streams = streams;
  }

  admits(subject: string, queue: string | null): boolean {
    return this.filter.admits(this.streams.map(subject), queue);
  }
}
