/** Starts JetStream where it is configured. Its code is read there alone: others need not wait for it. */
import { systemClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config/config.ts";
import type { Accounts } from "../core/accounts.ts";
import type { AccountBook } from "../operator/account-book.ts";
import type { StatefulPod } from "../discovery/stateful-set.ts";
import type { Turn } from "../links/trunk/turn.ts";
import type { ClusterPort } from "../ports/cluster/cluster-port.ts";
import { StartError } from "../ports/start-error.ts";
import type { Company } from "../jetstream/group/group.ts";
import { NATS_LEVEL, type ServerIdentity } from "../protocol/info.ts";
import type { Disk } from "../store/disk.ts";
import { jetStreamSettings } from "./slices/jetstream.ts";
import type { ClusterSurroundings, JetStreamPart } from "./jetstream.ts";

export interface JetStreamSurroundings {
  readonly config: Config;
  readonly accounts: Accounts;
  readonly turn: Turn;
  readonly logger: Logger;
  readonly identity: ServerIdentity;
  /** `jetstream.cluster_size`, as it is in force. */
  readonly clusterSize: () => number | null;
  /** null: this server runs in no pod of a StatefulSet. */
  readonly pod: StatefulPod | null;
  /** undefined: the machine's. */
  readonly disk: Disk | undefined;
  /** null: the server belongs to no cluster. */
  readonly cluster: Pick<ClusterPort, "clusterName" | "table"> | null;
  readonly company: Company;
  /** null: accounts are configured. */
  readonly operator: { readonly book: Pick<AccountBook, "resolve"> } | null;
}

/** null: it is not configured. Rejects with `DiskError`, `StartError`. */
export async function startJetStream(server: JetStreamSurroundings): Promise<JetStreamPart | null> {
  const settings = jetStreamSettings(server.config);
  if (settings === null) return null;
  const { accounts, turn, logger, disk } = server;
  const cluster = clusterOf(server);
  const { JetStreamPart } = await import("./jetstream.ts");
  const part = new JetStreamPart({
    settings,
    accounts,
    turn,
    logger,
    disk,
    clock: systemClock,
    random: systemRandom,
    serverName: server.identity.name,
    natsLevel: NATS_LEVEL,
    cluster,
  });
  await part.claimFolder();
  try {
    part.start();
  } catch (error) {
    part.release();
    throw error;
  }
  if (cluster?.expected() === Infinity)
    logger.info(
      "This pod only joins servers that keep streams together, and begins nothing: its ordinal is jetstream.cluster_size or higher",
    );
  return part;
}

/** null: the server belongs to none. Throws `StartError`. */
function clusterOf({
  cluster,
  accounts,
  config,
  company,
  identity,
  operator,
  clusterSize,
  pod,
}: JetStreamSurroundings): ClusterSurroundings | null {
  if (cluster === null) return null;
  const { system } = accounts;
  if (system === null)
    throw new StartError("JetStream in a cluster needs a system account: leave out no_system_account", null);
  if (identity.name === identity.id)
    throw new StartError("jetstream cluster requires `server_name` to be set", null);
  return {
    system,
    clusterName: () => cluster.clusterName ?? "",
    company,
    routesCaughtUp: async () => cluster.table.caughtUp(),
    lookUpAccount: (name) => {
      const found = operator?.book.resolve(name) ?? null;
      return found instanceof Promise ? found : null;
    },
    expected: () => serversToBegin(clusterSize(), config.cluster.routes.length, pod),
  };
}

/**
 * How many servers begin a cluster together. Of a StatefulSet these are its first pods: later ones come to a cluster that has begun, and would
 * begin another one if as many of them met before they meet the others.
 */
function serversToBegin(size: number | null, routes: number, pod: StatefulPod | null): number {
  if (size === null) return Math.max(2, routes);
  return pod !== null && pod.ordinal >= size ? Infinity : size;
}
