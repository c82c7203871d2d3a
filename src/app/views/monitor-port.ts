/**
 * The monitoring port of a server, and the port of its metrics: shows the server to the rooms monitor and metrics and listens.
 * Loaded when one of the ports is configured, so that a server without them starts as fast as ever.
 */
import { Guard } from "../../monitor/guard.ts";
import { METRICS_TYPE, Metrics } from "../../metrics/metrics.ts";
import { text } from "../../monitor/answer.ts";
import { Endpoints, type FurtherEndpoint } from "../../monitor/endpoints.ts";
import { serveHttp, type MonitorHttp, type Site } from "../../monitor/http.ts";
import type { MonitorSource } from "../../monitor/source.ts";
import { Turns } from "../../monitor/turns.ts";
import { lookAt, type MeasuredRooms } from "./metrics-source.ts";
import type { MonitorPorts } from "./opened.ts";
import { listening } from "../../ports/start-error.ts";
import { readPage } from "./page-file.ts";
import type { Rooms } from "../rooms.ts";
import { hostPort } from "../../base/host-port.ts";

/** Rejects with the operating system's error; nothing is left open then. */
export async function openMonitorPorts(
  rooms: MeasuredRooms & Pick<Rooms, "logger">,
  source: MonitorSource,
): Promise<MonitorPorts> {
  const { inForce, tls, logger } = rooms;
  const { config } = inForce.current;
  const open: { monitor?: MonitorHttp; metrics?: MonitorHttp } = {};
  const { host, httpsPort, user, password, token } = config.monitor;
  const [isSecure, port] = [httpsPort !== null, httpsPort ?? config.monitor.port];
  const { prefix: own, jetStreamPrefix: jetStream } = config.metrics;
  const metrics = new Metrics({ look: () => lookAt(rooms, endpoints) }, { own, jetStream });
  const scrapes = scrapesOf(metrics, config.metrics.path);
  const endpoints = new Endpoints(source, port === null ? null : await readPage(), [scrapes]);
  const close = async (): Promise<void> => {
    metrics[Symbol.dispose]();
    await Promise.all([open.monitor?.close(), open.metrics?.close()]);
  };
  const guard = new Guard({ user, password, token });
  const certificate = isSecure ? tls.client?.context.options : undefined;
  try {
    if (port !== null) {
      open.monitor = await listening(
        { host, port },
        serveHttp(endpoints, { host, port, certificate, guard }, logger),
        (reason) => `Can't start monitoring: can't listen to the monitor port: ${reason}`,
      );
      logger.info(`Starting ${isSecure ? "https" : "http"} monitor on ${hostPort(host, open.monitor.port)}`);
    }
    const { host: at, port: number } = config.metrics;
    if (number !== null) {
      const listen = { host: at, port: number, certificate, guard };
      open.metrics = await listening(
        { host: at, port: number },
        serveHttp(siteOf(scrapes), listen, logger),
        (reason) => `Can't start metrics: can't listen to the metrics port: ${reason}`,
      );
      logger.info(`Listening for scrapes of metrics on ${hostPort(at, open.metrics.port)}`);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    monitorPort: open.monitor?.port ?? null,
    metricsPort: open.metrics?.port ?? null,
    crowdedOut: () => sumOf([open.monitor, open.metrics]),
    guard,
    endpoints,
    close,
    useCertificate(next) {
      open.monitor?.useCertificate(next);
      open.metrics?.useCertificate(next);
    },
  };
}

function scrapesOf(metrics: Metrics, path: string): FurtherEndpoint {
  return {
    path,
    async answer(turns) {
      const body = await metrics.scrape(() => turns.next());
      return { status: 200, contentType: METRICS_TYPE, body };
    },
  };
}

function sumOf(ports: readonly (MonitorHttp | undefined)[]): number {
  return ports.reduce((sum, port) => sum + (port?.crowdedOut() ?? 0), 0);
}

/** Answers with the one thing alone. */
function siteOf({ path, answer }: FurtherEndpoint): Site {
  const turns = new Turns();
  return {
    turns,
    withoutBase: (asked) => asked,
    answer: async (asked) => (asked === path ? answer(turns) : text(404, "404 page not found\n")),
  };
}
