/** Servers joined by leaf connections, each shoal or a real nats-server, and official clients on them. Whoever makes one disposes of it. */
import { connect, type ConnectionOptions, type NatsConnection } from "@nats-io/transport-node";
import { bothServers } from "./both-servers.ts";
import { freePort } from "./free-port.ts";
import { findNatsServerOf, type OldSeries } from "./nats-server-binary.ts";
import { startServer, type ServerProcess } from "./nats-server.ts";

export type LeafServerKind = "shoal" | "nats-server" | `nats-server ${OldSeries}`;

export interface LeafServerOptions {
  readonly name: string;
  /** Which have to be started already. */
  readonly hubs?: readonly LeafServer[];
  /** How its hubs are dialled: the beginning of URLs, and the path at their end; absent: over TCP. */
  readonly over?: { readonly scheme: "ws" | "wss"; readonly path: string };
  /** What else stands in the block of its port for WebSocket; absent: it has none. */
  readonly webSocket?: string;
  /** What else stands in its entry of `remotes`. */
  readonly remote?: string;
  /** Further entries of `remotes`. */
  readonly remotes?: readonly string[];
  /** What else stands in the block. */
  readonly leafnodes?: string;
  /** It has no port for leaf nodes of its own. */
  readonly acceptsNone?: boolean;
  readonly config?: string;
  readonly cluster?: {
    readonly name: string;
    readonly routes: readonly LeafServer[];
    /** What else stands in the block. */
    readonly more?: string;
  };
  /** Of its own; absent: any free one. */
  readonly leafPort?: number;
  /** Where monitoring is to be had; absent: nowhere. */
  readonly monitorPort?: number | undefined;
  /** Before the host in URLs of this server, as in "user:password@". */
  readonly urlUser?: string;
}

interface Ports {
  readonly leaf: number;
  readonly route: number;
  readonly webSocket: number;
}

export class LeafServer {
  readonly name: string;
  readonly process: ServerProcess;
  readonly leafPort: number;
  readonly webSocketPort: number;
  readonly routePort: number;
  readonly urlUser: string;
  readonly monitorPort: number | undefined;

  constructor(process: ServerProcess, { name, urlUser = "", monitorPort }: LeafServerOptions, ports: Ports) {
    this.process = process;
    this.name = name;
    this.leafPort = ports.leaf;
    this.webSocketPort = ports.webSocket;
    this.routePort = ports.route;
    this.urlUser = urlUser;
    this.monitorPort = monitorPort;
  }
}

const oldCommands = new Map<LeafServerKind, string | undefined>();

/** undefined: there is none here. */
function commandOf(kind: LeafServerKind): string | undefined {
  if (kind === "shoal" || kind === "nats-server") return bothServers[kind === "shoal" ? 0 : 1]?.command;
  if (!oldCommands.has(kind))
    oldCommands.set(kind, findNatsServerOf(kind.slice("nats-server ".length) as OldSeries)?.path);
  return oldCommands.get(kind);
}

export function hasKind(kind: LeafServerKind): boolean {
  return commandOf(kind) !== undefined;
}

export class LeafWorld implements AsyncDisposable {
  readonly servers: LeafServer[] = [];
  private readonly clients: NatsConnection[] = [];

  async start(kind: LeafServerKind, options: LeafServerOptions): Promise<LeafServer> {
    const command = commandOf(kind)!;
    const ports = {
      leaf: options.leafPort ?? (await freePort()),
      route: await freePort(),
      webSocket: await freePort(),
    };
    const server = new LeafServer(await startServer(command, configOf(options, ports)), options, ports);
    this.servers.push(server);
    return server;
  }

  async connect(server: LeafServer, options: ConnectionOptions = {}): Promise<NatsConnection> {
    const { host, port } = server.process;
    const client = await connect({ servers: `${host}:${port}`, reconnect: false, ...options });
    this.clients.push(client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
    await Promise.all(this.servers.map((server) => server.process.stop()));
  }
}

function configOf(options: LeafServerOptions, ports: Ports): string {
  const {
    name,
    hubs = [],
    remote = "",
    remotes: others = [],
    leafnodes = "",
    acceptsNone,
    config = "",
    cluster,
    monitorPort,
    over,
    webSocket,
  } = options;
  const remotes = hubs.map((hub) =>
    over === undefined
      ? `{ url: "nats-leaf://${hub.urlUser}127.0.0.1:${hub.leafPort}", ${remote} }`
      : `{ url: "${over.scheme}://${hub.urlUser}127.0.0.1:${hub.webSocketPort}${over.path}", ${remote} }`,
  );
  const routes = cluster?.routes.map(({ routePort }) => `"nats://127.0.0.1:${routePort}"`) ?? [];
  const clustered =
    cluster === undefined
      ? ""
      : `cluster { name: ${cluster.name}, listen: "127.0.0.1:${ports.route}", routes: [${routes.join(", ")}], ${cluster.more ?? ""} }`;
  return `server_name: ${name}
    leafnodes { ${acceptsNone === true ? "" : `listen: "127.0.0.1:${ports.leaf}", `}${leafnodes}
      remotes: [${[...remotes, ...others].join(", ")}] }
    ${clustered}
    ${webSocket === undefined ? "" : `websocket { listen: "127.0.0.1:${ports.webSocket}", ${webSocket} }`}
    ${monitorPort === undefined ? "" : `http: "127.0.0.1:${monitorPort}"`}
    ${config}`;
}
