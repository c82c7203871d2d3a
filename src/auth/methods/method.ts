/** One way to authenticate clients. The authenticator asks the methods in their order. */
import type { ConnectionType } from "../../base/connection-type.ts";
import type { Attempt } from "../attempt.ts";
import type { Grant, Verdict } from "../grant.ts";

export interface Method {
  /** A promise is never rejected. null: another method has to decide. */
  decide(attempt: Attempt): Verdict | Promise<Verdict> | null;
  /** What remains of a grant after a reload; null: the client is no longer admitted. Only for grants of this method. */
  current(grant: Grant, connectionType: ConnectionType): Grant | null;
  /** Whether a client with this grant, one of this method, must now come through a trusted proxy. */
  needsProxy(grant: Grant): boolean;
}
