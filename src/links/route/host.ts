/** What a route session needs of the server around it; `app` hands it in. The mesh decides, behind these callbacks. */
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Accounts } from "../../core/accounts.ts";
import type { FaultKeeper } from "../trunk/faults.ts";
import type { Turn } from "../trunk/turn.ts";
import type { RoutePermissions } from "./permissions.ts";
import type { RouteSession } from "./session.ts";

export interface RouteLimits {
  maxControlLineBytes: number;
  maxPendingBytes: number;
  writeDeadlineMs: number;
  pingIntervalMs: number;
  pingMax: number;
}

export interface RouteCounters {
  slowConsumers: number;
  staleConnections: number;
}

/** What the accepting side says to a dialling server's CONNECT: null admits it. */
export interface ConnectVerdict {
  /** -ERR text; null: nothing is sent. */
  readonly text: string | null;
  /** In the words of nats-server. */
  readonly reason: string;
  readonly detail: string;
}

export interface RouteHost {
  readonly accounts: Accounts;
  readonly turn: Turn;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: RouteLimits;
  /** Messages go to other servers without headers. */
  readonly noHeaders: boolean;
  readonly counters: RouteCounters;
  readonly faults: FaultKeeper;
  readonly permissions: RoutePermissions;
  /** CONNECT of a server that dialled. */
  judgeConnect(session: RouteSession, json: string): ConnectVerdict | null;
  /** The peer's first INFO, as it stands. */
  onHandshakeInfo(session: RouteSession, info: Record<string, unknown>): void;
  /** A later INFO that does not name the peer: to be given to `readInfo`, some at a time. */
  onGossip(session: RouteSession, json: string): void;
  /** A later INFO: of the peer itself, or about another server. */
  onLaterInfo(session: RouteSession, info: Record<string, unknown>): void;
  onFirstPong(session: RouteSession): void;
  onClosed(session: RouteSession): void;
}
