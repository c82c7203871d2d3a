/**
 * Decides which messages are traced, and their destinations. A message is traced if its headers name a destination, or if they have a
 * sampled `traceparent` and the account has a destination.
 */
import { randomInt, type Random } from "../base/random.ts";
import { readText } from "../slab/memory.ts";
import {
  MessageTrace,
  TRACED_KIND,
  type TracedConnection,
  type TraceEncoding,
} from "../protocol/message-trace.ts";
import type { Message } from "../protocol/message.ts";
import {
  ACCEPT_ENCODING_NAME,
  isTraceNamed,
  mayBeTraced,
  readTraceHeaders,
  TRACE_DEST_NAME,
  TRACE_DISABLED,
  TRACE_HOP_NAME,
  TRACE_ONLY_NAME,
  TRACE_ORIGIN_ACCOUNT_NAME,
  type TraceHeaders,
} from "../protocol/trace-headers.ts";
import { isValidLiteralSubject } from "../subject/subject.ts";
import type { Crossed } from "./crossed.ts";
import { withDerived } from "./derived-message.ts";

/** Destinations that are reserved for servers. */
const GATEWAY_REPLY = "_GR_.";
const CONSENSUS = "$NRG.";

export interface TraceSource {
  readonly connection: TracedConnection;
  readonly account: Crossed;
  mayPublishTo(subject: string): boolean;
  logError(text: string): void;
}

/** The decision about a message whose headers may ask for a trace. */
export type TraceVerdict =
  | { readonly kind: "untraced" }
  | { readonly kind: "traced"; readonly trace: MessageTrace }
  /** The message continues, and no server traces it. */
  | { readonly kind: "disabled" }
  /** The message is dropped. `denied`: the destination, if the sender may not publish to it. */
  | { readonly kind: "dropped"; readonly denied: string | null };

const UNTRACED: TraceVerdict = { kind: "untraced" };
const DISABLED: TraceVerdict = { kind: "disabled" };
const DROPPED: TraceVerdict = { kind: "dropped", denied: null };

export interface TracingWorld {
  readonly nowMs: () => number;
  readonly random: Random;
  /** Sends a trace that is complete. */
  readonly send: (account: Crossed, trace: MessageTrace) => void;
}

export class Tracing {
  readonly send: TracingWorld["send"];
  private readonly world: TracingWorld;

  constructor(world: TracingWorld) {
    this.world = world;
    this.send = world.send;
  }

  judge(message: Message, source: TraceSource): TraceVerdict {
    const headers = readTraceHeaders(message);
    if (headers === null) return UNTRACED;
    const isOnly = !headers.isExternal && /^(1|true|on)$/i.test(first(headers, TRACE_ONLY_NAME));
    const origin = first(headers, TRACE_ORIGIN_ACCOUNT_NAME);
    if (origin !== "") {
      source.logError(
        `Message tracing disabled because of header "${TRACE_ORIGIN_ACCOUNT_NAME}" with value="${origin}"`,
      );
      return isOnly ? DROPPED : DISABLED;
    }
    const destination = this.destinationOf(headers, source);
    if (destination === null) return UNTRACED;
    if (destination === TRACE_DISABLED) return DISABLED;
    if (!isValidLiteralSubject(destination)) {
      source.logError(`Destination "${destination}" is not valid, won't be able to trace events`);
      return isOnly ? DROPPED : UNTRACED;
    }
    if (!mayTraceTo(destination, source)) return { kind: "dropped", denied: destination };
    return { kind: "traced", trace: this.begin(message, source, { headers, destination, isOnly }) };
  }

  /** null: none. */
  private destinationOf(headers: TraceHeaders, { account, connection }: TraceSource): string | null {
    if (!headers.isExternal) return first(headers, TRACE_DEST_NAME);
    const { trace } = account;
    if (trace === null) return null;
    // Drawn once, by the server that the client is connected to.
    const isSampled =
      connection.kind !== TRACED_KIND.client || trace.sampling >= 100 || this.draw() <= trace.sampling;
    return isSampled ? trace.destination : TRACE_DISABLED;
  }

  private draw(): number {
    return randomInt(this.world.random, 100);
  }

  private begin(
    message: Message,
    { connection, account }: TraceSource,
    { headers, destination, isOnly }: { headers: TraceHeaders; destination: string; isOnly: boolean },
  ): MessageTrace {
    const { kind, id, name } = connection;
    const subject = readText(message.at + message.subjectFrom, message.subjectLength);
    return new MessageTrace({
      nowMs: this.world.nowMs,
      ingress: { kind, id, name, account: account.name, subject },
      headers: headers.all,
      sizeBytes: message.size,
      destination,
      isOnly,
      encoding: encodingOf(first(headers, ACCEPT_ENCODING_NAME)),
      hop: kind === TRACED_KIND.client ? "" : first(headers, TRACE_HOP_NAME),
    });
  }
}

/** Asked of every message with headers: whether `judge` has to be asked, too. */
export function mayAskForTrace(message: Message, account: Pick<Crossed, "trace">): boolean {
  return account.trace === null ? isTraceNamed(message) : mayBeTraced(message);
}

/** The same message, which no server traces. */
export function withoutTrace(message: Message, use: (untraced: Message) => boolean): boolean {
  return withHeader(message, TRACE_DEST_NAME, TRACE_DISABLED, use);
}

/** The same message with one header more. */
export function withHeader(
  message: Message,
  name: string,
  value: string,
  use: (changed: Message) => boolean,
): boolean {
  const { at, subjectFrom, subjectLength, replyFrom, replyLength } = message;
  const change = {
    subject: readText(at + subjectFrom, subjectLength),
    reply: readText(at + replyFrom, replyLength),
    header: { name, value },
  };
  return withDerived(message, change, (changed) => {
    changed.via = message.via;
    return use(changed);
  });
}

function mayTraceTo(destination: string, source: TraceSource): boolean {
  if (destination.startsWith(GATEWAY_REPLY)) return false;
  if (destination.startsWith(CONSENSUS) && !source.account.isSystem) return false;
  return source.mayPublishTo(destination);
}

function first({ all }: TraceHeaders, name: string): string {
  return all.get(name)?.[0] ?? "";
}

function encodingOf(accepted: string): TraceEncoding {
  if (accepted === "") return "none";
  const wanted = accepted.toLowerCase();
  if (wanted.includes("snappy") || wanted.includes("s2")) return "snappy";
  return wanted.includes("gzip") ? "gzip" : "unsupported";
}
