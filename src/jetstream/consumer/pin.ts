/**
 * The client that a consumer with the policy `pinned_client` delivers to. The first that is served is given an id, which its messages
 * carry; it keeps its pin while it asks with that id in time.
 */
import { nuid } from "../../base/base62.ts";
import type { Advise } from "../advisories.ts";
import { withHeader } from "../header-edits.ts";
import type { AccountHost } from "../host.ts";
import type { ConsumerConfig } from "./config.ts";

export interface PinOptions {
  readonly host: Pick<AccountHost, "clock" | "random" | "name">;
  readonly about: Parameters<Advise>[2];
  readonly advise: Advise;
  readonly config: () => ConsumerConfig;
}

export class Pin {
  /** "": nobody is pinned. */
  id = "";
  /** When it was given, milliseconds. */
  sinceMs = 0;
  private group = "";
  private untilMs = Infinity;
  private readonly options: PinOptions;

  constructor(options: PinOptions) {
    this.options = options;
  }

  /** When the pin ends; Infinity: there is none. */
  get dueMs(): number {
    return this.id === "" ? Infinity : this.untilMs;
  }

  /** Pins the client of that group. */
  give(group: string): void {
    const { advise, about } = this.options;
    const { clock, random, name } = this.options.host;
    this.id = nuid(random);
    this.group = group;
    this.sinceMs = clock.nowMs();
    this.keep();
    advise("CONSUMER.PINNED", "consumer_group_pinned", about, { account: name, group, pinnedId: this.id });
  }

  /** The pinned client has asked. */
  keep(): void {
    const { host, config } = this.options;
    this.untilMs = host.clock.nowMs() + config().priorityTimeoutNs / 1e6;
  }

  /** Nobody is pinned any more. */
  end(group: string, reason: "admin" | "timeout"): void {
    const { advise, about, host } = this.options;
    this.id = "";
    advise("CONSUMER.UNPINNED", "consumer_group_unpinned", about, { account: host.name, group, reason });
  }

  onTime(): void {
    if (this.dueMs <= this.options.host.clock.nowMs()) this.end(this.group, "timeout");
  }
}

/** The headers of a message with the id of the client that it goes to. */
export function withPin(headers: string, id: string): string {
  return withHeader(headers, "Nats-Pin-Id", id);
}
