/** A user as the configuration has it. */
import type { ConnectionType } from "../base/connection-type.ts";
import type { UserPermissions } from "../core/permissions.ts";

export interface KnownUser {
  /** A name, or the public nkey. */
  readonly name: string;
  /** Plain or a bcrypt hash; null: has an nkey instead. */
  readonly password: string | null;
  readonly account: string;
  /** null: everything. */
  readonly permissions: UserPermissions | null;
  /** Empty: all. */
  readonly connectionTypes: readonly ConnectionType[];
  /** The user must come through a trusted proxy. */
  readonly needsProxy?: boolean;
}
