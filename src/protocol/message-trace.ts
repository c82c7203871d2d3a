/**
 * The trace of one message on this server: how it came, what became of its subject, into which accounts it crossed, and to whom it
 * went. At the end it is sent, as JSON in the words of nats-server, to the destination that the message or its account names.
 *
 * Bounded by what the message reaches. Subjects and headers are byte strings; `toJson` decodes them.
 */
import { fromByteString } from "./info.ts";

/** As nats-server numbers kinds of connections. */
export const TRACED_KIND = { client: 0, route: 1 } as const;

export type TraceEncoding = "none" | "gzip" | "snappy" | "unsupported";

/** One end of a connection, as traces name it. */
export interface TracedConnection {
  readonly kind: (typeof TRACED_KIND)[keyof typeof TRACED_KIND];
  readonly id: number;
  /** "": it has none. */
  readonly name: string;
}

interface Ingress extends TracedConnection {
  readonly account: string;
  readonly subject: string;
}

/** A receiver of the message, or one that did not get it. */
export interface Egress extends TracedConnection {
  /** "": on the way to another server. */
  readonly account: string;
  /** The subject that is subscribed to; "": none. */
  readonly subscription: string;
  readonly queue: string | null;
  /** Why it does not get it; "": it does. */
  readonly error: string;
}

export interface MessageTraceOptions {
  readonly nowMs: () => number;
  readonly ingress: Ingress;
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** Bytes of headers and payload. */
  readonly sizeBytes: number;
  readonly destination: string;
  /** Nobody gets the message, but other servers, which trace it. */
  readonly isOnly: boolean;
  readonly encoding: TraceEncoding;
  /** Which way it came here; "": from a client. */
  readonly hop: string;
}

export const TRACE_ERRORS = {
  onlyNotSupported: "Not delivered because remote does not support message tracing",
  notSupported:
    "Message delivered but remote does not support message tracing so no trace event generated from there",
  noEcho: "Not delivered because of no echo",
  denied: "Not delivered because subscription denies this subject",
  clientClosed: "Not delivered because client is closed",
  notStalled: "Not delivered because fast producer not stalled and consumer is slow",
  tooLarge: "maximum payload exceeded",
} as const;

export class MessageTrace {
  /** Changes while the message is in another account: there it is a reply subject that leads back. */
  destination: string;
  readonly isOnly: boolean;
  readonly encoding: TraceEncoding;
  /** The other servers that get the message. */
  hops = 0;
  /** The server has refused the message. */
  isRefused = false;
  /** With which it goes on in its account. */
  subject: string;
  private readonly options: MessageTraceOptions;
  private readonly ingress: Record<string, unknown>;
  private readonly events: Record<string, unknown>[];

  constructor(options: MessageTraceOptions) {
    this.options = options;
    this.destination = options.destination;
    this.isOnly = options.isOnly;
    this.encoding = options.encoding;
    const { kind, id, name, account, subject } = options.ingress;
    this.subject = subject;
    this.ingress = {
      ...this.base("in"),
      ...{ kind, cid: id, name: name || undefined, acc: account, subj: fromByteString(subject) },
    };
    this.events = [this.ingress];
  }

  /** The message is refused. */
  fail(error: string): void {
    this.isRefused = true;
    this.ingress["error"] = fromByteString(error);
  }

  mapped(to: string): void {
    this.subject = to;
    this.events.push({ ...this.base("sm"), to: fromByteString(to) });
  }

  /** A stream of this account goes to the importing `account`. */
  exported(account: string, to: string): void {
    this.events.push({ ...this.base("se"), acc: account, to: fromByteString(to) });
  }

  /** The message continues in `account`, as a request or as the answer to one. */
  crossed(account: string, from: string, to: string): void {
    this.events.push({
      ...this.base("si"),
      acc: account,
      from: fromByteString(from),
      to: fromByteString(to),
    });
  }

  /** How the next server to get the message is told from the others. */
  nextHop(): string {
    this.hops++;
    const { hop } = this.options;
    return hop === "" ? `${this.hops}` : `${hop}.${this.hops}`;
  }

  /** `hop` "": to a client. */
  left({ kind, id, name, account, subscription, queue, error }: Egress, hop: string): void {
    const isElsewhere = account !== "" && account !== this.options.ingress.account;
    this.events.push({
      ...this.base("eg"),
      ...{ kind, cid: id, name: name || undefined, hop: hop || undefined },
      acc: isElsewhere ? account : undefined,
      sub: subscription === "" ? undefined : fromByteString(subscription),
      queue: queue === null ? undefined : fromByteString(queue),
      error: error || undefined,
    });
  }

  /** `server`: who traces. */
  toJson(server: object): string {
    const names = [...this.options.headers.keys()].sort();
    const header = Object.fromEntries(
      names.map((name) => [fromByteString(name), this.options.headers.get(name)!.map(fromByteString)]),
    );
    return JSON.stringify({
      server,
      request: { header, msgsize: this.options.sizeBytes },
      hops: this.hops === 0 ? undefined : this.hops,
      events: this.events,
    });
  }

  private base(type: string): { type: string; ts: string } {
    return { type, ts: new Date(this.options.nowMs()).toISOString() };
  }
}
