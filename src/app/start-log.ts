/** What the log says of a server that starts: who it is, and where it listens. Programs that start servers look for these lines. */
import { hostPort } from "../base/host-port.ts";
import { NATS_LEVEL } from "../protocol/info.ts";
import { VERSION } from "./process/version.ts";
import type { Rooms } from "./rooms.ts";

export function logStart({ logger, identity: { id, name } }: Pick<Rooms, "logger" | "identity">): void {
  logger.info("Starting shoal", { version: VERSION, natsLevel: NATS_LEVEL, node: process.version });
  logger.info(`  Name:     ${name}`);
  logger.info(`  ID:       ${id}`);
  logger.info(`Server id is ${id}`, { event: "server_id", id, name });
}

export function logListening(
  rooms: Pick<Rooms, "logger" | "cluster" | "inForce" | "listening" | "tls">,
): void {
  const { logger, cluster, inForce, listening } = rooms;
  const { config } = inForce.current;
  const { client, external, cluster: routes } = listening.current;
  const { host, externalHost } = config.client;
  const shown = (at: string, port: number): string => hostPort(at || "0.0.0.0", port);
  if (client !== null) logger.info(`Listening for client connections on ${shown(host, client.port)}`);
  if (external !== null) {
    const at = shown(externalHost ?? host, external.port);
    logger.info(`Listening for client connections from outside on ${at}`);
  }
  const { leafNodes } = listening.current;
  if (leafNodes !== null) {
    const at = shown(config.leafNodes.host, leafNodes.port);
    logger.info(`Listening for leafnode connections on ${at}`);
  }
  logTls(rooms);
  logger.info("Server is ready");
  if (cluster === null || routes === null) return;
  logger.info(`Cluster name is ${cluster.clusterName}`);
  logger.info(`Listening for route connections on ${shown(config.cluster.host, routes.port)}`);
}

function logTls({ tls, logger }: Pick<Rooms, "tls" | "logger">): void {
  tls.watchExpiry();
  const { client } = tls;
  if (client === null) return;
  logger.info(`TLS ${client.allowsPlain ? "available" : "required"} for client connections`);
  if (client.isFirst && client.fallbackMs === null) {
    logger.warn('Clients that are not using "TLS Handshake First" option will fail to connect');
  }
}
