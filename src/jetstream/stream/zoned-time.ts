/** A moment as clocks of a time zone show it, to the second. Immutable. What zones there are is the runtime's knowledge. */

export const UTC = "UTC";
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Whether there is a zone of this name. */
export function isZone(name: string): boolean {
  return Zone.named(name) !== null;
}

export class Zone {
  /** null: UTC. */
  private readonly format: Intl.DateTimeFormat | null;

  private constructor(format: Intl.DateTimeFormat | null) {
    this.format = format;
  }

  /** null: there is none of this name. */
  static named(name: string): Zone | null {
    if (name === UTC) return new Zone(null);
    const format = formatOf(name);
    return format === null ? null : new Zone(format);
  }

  /** How far its clocks are ahead of UTC at a moment. */
  offsetMs(ms: number): number {
    const { format } = this;
    if (format === null) return 0;
    const part = new Map(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
    const get = (name: Intl.DateTimeFormatPartTypes): number => part.get(name) ?? 0;
    const shown = Date.UTC(
      get("year"),
      get("month") - 1,
      get("day"),
      get("hour"),
      get("minute"),
      get("second"),
    );
    return shown - Math.floor(ms / SECOND_MS) * SECOND_MS;
  }
}

export class ZonedTime {
  readonly ms: number;
  private readonly zone: Zone;
  private readonly offsetMs: number;
  /** Shows in UTC what clocks of the zone show. */
  private readonly local: Date;

  constructor(ms: number, zone: Zone) {
    this.ms = ms;
    this.zone = zone;
    this.offsetMs = zone.offsetMs(ms);
    this.local = new Date(ms + this.offsetMs);
  }

  get year(): number {
    return this.local.getUTCFullYear();
  }
  /** 1 to 12. */
  get month(): number {
    return this.local.getUTCMonth() + 1;
  }
  get day(): number {
    return this.local.getUTCDate();
  }
  /** 0: Sunday. */
  get weekday(): number {
    return this.local.getUTCDay();
  }
  get hour(): number {
    return this.local.getUTCHours();
  }
  get minute(): number {
    return this.local.getUTCMinutes();
  }
  get second(): number {
    return this.local.getUTCSeconds();
  }

  startOfNextMonth(): ZonedTime {
    return this.atLocal(Date.UTC(this.year, this.month, 1));
  }
  startOfNextDay(): ZonedTime {
    return this.atLocal(Date.UTC(this.year, this.month - 1, this.day + 1));
  }
  /** One that is skipped, or comes twice, when clocks are changed is what it is: the next hour of time passing. */
  startOfNextHour(): ZonedTime {
    return new ZonedTime(this.ms - this.minute * MINUTE_MS - this.second * SECOND_MS + HOUR_MS, this.zone);
  }
  startOfNextMinute(): ZonedTime {
    return new ZonedTime(this.ms - this.second * SECOND_MS + MINUTE_MS, this.zone);
  }
  nextSecond(): ZonedTime {
    return new ZonedTime(this.ms + SECOND_MS, this.zone);
  }

  /** RFC 3339: `2026-11-30T02:00:00+01:00`. */
  toText(): string {
    const text = this.local.toISOString().slice(0, 19);
    if (this.offsetMs === 0) return `${text}Z`;
    const minutes = Math.abs(Math.round(this.offsetMs / MINUTE_MS));
    const pad = (number: number): string => String(number).padStart(2, "0");
    return `${text}${this.offsetMs < 0 ? "-" : "+"}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
  }

  private atLocal(localMs: number): ZonedTime {
    const guess = localMs - this.zone.offsetMs(localMs - this.offsetMs);
    const next = new ZonedTime(localMs - this.zone.offsetMs(guess), this.zone);
    return next.ms > this.ms ? next : new ZonedTime(this.ms + HOUR_MS, this.zone);
  }
}

function formatOf(zone: string): Intl.DateTimeFormat | null {
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
