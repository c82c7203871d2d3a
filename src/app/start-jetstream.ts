/** Starts JetStream where it is configured. Its code is read there alone: others need not wait for it. */
import { systemClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config/config.ts";
import type { Accounts } from "../core/accounts.ts";
import type { AccountBook } from "../operator/account-book.ts";
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
}: JetStreamSurroundings): ClusterSurroundings | null {
  if (cluster === null) return null;
  const { system } = accounts;
  if (system === null)
    throw new StartError("JetStream in a cluster needs a system account: leave out no_system_account", null);
  if (identity.name === identity.id)
    throw new StartError("jetstream cluster requires `server_name` to be set", null);
  const { clusterSize } = config.jetStream;
  return {
    system,
    clusterName: () => cluster.clusterName ?? "",
    company,
    routesCaughtUp: async () => cluster.table.caughtUp(),
    lookUpAccount: (name) => {
      const found = operator?.book.resolve(name) ?? null;
      return found instanceof Promise ? found : null;
    },
    expected: clusterSize ?? Math.max(2, config.cluster.routes.length),
  };
}
