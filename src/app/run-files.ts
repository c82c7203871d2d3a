/** Files that tell other programs about a running server: its process id, and its ports. They follow the configuration. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Prepared } from "../base/prepared.ts";
import type { Config } from "../config/config.ts";
import type { ReloadPart } from "./reload.ts";
import type { Server } from "./server.ts";

/** Gone again when disposed of. */
export class RunFiles implements ReloadPart, Disposable {
  private server: Server | null = null;
  private written: readonly string[] = [];

  /** Throws the operating system's error. */
  write(server: Server): void {
    this.server = server;
    this.written = writeFiles(server, pathsOf(server.config));
  }

  prepare(next: Config): Prepared | null {
    const { server, written } = this;
    if (server === null) return null;
    const paths = pathsOf(next);
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
}

function pathsOf({ server: { pidFile, portsFileDir } }: Config): string[] {
  const portsFile = portsFileDir === null ? [] : [join(portsFileDir, `shoal_${process.pid}.ports`)];
  return pidFile === null ? portsFile : [pidFile, ...portsFile];
}

function writeFiles(server: Server, paths: readonly string[]): readonly string[] {
  for (const path of paths) {
    writeFileSync(path, path.endsWith(".ports") ? JSON.stringify(portsOf(server)) : String(process.pid));
  }
  return paths;
}

function remove(files: readonly string[]): void {
  for (const file of files) rmSync(file, { force: true });
}

/** As nats-server writes them: URLs by kind of port. */
function portsOf(server: Server): Record<string, string[]> {
  const cluster = server.clusterEndpoint;
  return {
    nats: [server.tls.client === null ? server.url : server.url.replace("nats:", "tls:")],
    ...(server.monitorPort === null
      ? {}
      : {
          monitoring: [
            `${server.isMonitorSecure ? "https" : "http"}://${new URL(server.url).hostname}:${server.monitorPort}`,
          ],
        }),
    ...(cluster === null
      ? {}
      : {
          cluster: [`${server.tls.cluster === null ? "nats" : "tls"}://${cluster.address}:${cluster.port}`],
        }),
  };
}
