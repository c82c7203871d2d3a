/** What a route session needs of the server around it; `app` hands it in. The mesh decides, behind these callbacks. */
import type { Live } from "../../base/live.ts";
import type { Accounts } from "../../core/accounts.ts";
import type { CompressionTerms } from "../trunk/compression.ts";
import type { ConnectionHost } from "../trunk/host.ts";
import type { RoutePermissions } from "./permissions.ts";
import type { InterestName } from "./remote-interest.ts";

export interface RouteLimits {
  readonly maxControlLineBytes: number;
  readonly maxPendingBytes: number;
  readonly writeDeadlineMs: number;
  readonly pingIntervalMs: number;
  readonly pingMax: number;
}

/** What the accepting side says to a dialling server's CONNECT: null admits it. */
export interface ConnectVerdict {
  /** -ERR text; null: nothing is sent. */
  readonly text: string | null;
  /** In the words of nats-server. */
  readonly reason: string;
  readonly detail: string;
}

/** `Session`: what the host is told of; a session itself does not care. */
export interface RouteHost<Session = unknown> extends ConnectionHost {
  readonly accounts: Accounts;
  readonly limits: Live<RouteLimits>;
  /** Messages go to other servers without headers. */
  readonly noHeaders: boolean;
  readonly permissions: RoutePermissions;
  compression(): CompressionTerms;
  /** The INFO that concludes an agreement on compression. */
  agreementLine(compression: string): string;
  /** CONNECT of a server that dialled. */
  judgeConnect(session: Session, json: string): ConnectVerdict | null;
  /** The peer's first INFO, as it stands. */
  onHandshakeInfo(session: Session, info: Record<string, unknown>): void;
  /** A later INFO that does not name the peer: to be given to `readInfo`, some at a time. */
  onGossip(session: Session, json: string): void;
  /** A later INFO: of the peer itself, or about another server. */
  onLaterInfo(session: Session, info: Record<string, unknown>): void;
  /** The peer announces interest; false: the account's own route has announced it already. */
  takesInterest(session: Session, told: InterestName): boolean;
  onFirstPong(session: Session): void;
  onClosed(session: Session): void;
}
