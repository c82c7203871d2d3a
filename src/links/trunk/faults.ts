/**
 * Faults of this server that the bytes of one connection bring out: a RangeError, a failed assertion about the connection's own
 * state. They cost only that connection. A fault that leaves shared state broken is thrown on, and ends the
 * process: docs/decisions/0013.
 */
import { breaksSharedState } from "../../base/assert.ts";
import type { Logger } from "../../base/logger.ts";

export interface FaultKeeper {
  /** Returns where the connection is to be closed. Throws the error again where the process has to end. */
  contain(error: unknown, logger: Logger): void;
}

export class Faults implements FaultKeeper {
  /** Contained since the start. */
  count = 0;

  contain(error: unknown, logger: Logger): void {
    if (breaksSharedState(error)) throw error;
    this.count++;
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    logger.error(
      "A fault of this server was contained: it closes the connection whose input brought it out",
      {
        event: "connection_fault",
        stack,
      },
    );
  }
}
