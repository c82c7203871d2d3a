/**
 * Watches the promise that consumers deliver: where messages are pending, pull requests wait, nothing is paused and fewer messages than
 * allowed wait for acknowledgements, something is delivered within a second. A breach is a fault of this server: it is logged with all
 * numbers, counted, and mended by counting again and waking the consumer, then by letting another server lead it.
 *
 * Looked at once a second. A consumer has broken the promise when it has been found so at three looks in a row.
 */
import type { Logger } from "../base/logger.ts";
import type { StreamAssets } from "./assets.ts";
import type { Consumer } from "./consumer/consumer.ts";

/** Looks in a row before something is done. */
const LOOKS = 3;

export interface DeliveryWatchHost {
  readonly account: string;
  readonly logger: Logger;
  readonly streams: ReadonlyMap<string, StreamAssets>;
  /** Lets another server lead the consumer. False: this server keeps it alone. */
  readonly stepDown: (stream: string, consumer: string) => boolean;
}

interface Look {
  /** Deliveries so far, and up to which sequence of the stream it has looked. */
  readonly delivered: number;
  readonly passed: number;
  /** The last message of the stream. */
  readonly last: number;
  readonly looks: number;
}

export class DeliveryWatch {
  /** Times that a consumer was found to deliver nothing though it should. */
  breaches = 0;
  private readonly host: DeliveryWatchHost;
  private seen = new Map<Consumer, Look>();

  constructor(host: DeliveryWatchHost) {
    this.host = host;
  }

  look(): void {
    const before = this.seen;
    this.seen = new Map();
    for (const { consumers } of this.host.streams.values())
      for (const consumer of consumers.values())
        if (consumer.requests.size > 0) this.lookAt(consumer, before.get(consumer));
  }

  private lookAt(consumer: Consumer, before: Look | undefined): void {
    if (!owes(consumer)) return;
    const { stream, state } = consumer;
    const { consumer: delivered, stream: passed } = state.delivered;
    const { last } = stream.store;
    const isAtSamePlace = before?.delivered === delivered && before.passed === passed;
    // what has come since may not be committed yet
    const isStill = isAtSamePlace && stream.commit.sequence >= before.last;
    const looks = isStill ? before.looks + 1 : 1;
    this.seen.set(consumer, { delivered, passed, last: isStill ? before.last : last, looks });
    if (looks >= LOOKS) this.mend(consumer, looks);
  }

  private mend(consumer: Consumer, looks: number): void {
    const { account, logger, stepDown } = this.host;
    const { stream, state, ahead, requests, name } = consumer;
    const isFirst = looks === LOOKS;
    if (isFirst) this.breaches++;
    const isGivenAway = !isFirst && stepDown(stream.config.name, name);
    logger.error(
      "a consumer delivers nothing though it has messages and requests wait: it is set going again",
      {
        ...{ account, stream: stream.config.name, consumer: name },
        mended: isGivenAway ? "another server leads it" : "counted again and woken",
        ...{ seconds: looks, pending: ahead.count, waiting: requests.size, ackPending: state.pending.size },
        maxAckPending: consumer.config.maxAckPending,
        ...{ delivered: state.delivered.consumer, deliveredStream: state.delivered.stream },
        ...{ floor: state.floor.stream, first: stream.store.first, last: stream.store.last },
        committed: stream.commit.sequence,
      },
    );
    if (isGivenAway) this.seen.delete(consumer);
    if (isGivenAway) return;
    ahead.recount();
    consumer.wake();
  }
}

/** Whether nothing excuses it from a delivery. Those that deliver at a pace, or choose among their requests, may have reasons of their own. */
function owes(consumer: Consumer): boolean {
  const { config, state, ahead, isPush, isPaused } = consumer;
  const { maxAckPending, priorityPolicy, replayPolicy, rateLimitBps } = config;
  const choosesAmongRequests = priorityPolicy !== "" && priorityPolicy !== "none";
  if (isPush || choosesAmongRequests || replayPolicy !== "instant" || rateLimitBps > 0) return false;
  if (ahead.count === 0 || isPaused) return false;
  return maxAckPending <= 0 || state.pending.size < maxAckPending;
}
