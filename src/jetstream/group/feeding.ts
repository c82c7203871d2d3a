/**
 * What the leader of a replicated stream takes from other streams, or makes by itself, on its way into the log: at the sequence and time
 * that a mirror gives it, or behind everything else. A gap that a mirror leaves is an operation of its own.
 *
 * Bounded by the flow control of the consumers at the origins, whose questions are answered once what came before is agreed on.
 */
import { assert } from "../../base/assert.ts";
import { MessageHeaders } from "../headers.ts";
import type { Incoming } from "../host.ts";
import type { Judge, Operation, Place } from "../stream/judge.ts";
import type { StreamFeed } from "../stream/stream-feed.ts";
import type { Stream } from "../stream/stream.ts";
import type { InFlight } from "./in-flight.ts";
import type { InterestKeeper } from "./interest.ts";
import { decodeJson, encodeJson, encodeMessage, OperationCode } from "./operations.ts";
import { takenAt } from "./replayed.ts";

export interface FeedingHost {
  readonly stream: Stream;
  readonly flight: InFlight;
  readonly judge: Judge;
  readonly interest: InterestKeeper;
  readonly propose: (operation: Uint8Array) => void;
  /** Messages that were agreed on and that every copy has refused: the log counts them. */
  readonly failed: () => number;
}

export class Feeding implements StreamFeed {
  private readonly host: FeedingHost;

  constructor(host: FeedingHost) {
    this.host = host;
  }

  get last(): number {
    return this.host.flight.last;
  }

  countOf(subject: string): number {
    return this.host.flight.store.countOf(subject);
  }

  takeOver(message: Incoming, place: Place | null): boolean {
    const { flight, judge, propose, stream, interest, failed } = this.host;
    const judged = judge.judge(message, "trusted");
    if (typeof judged === "number") return false;
    assert(!(judged instanceof MessageHeaders), "only what clients publish belongs to a batch");
    if (place !== null) this.passOver(place.sequence - 1);
    const { lastTimeNs } = stream.store;
    const timeNs = place?.timeNs ?? (judged.timeNs > lastTimeNs ? judged.timeNs : lastTimeNs);
    const isUnwanted = !interest.wants(judged.subject);
    const operation: Operation = { ...takenAt(judged, timeNs), isUnwanted };
    const { headerLength, body } = operation;
    const { subject } = message;
    const after = flight.last + failed();
    flight.add(operation, "");
    propose(
      encodeMessage({ after, timeNs, subject, reply: "", headerLength, body, isFed: true, isUnwanted }),
    );
    return true;
  }

  passOver(sequence: number): void {
    const { flight, propose } = this.host;
    const { last } = flight;
    if (sequence <= last) return;
    flight.passOver(sequence);
    propose(encodeJson(OperationCode.DELETE_RANGE, { First: last + 1, Num: sequence - last }));
  }
}

/** Sequences that no message has: a mirror leaves out what its origin has not. Returns what is wrong; "": nothing. */
export function applyRange(data: Uint8Array, stream: Stream): string {
  const { First: first, Num: count } = decodeJson(data) ?? {};
  if (typeof first !== "number" || typeof count !== "number")
    return "the group has agreed on a range that cannot be read";
  const { last } = stream.store;
  if (first > last + 1 && last > 0)
    return `the group has agreed on a range from ${first}, and the last message here is ${last}`;
  stream.skipTo(first + count - 1);
  return "";
}
