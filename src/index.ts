/**
 * shoal inside a Node process: a NATS server for tests and tools, without a binary to download.
 *
 *     import { startServer } from "shoal";
 *     const server = await startServer({ port: -1 });
 *     // … connect a client to server.url …
 *     await server.close();
 */
import { Server } from "./app/server.ts";
import type { Logger } from "./base/logger.ts";
import { silentLogger } from "./base/logger.ts";
import type { ConfigOverrides } from "./config/config.ts";
import { defaultConfig } from "./config/finish.ts";
import { MemoryDisk } from "./store/memory-disk.ts";

export type { Logger, LogFields } from "./base/logger.ts";

export interface StartOptions {
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** Client port; -1 (the default) for any that is free. */
  readonly port?: number;
  readonly serverName?: string;
  /** Largest payload of a message, in bytes. Default 1 MB. */
  readonly maxPayloadBytes?: number;
  /** Token, or user and password, that clients have to present. */
  readonly token?: string;
  readonly user?: string;
  readonly password?: string;
  /** Makes the server a member of a cluster. */
  readonly cluster?: {
    readonly name?: string;
    readonly host?: string;
    /** Route port; -1 (the default) for any that is free. */
    readonly port?: number;
    /** Other members, as `nats://host:port`. */
    readonly routes?: readonly string[];
  };
  /** Streams, key-value and object stores. "memory": without limits, and gone when the server is closed. */
  readonly jetstream?: "memory" | JetStreamStartOptions;
  /** Gets what the server has to say. Default: nothing is logged. */
  readonly logger?: Logger;
}

export interface JetStreamStartOptions {
  /** Folder that keeps everything, below `jetstream/` in it. One server at a time. Absent: in memory, gone when the server is closed. */
  readonly storeDir?: string;
  /** What all streams with `storage: "memory"` may take, in bytes. Default: three quarters of the machine's memory. */
  readonly maxMemoryBytes?: number;
  /** What all other streams may take, in bytes. Default: what the volume has, less a reserve. */
  readonly maxFileBytes?: number;
  /** Domain under which requests are answered as well (`$JS.<domain>.API`). */
  readonly domain?: string;
  /** "always" (the default): the disk has a message before it is acknowledged. Milliseconds: the kernel has it, the disk that much later. */
  readonly syncInterval?: "always" | number;
}

export interface RunningServer extends AsyncDisposable {
  /** For clients, as `nats://host:port`. */
  readonly url: string;
  readonly port: number;
  /** For other members of a cluster, as `nats://host:port`; undefined without one. */
  readonly clusterUrl: string | undefined;
  readonly id: string;
  /** Ends all connections and stops listening. No handle is left open. */
  close(): Promise<void>;
}

/**
 * Starts a server in this process; resolves when it accepts connections.
 *
 * @throws the operating system's error when a port cannot be listened on (`EADDRINUSE`), or an Error that names the option
 * that makes no sense.
 */
export async function startServer(options: StartOptions = {}): Promise<RunningServer> {
  const server = new Server({
    config: configOf(options),
    logger: options.logger ?? silentLogger,
    ...(options.jetstream !== undefined && storeDirOf(options.jetstream) === null
      ? { disk: new MemoryDisk() }
      : {}),
  });
  await server.start();
  const close = async (): Promise<void> => {
    server.stop();
    await server.closed();
  };
  const cluster = server.clusterEndpoint;
  return {
    url: server.url,
    port: server.clientEndpoint!.port,
    clusterUrl: cluster === null ? undefined : `nats://${options.cluster?.host ?? LOOPBACK}:${cluster.port}`,
    id: server.identity.id,
    close,
    [Symbol.asyncDispose]: close,
  };
}

const LOOPBACK = "127.0.0.1";

function configOf(options: StartOptions): ReturnType<typeof defaultConfig> {
  const { cluster } = options;
  return defaultConfig({
    server: { name: options.serverName ?? null },
    client: {
      host: options.host ?? LOOPBACK,
      port: anyPort(options.port),
      ...(options.maxPayloadBytes === undefined ? {} : { maxPayloadBytes: options.maxPayloadBytes }),
    },
    authorization: {
      token: options.token ?? null,
      user: options.user ?? null,
      password: options.password ?? null,
    },
    ...(options.jetstream === undefined ? {} : { jetStream: jetStreamOf(options.jetstream) }),
    ...(cluster === undefined
      ? {}
      : {
          cluster: {
            name: cluster.name ?? null,
            host: cluster.host ?? LOOPBACK,
            port: anyPort(cluster.port),
            routes: (cluster.routes ?? []).map(routeOf),
          },
        }),
  });
}

/** null: in memory. */
function storeDirOf(jetstream: "memory" | JetStreamStartOptions): string | null {
  return jetstream === "memory" ? null : (jetstream.storeDir ?? null);
}

function jetStreamOf(jetstream: "memory" | JetStreamStartOptions): ConfigOverrides["jetStream"] {
  const { maxMemoryBytes, maxFileBytes, domain, syncInterval } = jetstream === "memory" ? {} : jetstream;
  const syncIntervalMs = syncInterval === "always" ? undefined : syncInterval;
  return {
    isEnabled: true,
    storeDir: storeDirOf(jetstream),
    maxMemoryBytes,
    maxFileBytes,
    domain,
    syncIntervalMs,
  };
}

function anyPort(port: number | undefined): number {
  return port === undefined || port === -1 ? 0 : port;
}

function routeOf(url: string): { host: string; port: number; user: string | null; password: string | null } {
  const parsed = new URL(url);
  const host = parsed.hostname.replace(/^\[|\]$/g, "");
  return {
    host,
    port: Number(parsed.port || 6222),
    user: parsed.username === "" ? null : decodeURIComponent(parsed.username),
    password: parsed.password === "" ? null : decodeURIComponent(parsed.password),
  };
}
