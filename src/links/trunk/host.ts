/** What every connection needs of the server around it, whatever it speaks. */
import type { Clock } from "../../base/clock.ts";
import type { Live } from "../../base/live.ts";
import type { Logger } from "../../base/logger.ts";
import type { CloseCounters } from "../../protocol/close-cause.ts";
import type { FaultKeeper } from "./faults.ts";
import type { HeartbeatOptions } from "./heartbeat.ts";
import type { OutboxLimits } from "./outbox.ts";
import type { Turn } from "./turn.ts";

export interface ConnectionHost {
  readonly turn: Turn;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: Live<OutboxLimits & HeartbeatOptions>;
  readonly counters: CloseCounters;
  readonly faults: FaultKeeper;
}
