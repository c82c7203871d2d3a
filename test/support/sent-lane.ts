/** A way to one subject in which nothing is written straight: every message is sent as a whole. */
import type { AnswerLane, DeliveryLane } from "../../src/jetstream/host.ts";

export function sentLane(subject: string, isAwaited: () => boolean): DeliveryLane {
  return {
    subject,
    get isAwaited() {
      return isAwaited();
    },
    begin: () => 0,
    writeSid: (at) => at,
    end: () => {},
  };
}

export const SENT_ANSWERS: AnswerLane = { begin: () => 0, end: () => {} };
