/** Consumers as monitoring shows them: those that work here, and copies of those that other servers lead. */
import { clusterInfo, consumerInfo, followedInfo, followedPending, type AnswerFacts } from "./api/info.ts";
import type { StreamAssets } from "./assets.ts";
import type { Consumer } from "./consumer/consumer.ts";
import type { ClusterFigures, FollowedConsumer } from "./group/shared.ts";
import { readable, textOf } from "./report-texts.ts";

type Json = Record<string, unknown>;

/** Why a consumer delivers nothing of what it has. */
type Standstill = "paused" | "max_ack_pending" | "no_interest" | "no_waiting_pulls";

interface ConsumerFigures {
  readonly description: string;
  /** Deliveries, and the sequence of the last message that was delivered. */
  readonly delivered: number;
  readonly deliveredStream: number;
  /** null: never. */
  readonly deliveredAgoSeconds: number | null;
  readonly ackedAgoSeconds: number | null;
  readonly floor: number;
  readonly floorStream: number;
  readonly ackPending: number;
  readonly redelivered: number;
  /** Pull requests. */
  readonly waiting: number;
  /** Messages. */
  readonly pending: number;
}

export interface ConsumerReport {
  readonly name: string;
  /** Name of the server that leads it; "": nobody does. */
  readonly leader: string;
  /** "": one server keeps it. */
  readonly group: string;
  /** null: it delivers, or has nothing to deliver. */
  readonly standstill: Standstill | null;
  readonly figures: ConsumerFigures;
  /** nats-server's information about a consumer, with its configuration. */
  readonly info: Json;
}

export function consumerReport(
  consumer: Consumer,
  facts: AnswerFacts,
  cluster: ClusterFigures | null,
): ConsumerReport {
  return {
    name: textOf(consumer.name),
    leader: cluster?.leader ?? facts.server,
    group: cluster?.group ?? "",
    get standstill() {
      return standstillOf(consumer);
    },
    get figures() {
      return consumerFigures(consumer);
    },
    get info() {
      return readable({ ...consumerInfo(consumer, facts, "listed"), ...clusterField(cluster) });
    },
  };
}

interface FollowedContext {
  readonly assets: StreamAssets;
  readonly facts: AnswerFacts;
  readonly figures: ClusterFigures | null;
}

/** A consumer that another server leads, as far as it is known here. */
export function followedReport(
  copy: FollowedConsumer,
  { assets, facts, figures }: FollowedContext,
): ConsumerReport {
  const { config, state } = copy;
  return {
    name: textOf(config.name),
    leader: figures?.leader ?? "",
    group: figures?.group ?? "",
    standstill: null,
    get figures() {
      return {
        description: textOf(config.description),
        delivered: state.delivered.consumer,
        deliveredStream: state.delivered.stream,
        deliveredAgoSeconds: null,
        ackedAgoSeconds: null,
        floor: state.floor.consumer,
        floorStream: state.floor.stream,
        ackPending: state.pending.size,
        redelivered: state.pending.redeliveredCount,
        waiting: 0,
        pending: followedPending(copy, assets.stream.store),
      };
    },
    get info() {
      return readable({ ...followedInfo(copy, assets, facts), ...clusterField(figures) });
    },
  };
}

function clusterField(figures: ClusterFigures | null): { readonly cluster?: Json } {
  const cluster = clusterInfo(figures);
  return cluster === undefined ? {} : { cluster };
}

function standstillOf(consumer: Consumer): Standstill | null {
  if (consumer.ahead.count === 0) return null;
  if (consumer.isPaused) return "paused";
  const { config, state, host } = consumer.parts;
  if (config.maxAckPending > 0 && state.pending.size >= config.maxAckPending) return "max_ack_pending";
  if (consumer.isPush) return host.isAwaited(config.deliverSubject) ? null : "no_interest";
  return consumer.requests.size === 0 ? "no_waiting_pulls" : null;
}

function consumerFigures(consumer: Consumer): ConsumerFigures {
  const { config, state, host } = consumer.parts;
  const ago = (ms: number): number | null => (ms === 0 ? null : (host.clock.nowMs() - ms) / 1000);
  return {
    description: textOf(config.description),
    delivered: state.delivered.consumer,
    deliveredStream: state.delivered.stream,
    deliveredAgoSeconds: ago(consumer.deliveredMs),
    ackedAgoSeconds: ago(consumer.acks.ackedMs),
    floor: state.floor.consumer,
    floorStream: state.floor.stream,
    ackPending: state.pending.size,
    redelivered: state.pending.redeliveredCount,
    waiting: consumer.requests.size,
    pending: consumer.ahead.count,
  };
}
