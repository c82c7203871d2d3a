/** Limits of accounts hold for the servers of a cluster together. */
import { systemClock } from "../base/clock.ts";
import type { Part } from "../base/part.ts";
import type { Config } from "../config/config.ts";
import { ConnectionsElsewhere } from "../system/connections-elsewhere.ts";
import { serverHash } from "./process/identity.ts";
import type { Rooms } from "./rooms.ts";

export function limitsTogether(
  rooms: Pick<Rooms, "accounts" | "cluster" | "clients" | "leafNodes" | "identity" | "elsewhere">,
): Part<Config> {
  const { accounts, cluster, clients, leafNodes, identity, elsewhere } = rooms;
  return {
    name: "limits of accounts",
    start() {
      const { system } = accounts;
      if (system === null || cluster === null) return;
      elsewhere.current = new ConnectionsElsewhere({
        ...{ accounts, system, clock: systemClock },
        serverId: identity.id,
        serverHash: serverHash(identity.name),
        onGrowth(account) {
          if (account.isOverfull) clients.recheckAccountsOf(new Set([account.name]));
          if (account.leafnodesBeyond > 0) leafNodes.recheckGrants();
        },
      });
    },
    stop: () => elsewhere.current?.[Symbol.dispose](),
  };
}
