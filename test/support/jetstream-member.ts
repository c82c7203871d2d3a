/**
 * A server with JetStream in a cluster, as a process of its own that tests kill: `jetstream-member.ts '{"name": …}'`. Its log goes to
 * the standard error.
 */
import { Server } from "../../src/app/server.ts";
import { defaultConfig } from "../../src/config/finish.ts";
import { defaultLogOptions, openLog } from "../../src/log/log.ts";

interface Member {
  readonly name: string;
  readonly port: number;
  readonly routePort: number;
  readonly monitorPort?: number;
  readonly routes: readonly number[];
  readonly storeDir: string;
}

const member = JSON.parse(process.argv[2] ?? "{}") as Member;
const usual = defaultConfig();
const { logger } = openLog({ ...defaultLogOptions, format: "classic" });

const server = new Server({
  logger,
  config: {
    ...usual,
    server: { ...usual.server, name: member.name },
    client: { ...usual.client, host: "127.0.0.1", port: member.port },
    cluster: {
      ...usual.cluster,
      name: "C",
      host: "127.0.0.1",
      port: member.routePort,
      routes: member.routes.map((port) => ({ host: "127.0.0.1", port, user: null, password: null })),
    },
    monitor: { ...usual.monitor, host: "127.0.0.1", port: member.monitorPort ?? null },
    jetStream: { ...usual.jetStream, isEnabled: true, storeDir: member.storeDir },
  },
});
process.on("SIGTERM", () => {
  server.stop();
  void server.closed().then(() => process.exit(0));
});
await server.start();
