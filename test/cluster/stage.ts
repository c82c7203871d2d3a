/**
 * Servers and clients of one test, all in this process, all ended with it. Servers are configured by the text of a file or by
 * arguments, as a person does it; what they log is kept. Knows when the mesh of some servers is whole.
 */
import { connect, type ConnectionOptions, type NatsConnection } from "@nats-io/transport-node";
import { Server } from "../../src/app/server.ts";
import type { LogFields, Logger, LogLevel } from "../../src/base/logger.ts";
import { loadConfig } from "../../src/config/load.ts";
import { waitFor } from "../support/cluster-wait.ts";

export interface LogLine extends LogFields {
  readonly level: LogLevel;
  readonly msg: string;
}

export interface Route {
  readonly peerId: string;
  readonly peerName: string;
  /** null: one of the pool. */
  readonly account: string | null;
  readonly poolIndex: number;
  readonly direction: "accepted" | "dialled";
  readonly sent: number;
}

export interface ServerText {
  readonly name?: string;
  /** Name of the cluster; null: the server makes one up. */
  readonly cluster?: string | null;
  readonly clientPort?: number;
  readonly clusterPort?: number;
  readonly routes?: readonly string[];
  readonly clusterLines?: readonly string[];
  readonly serverLines?: readonly string[];
}

export class RunningServer {
  readonly server: Server;
  readonly lines: readonly LogLine[];

  constructor(server: Server, lines: readonly LogLine[]) {
    this.server = server;
    this.lines = lines;
  }

  get id(): string {
    return this.server.identity.id;
  }

  get name(): string {
    return this.server.identity.name;
  }

  get clusterName(): string {
    return this.server.cluster!.clusterName;
  }

  get clientPort(): number {
    return this.server.clientEndpoint!.port;
  }

  get clusterPort(): number {
    return this.server.clusterEndpoint!.port;
  }

  /** `userInfo` is "user:password". */
  routeUrl(userInfo?: string): string {
    return `nats-route://${userInfo === undefined ? "" : `${userInfo}@`}127.0.0.1:${this.clusterPort}`;
  }

  /** Registered routes, ordered by peer and slot. */
  get routes(): Route[] {
    const found = [...this.server.cluster!.sessions.values()].flatMap(
      ({ registration, direction, outMessages }) =>
        registration === null ? [] : [{ ...registration, direction, sent: outMessages }],
    );
    const order = (route: Route): string => `${route.peerId} ${route.account ?? ""} ${route.poolIndex}`;
    return found.sort((a, b) => order(a).localeCompare(order(b)));
  }

  routesTo(peer: RunningServer): Route[] {
    return this.routes.filter(({ peerId }) => peerId === peer.id);
  }

  logged(part: string | RegExp): LogLine[] {
    return this.lines.filter(({ msg }) => (typeof part === "string" ? msg.includes(part) : part.test(msg)));
  }

  /** Resolves with the first line that says so. */
  async says(part: string | RegExp): Promise<LogLine> {
    return waitFor(
      `${this.name} to log ${part}`,
      () => this.logged(part)[0],
      () => this.logTail(),
    );
  }

  async stop(): Promise<void> {
    this.server.stop();
    await this.server.closed();
  }

  logTail(): string {
    return [`--- ${this.name}`, ...this.lines.slice(-30).map((line) => JSON.stringify(line))].join("\n");
  }
}

export class Stage implements AsyncDisposable {
  private readonly servers: RunningServer[] = [];
  private readonly openClients: NatsConnection[] = [];

  async start(text: ServerText = {}, args: readonly string[] = []): Promise<RunningServer> {
    const lines: LogLine[] = [];
    const loaded = loadConfig(["-c", "server.conf", ...args], {}, () => Buffer.from(configText(text)));
    if (loaded.kind !== "run") throw new Error(`${JSON.stringify(loaded)}\n${configText(text)}`);
    const server = new Server({ config: loaded.config, logger: remembering(lines, {}) });
    await server.start();
    const running = new RunningServer(server, lines);
    this.servers.push(running);
    return running;
  }

  /** A seed, and others that know the seed alone. */
  async cluster(texts: readonly ServerText[]): Promise<RunningServer[]> {
    const members: RunningServer[] = [];
    for (const text of texts) {
      const routes = members.slice(0, 1).map((seed) => seed.routeUrl());
      members.push(await this.start({ routes, ...text }));
    }
    return members;
  }

  async client(
    server: Pick<RunningServer, "clientPort">,
    options: ConnectionOptions = {},
  ): Promise<NatsConnection> {
    const servers = `127.0.0.1:${server.clientPort}`;
    const client = await connect({ servers, reconnect: false, ignoreClusterUpdates: true, ...options });
    this.openClients.push(client);
    return client;
  }

  async clients(servers: readonly RunningServer[]): Promise<NatsConnection[]> {
    return Promise.all(servers.map((server) => this.client(server)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.openClients.map((client) => client.close()));
    await Promise.all(this.servers.map((server) => server.stop()));
  }
}

/** Resolves once each has routes, all that there should be, to all the others and to nobody else. */
export async function whole(servers: readonly RunningServer[]): Promise<void> {
  for (const server of servers) {
    const wanted = servers.filter((other) => other !== server).map(({ id }) => id);
    await waitFor(
      `${server.name} to have routes to ${wanted.length} others`,
      () => {
        const { peers } = server.server.cluster!.snapshot()!;
        const ids = peers.map(({ id }) => id);
        return (
          ids.sort().join() === wanted.sort().join() && peers.every(({ slots }) => !slots.includes(undefined))
        );
      },
      () => servers.map((each) => each.logTail()).join("\n"),
    );
  }
}

function configText({ name, cluster = "C", clientPort = -1, clusterPort = -1, ...rest }: ServerText): string {
  return [
    ...(name === undefined ? [] : [`server_name: ${name}`]),
    `listen: 127.0.0.1:${clientPort}`,
    ...(rest.serverLines ?? []),
    "cluster {",
    `listen: 127.0.0.1:${clusterPort}`,
    ...(cluster === null ? [] : [`name: "${cluster}"`]),
    ...(rest.routes === undefined ? [] : [`routes: ${JSON.stringify(rest.routes)}`]),
    ...(rest.clusterLines ?? []),
    "}",
  ].join("\n");
}

function remembering(lines: LogLine[], fields: LogFields): Logger {
  const keep =
    (level: LogLevel) =>
    (msg: string, more: LogFields = {}): void =>
      void lines.push({ ...fields, ...more, level, msg });
  return {
    tracing: false,
    debugging: true,
    trace: keep("trace"),
    debug: keep("debug"),
    info: keep("info"),
    warn: keep("warn"),
    error: keep("error"),
    fatal: keep("fatal"),
    child: (more) => remembering(lines, { ...fields, ...more }),
  };
}
