/** Where a stream puts what it takes from other streams or makes by itself, if the servers that keep it have to agree on that. */
import type { Incoming } from "../host.ts";
import type { Place } from "./judge.ts";

export interface StreamFeed {
  /** The last sequence that was given to a message. */
  readonly last: number;
  /** As Stream.takeOver. */
  takeOver(message: Incoming, place: Place | null): boolean;
  passOver(sequence: number): void;
  /** Messages on the subject, those that are not agreed on yet included. */
  countOf(subject: string): number;
}
