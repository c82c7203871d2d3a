/**
 * `/messagez`: messages of a stream, for the page. Payloads are nobody's business but the operator's: it answers only where the port has
 * credentials or the configuration says so, and never for pages from elsewhere or caches.
 *
 * Bounded: messages, bytes of each and of all, and messages that are looked at (jetstream/browse.ts); one request at a time, in turns, and so
 * many in a second.
 */
import type { Browsed, BrowsedMessage, BrowseOptions } from "../jetstream/browse.ts";
import { compactJson, text, type Answer } from "./answer.ts";
import { goTime, shownText, wireText } from "./go-format.ts";
import { BadQuery, type Query } from "./query.ts";
import type { MonitorSource } from "./source.ts";
import type { Turns } from "./turns.ts";

const MESSAGES_DEFAULT = 25;
const MESSAGES_MAX = 100;
const BYTES_DEFAULT = 256;
const BYTES_MAX = 64 * 1024;
/** Requests that are answered at once, and how many more in each second. */
const BURST = 20;
const PER_SECOND = 10;

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
const OFF =
  "messages are not shown: set monitor.authorization, or monitor.show_messages: true where nobody else reaches the port\n";

/** How many requests are answered in a time; those beyond it are refused. */
export class RequestBudget {
  private left = BURST;
  private atMs = 0;

  take(nowMs: number): boolean {
    const passedMs = Math.max(0, nowMs - this.atMs);
    this.atMs = nowMs;
    this.left = Math.min(BURST, this.left + (passedMs / 1000) * PER_SECOND);
    if (this.left < 1) return false;
    this.left--;
    return true;
  }
}

export async function messagez(
  source: MonitorSource,
  query: Query,
  turns: Turns,
  budget: RequestBudget,
): Promise<Answer> {
  if (!source.showsMessages()) return text(403, OFF);
  const options = optionsOf(query);
  if (!budget.take(source.nowMs()))
    return {
      ...text(429, "too many requests for messages: ask again in a second\n"),
      headers: { "Retry-After": "1" },
    };
  const account = query.text("acc") || "$G";
  const name = query.text("stream");
  const report = source.jetStream()?.report.account(account) ?? null;
  const stream = report?.stream(name) ?? null;
  if (stream === null)
    return text(404, `no stream ${JSON.stringify(name)} in the account ${JSON.stringify(account)}\n`);
  const browsed = await turns.alone(() => inTurns(stream.browse(options), turns));
  if (browsed === null) return text(404, `the stream ${JSON.stringify(name)} is gone\n`);
  const { first, last, messages, next } = browsed;
  const fields = {
    server_id: source.facts().id,
    now: goTime(source.nowMs()),
    account,
    stream: name,
    first_seq: first,
    last_seq: last,
    messages: messages.map(messageFields),
    next,
  };
  return { ...compactJson(200, fields), isPrivate: true };
}

async function inTurns(steps: Generator<undefined, Browsed | null>, turns: Turns): Promise<Browsed | null> {
  for (;;) {
    await turns.next();
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Throws BadQuery. */
function optionsOf(query: Query): BrowseOptions {
  const time = query.text("time");
  if (time !== "" && (!TIME.test(time) || Number.isNaN(Date.parse(time))))
    throw new BadQuery("time must be as RFC 3339 has it, such as 2026-01-31T12:00:00Z");
  const within = (key: string, least: number, most: number, otherwise: number): number => {
    const given = query.text(key) === "" ? otherwise : query.integer(key);
    if (given < least || given > most) throw new BadQuery(`${key} must be ${least} to ${most}`);
    return given;
  };
  return {
    sequence: Math.min(query.unsigned("seq"), Number.MAX_SAFE_INTEGER),
    time,
    subject: wireText(query.text("subject")),
    direction: query.flag("back") ? "older" : "newer",
    messages: within("limit", 1, MESSAGES_MAX, MESSAGES_DEFAULT),
    payloadBytes: within("bytes", 0, BYTES_MAX, BYTES_DEFAULT),
  };
}

/** Names as in the answer to `STREAM.MSG.GET`; `hdrs` and `data` may be shorter than the message's. */
function messageFields(message: BrowsedMessage): object {
  const { sequence, time, subject, headerBytes, headers, payloadBytes, payload } = message;
  return {
    seq: sequence,
    time,
    subject: shownText(subject),
    hdrs_size: headerBytes,
    hdrs: headers.toString("base64"),
    size: payloadBytes,
    data: payload.toString("base64"),
  };
}
