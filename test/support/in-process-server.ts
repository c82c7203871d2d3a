// A server in this process with any part of its configuration changed, its counters in reach.
import { Server } from "../../src/app/server.ts";
import { silentLogger } from "../../src/base/logger.ts";
import type { ConfigOverrides } from "../../src/config/config.ts";
import { defaultConfig } from "../../src/config/finish.ts";

export interface InProcessServer extends AsyncDisposable {
  readonly server: Server;
  readonly port: number;
  /** 0 without a cluster. */
  readonly routePort: number;
  readonly url: string;
}

export async function startInProcess(overrides: ConfigOverrides = {}): Promise<InProcessServer> {
  const config = defaultConfig({
    ...overrides,
    client: { host: "127.0.0.1", port: 0, ...overrides.client },
    cluster: overrides.cluster === undefined ? {} : { host: "127.0.0.1", port: 0, ...overrides.cluster },
  });
  const server = new Server({ config, logger: silentLogger });
  await server.start();
  return {
    server,
    port: server.clientEndpoint!.port,
    routePort: server.clusterEndpoint?.port ?? 0,
    url: server.url,
    async [Symbol.asyncDispose]() {
      server.stop();
      await server.closed();
    },
  };
}
