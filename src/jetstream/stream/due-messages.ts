/**
 * What a stream does when the time of its messages has come: some expire, some are schedules. Of a replicated stream the leader decides, by
 * its clock; the other copies wait for what is agreed on.
 */
import type { StreamStore } from "../../store/stream-store.ts";
import type { AccountHost, Incoming } from "../host.ts";
import type { StreamConfig } from "./config.ts";
import { Expiry } from "./expiry.ts";
import { storeOwn } from "./own-messages.ts";
import { Scheduler } from "./scheduler.ts";
import type { StreamFeed } from "./stream-feed.ts";
import type { TimedMessages } from "./timed.ts";

interface DueStream {
  readonly config: StreamConfig;
  readonly store: StreamStore;
  readonly host: AccountHost;
  readonly feed: StreamFeed | null;
  readonly serves: boolean;
  takeOver(message: Incoming, place: null): boolean;
  onExpired(sequence: number): void;
}

const NOTHING = new Uint8Array(0);

export class DueMessages {
  private readonly expiry: Expiry;
  private readonly scheduler: Scheduler;

  constructor(stream: DueStream, timed: TimedMessages) {
    const { store, host } = stream;
    const { clock } = host;
    const decides = (): boolean => stream.serves;
    this.expiry = new Expiry({
      ...{ store, timed, clock, decides },
      nowNs: () => host.nowNs(),
      config: () => stream.config,
      countOf: (subject) => (stream.feed ?? store).countOf(subject),
      remove: (sequence) => stream.onExpired(sequence),
      mark: (subject, headers) => storeOwn(stream, { subject, headers, payload: NOTHING }),
    });
    this.scheduler = new Scheduler({
      ...{ store, timed, clock, decides },
      publish: (message) => storeOwn(stream, message),
    });
  }

  /** Something may be due earlier than was known. */
  follow(): void {
    this.expiry.follow();
    this.scheduler.follow();
  }

  /** The configuration has changed, or the stream begins. */
  restart(): void {
    this.expiry.restart();
    this.scheduler.follow();
  }

  /** It decides from here on. */
  begin(): void {
    this.expiry.restart();
    this.scheduler.begin();
  }

  /** It does not decide any more. */
  yield(): void {
    this.expiry.yield();
    this.scheduler.yield();
  }
}
