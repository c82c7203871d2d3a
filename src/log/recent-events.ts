/**
 * Recent events of this server, for the page: the latest lines of the log that name an `event`, with their fixed text and a few
 * fields, without secrets as in the log. Bounded: a fixed number of lines; a line that repeats the latest one only counts it up.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import type { LogFields, Logger } from "../base/logger.ts";
import { PassingLogger } from "./passing-logger.ts";
import { redactText } from "./redact.ts";

export interface RecentEvent {
  readonly timeMs: number;
  readonly event: string;
  readonly level: "info" | "warn" | "error";
  readonly text: string;
  /** The server, client, address or file concerned, and the reason; "": this server as a whole. */
  readonly about: string;
  readonly count: number;
}

const ABOUT = ["name", "client", "peer", "address", "account", "file", "reason", "reasons", "error"] as const;
const ABOUT_MAX_CHARS = 200;
const UNTOLD = new Set(["server_id"]);

export class RecentEvents {
  private readonly kept: RecentEvent[] = [];
  private readonly max: number;
  private readonly clock: Clock;

  constructor(max: number, clock: Clock) {
    this.max = max;
    this.clock = clock;
  }

  /** The latest last. */
  list(): readonly RecentEvent[] {
    return this.kept;
  }

  /** A logger that passes lines to `inner` and remembers events, as its children do. */
  follow(inner: Logger): Logger {
    return new FollowedLogger(inner, this, {});
  }

  hear(level: RecentEvent["level"], text: string, fields: LogFields): void {
    const { event } = fields;
    if (typeof event !== "string" || UNTOLD.has(event)) return;
    const about = aboutOf(fields);
    const last = this.kept.at(-1);
    const isRepeated = last?.event === event && last.about === about;
    if (isRepeated) this.kept.pop();
    else if (this.kept.length === this.max) this.kept.shift();
    const count = isRepeated ? last.count + 1 : 1;
    this.kept.push({ timeMs: this.clock.nowMs(), event, level, text, about, count });
    assert(this.kept.length <= this.max, "recent events stay within their bound");
  }
}

function aboutOf(fields: LogFields): string {
  const parts = ABOUT.map((key) => fields[key]).flatMap((value) => {
    if (Array.isArray(value)) return value.map(String);
    return typeof value === "string" && value !== "" ? [value] : [];
  });
  return redactText(parts.join(", ")).slice(0, ABOUT_MAX_CHARS);
}

class FollowedLogger extends PassingLogger {
  private readonly events: RecentEvents;
  private readonly fields: LogFields;

  constructor(inner: Logger, events: RecentEvents, fields: LogFields) {
    super(inner);
    this.events = events;
    this.fields = fields;
  }

  override info(message: string, fields?: LogFields): void {
    super.info(message, fields);
    this.hear("info", message, fields);
  }

  override warn(message: string, fields?: LogFields): void {
    super.warn(message, fields);
    this.hear("warn", message, fields);
  }

  override error(message: string, fields?: LogFields): void {
    super.error(message, fields);
    this.hear("error", message, fields);
  }

  override child(fields: LogFields): Logger {
    return new FollowedLogger(this.inner.child(fields), this.events, { ...this.fields, ...fields });
  }

  private hear(level: RecentEvent["level"], message: string, fields: LogFields | undefined): void {
    if (fields?.["event"] !== undefined) this.events.hear(level, message, { ...this.fields, ...fields });
  }
}
