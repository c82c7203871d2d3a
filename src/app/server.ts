/**
 * One server: a list of parts, and the orders in which they start, follow a reload, and stop. What they act on is in rooms.ts, what
 * they do in parts.ts.
 */
import { assert } from "../base/assert.ts";
import { keepAwake, systemClock } from "../base/clock.ts";
import { hostPort } from "../base/host-port.ts";
import type { Part } from "../base/part.ts";
import type { Config } from "../config/config.ts";
import type { LoadResult } from "../config/load.ts";
import type { DrainsUntil, LifeState } from "../health/lifecycle.ts";
import { drainClients } from "../ports/client/lame-duck.ts";
import type { ServerAnswer } from "../system/cluster-query.ts";
import type { Endpoint } from "../transport/wire.ts";
import { limitsTogether } from "./limits-together.ts";
import { operatorPart, signedStreams } from "./operator-part.ts";
import * as part from "./parts.ts";
import { Reload, type ReloadOutcome, type ReloadPart, type ReloadReason } from "./reload.ts";
import { Rooms, type RoomsOptions } from "./rooms.ts";
import { logListening, logStart } from "./start-log.ts";

export interface ServerOptions extends RoomsOptions {
  /** Absent: the configuration cannot be loaded again. */
  readonly configSource?: ConfigSource;
}

/** Where the configuration came from, and what else than the server follows it. */
interface ConfigSource {
  load(): Promise<LoadResult>;
  /** Those that were read. */
  readonly files: readonly string[];
  /** Applied before the server's own. */
  readonly parts: readonly ReloadPart[];
}

const NO_SOURCE: LoadResult = {
  kind: "error",
  messages: ["the server was started without a configuration that can be loaded again"],
  position: null,
  isParseError: false,
  files: [],
};

export class Server {
  readonly rooms: Rooms;
  private readonly reloads: Reload;
  /** In the order in which they start and follow a reload. */
  private readonly parts: readonly Part<Config>[];
  /** In the order in which they stop; monitoring follows when connections have ended. */
  private readonly stops: readonly Part<Config>[];
  private readonly monitoring: Part<Config>;
  private readonly stopping = new AbortController();
  private drainsUntil: DrainsUntil = "done";
  private monitorClosed: Promise<void> | undefined;

  constructor(options: ServerOptions) {
    const rooms = (this.rooms = new Rooms(options, () => this.membersChanged()));
    const certificates = part.certificates(rooms);
    const accounts = part.accountsPart(rooms);
    const operator = operatorPart(rooms);
    const together = limitsTogether(rooms);
    const users = part.usersPart(rooms);
    const system = part.systemAccount(rooms, () => this.reload("request"));
    const monitoring = (this.monitoring = part.monitoring(rooms));
    const watch = this.watchConfig();
    const streams = part.streams(rooms);
    const clients = part.clientPort(rooms);
    const webSocket = part.webSocketPort(rooms);
    const routes = part.routes(rooms);
    const leafNodes = part.leafNodePort(rooms);
    const readiness = part.readinessPart(rooms);
    const rebalancing = part.rebalancing(rooms);
    this.parts = [
      ...[
        certificates,
        accounts,
        together,
        operator,
        users,
        system,
        monitoring,
        watch,
        streams,
        signedStreams(rooms),
      ],
      ...[part.meeting(rooms), clients, webSocket, leafNodes, routes, part.traces(rooms)],
      ...[part.toldByInfo(rooms), this.ready(), readiness, rebalancing],
      part.warmUpPart(rooms, this.stopping.signal),
    ];
    this.stops = [
      ...[rebalancing, system, streams, webSocket, leafNodes, clients, routes, readiness, watch],
      ...[users, operator, together, accounts, certificates],
    ];
    this.reloads = this.followReloads(options.configSource);
  }

  private ready(): Part<Config> {
    const start = (): void => {
      logListening(this.rooms);
      this.rooms.life.become("ready");
    };
    return { name: "ready", start };
  }

  private watchConfig(): Part<Config> {
    return part.configWatch({
      logger: this.rooms.logger,
      mode: () => this.config.server.watchFiles,
      files: () => this.reloads.files,
      readMs: () => this.reloads.readMs,
      onChange: () => void this.reload("files"),
    });
  }

  private followReloads(source: ConfigSource | undefined): Reload {
    const { inForce, reloadRecord, logger, turn } = this.rooms;
    return new Reload({
      inForce,
      record: reloadRecord,
      load: () => source?.load() ?? Promise.resolve(NO_SOURCE),
      files: source?.files ?? [],
      parts: [...(source?.parts ?? []), ...this.parts],
      async followed() {
        // Sessions are checked again in slices, and defer long work, such as checking their subscriptions.
        await turn.chores.caughtUp();
        await turn.chores.caughtUp();
      },
      clock: systemClock,
      logger,
    });
  }

  /** Listens and joins the cluster. Rejects with the operating system's error; nothing is left open then. */
  async start(): Promise<void> {
    const awake = keepAwake(); // nothing listens yet, and a part may wait, as for the folder of streams
    logStart(this.rooms);
    try {
      for (const one of this.parts) await one.start?.();
    } catch (error) {
      this.stop();
      throw error;
    } finally {
      awake[Symbol.dispose]();
    }
  }

  /** Loads the configuration again, and makes the server what it says, or leaves everything as it is. */
  async reload(reason: ReloadReason): Promise<ReloadOutcome> {
    if (this.state === "stopped") return { kind: "refused", messages: ["the server has stopped"] };
    return this.reloads.run(reason);
  }

  /** Leaves well: tells peers and clients, lets clients go one by one, then stops. */
  async lameDuck(until: DrainsUntil = "done"): Promise<void> {
    const { life, clients, cluster, logger } = this.rooms;
    if (!life.mayBecome("lame duck")) return;
    life.become("lame duck");
    this.drainsUntil = until;
    const { lameDuckDurationMs: durationMs, lameDuckGracePeriodMs: gracePeriodMs } = this.config.server;
    const fields = { event: "lame_duck", durationMs, gracePeriodMs, connections: clients.sessions.size };
    logger.info("Entering lame duck mode, stop accepting new clients", fields);
    for (const one of this.parts) {
      const handedOn = one.drain?.();
      if (handedOn !== undefined) await handedOn;
    }
    const { signal } = this.stopping;
    const routes = cluster?.table;
    await drainClients(clients, {
      durationMs,
      gracePeriodMs,
      clock: systemClock,
      signal,
      routesCaughtUp: async () => routes?.caughtUp(),
      membersElsewhere: (account, subject, queue) => routes?.membersElsewhere(account, subject, queue) ?? 0,
    });
    this.stop();
  }

  /** Stops at once: what is in outboxes is written, connections end. */
  stop(): void {
    const { life, logger } = this.rooms;
    if (life.state === "stopped") return;
    life.become("stopped");
    this.stopping.abort();
    logger.info("Initiating Shutdown...");
    for (const one of this.stops) void one.stop?.();
    this.monitorClosed = this.connectionsEnded().then(() => this.monitoring.stop?.());
    logger.info("Server Exiting..");
  }

  /** Resolves when every connection has ended. */
  async closed(): Promise<void> {
    await this.connectionsEnded();
    await this.monitorClosed;
  }

  private async connectionsEnded(): Promise<void> {
    await Promise.all(this.stops.map(async (one) => one.closed?.()));
  }

  private membersChanged(): void {
    const { accounts, cluster, system, clients } = this.rooms;
    const name = cluster?.clusterName ?? "";
    clients.sendInfoToAll();
    for (const account of accounts) account.mappings?.setCluster(name);
    system.current?.service?.membersChanged();
    this.rooms.leafNodes.sayInfoToAll();
    // The mesh is in the middle of a step.
    if (this.isStranded()) queueMicrotask(() => this.isStranded() && this.stop());
  }

  /** It lets clients go to another member, and none is left. */
  private isStranded(): boolean {
    return this.state === "lame duck" && this.drainsUntil === "alone" && !this.hasRefuge;
  }

  /**
   * Asks every server of the cluster, this one included: see ClusterQuery. `kind` is a "Z", such as "VARZ". Without a system account
   * nobody answers.
   */
  async clusterQuery(kind: string, timeoutMs: number, options: object = {}): Promise<ServerAnswer[]> {
    return this.rooms.system.current?.service?.clusterQuery(kind, timeoutMs, undefined, options) ?? [];
  }

  get identity(): Rooms["identity"] {
    return this.rooms.identity;
  }

  get accounts(): Rooms["accounts"] {
    return this.rooms.accounts;
  }

  get clients(): Rooms["clients"] {
    return this.rooms.clients;
  }

  get cluster(): Rooms["cluster"] {
    return this.rooms.cluster;
  }

  get state(): LifeState {
    return this.rooms.life.state;
  }

  /** As it is in force. */
  get config(): Config {
    return this.rooms.inForce.current.config;
  }

  get clientEndpoint(): Endpoint | null {
    return this.rooms.listening.current.client;
  }

  /** Where the second listener listens. */
  get externalEndpoint(): Endpoint | null {
    return this.rooms.listening.current.external;
  }

  get webSocketEndpoint(): Endpoint | null {
    return this.rooms.listening.current.webSocket;
  }

  get leafNodeEndpoint(): Endpoint | null {
    return this.rooms.listening.current.leafNodes;
  }

  get clusterEndpoint(): Endpoint | null {
    return this.rooms.listening.current.cluster;
  }

  /** null without monitoring. */
  get monitorPort(): number | null {
    return this.rooms.monitor.current?.monitorPort ?? null;
  }

  /** null without a port for metrics alone. */
  get metricsPort(): number | null {
    return this.rooms.monitor.current?.metricsPort ?? null;
  }

  /** Where clients connect, as a URL. */
  get url(): string {
    assert(this.clientEndpoint !== null, "the server listens");
    const { host } = this.config.client;
    const isAny = host === "0.0.0.0" || host === "::";
    return `nats://${hostPort(isAny ? "127.0.0.1" : host, this.clientEndpoint.port)}`;
  }

  /** Whether another server of the cluster stays, to which clients can move. */
  get hasRefuge(): boolean {
    return (this.rooms.cluster?.members.count ?? 0) > 0;
  }

  /** Whether a port of it asks for TLS. */
  get isTlsRequired(): { readonly clients: boolean; readonly routes: boolean } {
    const { tls } = this.rooms;
    return { clients: tls.client !== null, routes: tls.cluster !== null };
  }
}
