/** Files that tell other programs about a running server: its process id, and its ports. They follow the configuration. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "../../base/logger.ts";
import type { Prepared } from "../../base/prepared.ts";
import type { Config } from "../../config/config.ts";
import type { ReloadPart } from "../reload.ts";
import { hostPort } from "../../base/host-port.ts";
import { fileReason, StartError } from "../../ports/start-error.ts";

/** What the files tell of. */
export interface ShownServer {
  readonly config: Config;
  readonly url: string;
  /** null: it has none. */
  readonly monitorPort: number | null;
  readonly webSocketEndpoint: { readonly address: string; readonly port: number } | null;
  readonly clusterEndpoint: { readonly address: string; readonly port: number } | null;
  readonly isTlsRequired: { readonly clients: boolean; readonly routes: boolean };
}

/** Gone again when disposed of. */
export class RunFiles implements ReloadPart, Disposable {
  private server: ShownServer | null = null;
  private written: readonly string[] = [];
  private readonly programName: string;
  private readonly logger: Logger;

  constructor(programName: string, logger: Logger) {
    this.programName = programName;
    this.logger = logger;
  }

  /** Throws a StartError where the pid file cannot be written. A server without its ports file continues, as nats-server does. */
  write(server: ShownServer): void {
    this.server = server;
    this.written = this.pathsOf(server.config).filter((path) => this.tryToWrite(server, path));
  }

  private tryToWrite(server: ShownServer, path: string): boolean {
    try {
      writeFiles(server, [path]);
      return true;
    } catch (error) {
      const reason = fileReason(path, error);
      if (!isPortsFile(path)) throw new StartError(`Could not write pidfile: ${reason}`, error);
      this.logger.error(`Error writing ports file (${path}): ${reason}`);
      return false;
    }
  }

  prepare(next: Config): Prepared | null {
    const { server, written } = this;
    if (server === null) return null;
    const paths = this.pathsOf(next);
    // A file that stays is never missing.
    const added = writeFiles(
      server,
      paths.filter((path) => !written.includes(path)),
    );
    return {
      apply: () => {
        this.written = paths;
        remove(written.filter((path) => !paths.includes(path)));
      },
      discard: () => remove(added),
    };
  }

  [Symbol.dispose](): void {
    remove(this.written);
  }

  private pathsOf({ server: { pidFile, portsFileDir } }: Config): string[] {
    const name = `${this.programName}_${process.pid}.ports`;
    const portsFile = portsFileDir === null ? [] : [join(portsFileDir, name)];
    return pidFile === null ? portsFile : [pidFile, ...portsFile];
  }
}

function isPortsFile(path: string): boolean {
  return path.endsWith(".ports");
}

function writeFiles(server: ShownServer, paths: readonly string[]): readonly string[] {
  for (const path of paths) {
    writeFileSync(path, isPortsFile(path) ? JSON.stringify(portsOf(server)) : String(process.pid));
  }
  return paths;
}

function remove(files: readonly string[]): void {
  for (const file of files) rmSync(file, { force: true });
}

/** As nats-server writes them: URLs by kind of port. */
function portsOf(server: ShownServer): Record<string, string[]> {
  const cluster = server.clusterEndpoint;
  const webSocket = server.webSocketEndpoint;
  const scheme = server.config.websocket.tls === null ? "ws" : "wss";
  const isMonitorSecure = server.config.monitor.httpsPort !== null;
  return {
    nats: [server.isTlsRequired.clients ? server.url.replace("nats:", "tls:") : server.url],
    ...(server.monitorPort === null
      ? {}
      : {
          monitoring: [
            `${isMonitorSecure ? "https" : "http"}://${new URL(server.url).hostname}:${server.monitorPort}`,
          ],
        }),
    ...(cluster === null
      ? {}
      : {
          cluster: [`${server.isTlsRequired.routes ? "tls" : "nats"}://${cluster.address}:${cluster.port}`],
        }),
    ...(webSocket === null
      ? {}
      : { websocket: [`${scheme}://${hostPort(webSocket.address, webSocket.port)}`] }),
  };
}
