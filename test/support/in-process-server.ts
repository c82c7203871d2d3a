/** A server in this process with any part of its configuration changed, its counters in reach. */
import { Server } from "../../src/app/server.ts";
import { silentLogger } from "../../src/base/logger.ts";
import type { ReloadOutcome } from "../../src/app/reload.ts";
import type { Config, ConfigOverrides } from "../../src/config/config.ts";
import type { LoadResult } from "../../src/config/load.ts";
import { defaultConfig } from "../../src/config/finish.ts";
import type { Company } from "../../src/jetstream/group/group.ts";
import type { Disk } from "../../src/store/disk.ts";

export interface InProcessServer extends AsyncDisposable {
  readonly server: Server;
  readonly port: number;
  /** 0 without a cluster. */
  readonly routePort: number;
  readonly url: string;
  /** Reloads, as if the file were this now. */
  reload(overrides: ConfigOverrides): Promise<ReloadOutcome>;
}

/** `disk`: where streams are kept; absent: on the machine's. `company`: with whom; absent: with shoals alone. */
export async function startInProcess(
  overrides: ConfigOverrides = {},
  disk?: Disk,
  company?: Company,
): Promise<InProcessServer> {
  let config = configOf(overrides);
  const load = async (): Promise<LoadResult> => ({
    kind: "run",
    config,
    warnings: [],
    digest: "",
    configFile: null,
    isEmpty: false,
    files: [],
    positionOf: () => null,
  });
  const configSource = { load, files: [], parts: [] };
  const server = new Server({ config, logger: silentLogger, configSource, disk, company });
  await server.start();
  return {
    server,
    port: server.clientEndpoint!.port,
    routePort: server.clusterEndpoint?.port ?? 0,
    url: server.url,
    async reload(next) {
      config = configOf(next);
      return server.reload("request");
    },
    async [Symbol.asyncDispose]() {
      server.stop();
      await server.closed();
    },
  };
}

/** What every account asks of the system account is among its subscriptions, too. */
export const DEFAULT_IMPORTS = 4;
/** In a cluster, JetStream of others, too. */
export const CLUSTER_IMPORTS = DEFAULT_IMPORTS + 1;

/** Subscriptions in the global account, of clients here and of other servers. */
export function globalInterest({ server }: Pick<InProcessServer, "server">): number {
  const imports = server.cluster === null ? DEFAULT_IMPORTS : CLUSTER_IMPORTS;
  return server.accounts.global.interest.size - imports;
}

function configOf(overrides: ConfigOverrides): Config {
  return defaultConfig({
    ...overrides,
    client: { host: "127.0.0.1", port: 0, ...overrides.client },
    cluster: overrides.cluster === undefined ? {} : { host: "127.0.0.1", port: 0, ...overrides.cluster },
  });
}
