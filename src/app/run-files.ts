/** Files that tell other programs about a running server: its process id, and its ports. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Server } from "./server.ts";

export interface RunFileOptions {
  readonly pidFile: string | null;
  readonly portsFileDir: string | null;
}

/** Writes them; gone again when disposed of. Throws the operating system's error. */
export function writeRunFiles(server: Server, options: RunFileOptions): Disposable {
  const written: string[] = [];
  if (options.pidFile !== null) {
    writeFileSync(options.pidFile, String(process.pid));
    written.push(options.pidFile);
  }
  if (options.portsFileDir !== null) {
    const file = join(options.portsFileDir, `shoal_${process.pid}.ports`);
    writeFileSync(file, JSON.stringify(portsOf(server)));
    written.push(file);
  }
  return { [Symbol.dispose]: () => written.forEach((file) => rmSync(file, { force: true })) };
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
