/**
 * One server: builds the rooms from its configuration and wires them. What happens to a message is in `links` and `core`, to
 * the cluster in `cluster`; here it is only said who talks to whom.
 */
import { assert } from "../base/assert.ts";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { limitSlab } from "../slab/chunks.ts";
import type { Logger } from "../base/logger.ts";
import type { Config } from "../config/config.ts";
import type { LoadResult } from "../config/load.ts";
import { Accounts } from "../core/accounts.ts";
import { systemImports } from "../core/system-imports.ts";
import type { InfoContext } from "../links/client/host.ts";
import { Faults } from "../links/trunk/faults.ts";
import { Turn } from "../links/trunk/turn.ts";
import { RecentEvents } from "../log/recent-events.ts";
import type { Readiness } from "../health/readiness.ts";
import { NATS_LEVEL, type ServerIdentity } from "../protocol/info.ts";
import type { Disk } from "../store/disk.ts";
import type { ServerAnswer } from "../system/cluster-query.ts";
import type { Endpoint } from "../transport/wire.ts";
import { accountsDefinition, mappingsToSet } from "./slices/accounts.ts";
import { clientLimits, externalListener, tlsSlice } from "./slices/client.ts";
import { clusterPortOptions, rebalanceSettings } from "./slices/cluster.ts";
import { ClientPort } from "../ports/client/client-port.ts";
import { ClientUsers } from "../ports/client/client-users.ts";
import { ClusterPort } from "../ports/cluster/cluster-port.ts";
import { SYSTEM_EDGE } from "../ports/cluster/system-edge.ts";
import type { ConfigWatch } from "./config-watch.ts";
import { newServerKeys, serverHash } from "./process/identity.ts";
import type { JetStreamPart } from "./jetstream.ts";
import { startJetStream } from "./start-jetstream.ts";
import { drainClients } from "../ports/client/lame-duck.ts";
import { mayFollow, type DrainsUntil, type LifeState } from "../health/lifecycle.ts";
import { clientUsersOptions } from "./slices/authorization.ts";
import { slabBudgetBytes } from "./process/memory.ts";
import { PortTls } from "../ports/port-tls.ts";
import { Rebalancer } from "./rebalancer.ts";
import { ReadinessWatch, type ReadinessFacts } from "../health/readiness-watch.ts";
import type { MonitorPorts } from "./views/monitor-port.ts";
import { SelfDescription } from "./views/self-description.ts";
import { joinSystemAccount, type SystemMembership } from "./views/system-account.ts";
import type { Reload, ReloadOutcome, ReloadPart, ReloadReason } from "./reload.ts";
import { reloadsOf, watchOf } from "./reload-parts.ts";
import { VERSION } from "./process/version.ts";
import { warmUp } from "./warm-up.ts";
import { SERVER_SHUTDOWN } from "../protocol/close-cause.ts";
import { hostPort } from "../base/host-port.ts";

export interface ServerParts {
  readonly config: Config;
  readonly logger: Logger;
  /** Of the configuration file, as monitoring shows it. */
  readonly configDigest?: string;
  /** Where none is configured; absent: the id. */
  readonly defaultName?: string | null;
  /** Name in DNS that leads to this server alone: for routes over TLS where none is configured, since certificates have names. */
  readonly ownDnsName?: string | null;
  /** Absent: the configuration cannot be loaded again. */
  readonly configSource?: ConfigSource;
  /** Where streams are kept; absent: on the machine's. */
  readonly disk?: Disk | undefined;
}

/** Where the configuration came from, and what else than the server follows it. */
interface ConfigSource {
  load(): Promise<LoadResult>;
  /** Those that were read. */
  readonly files: readonly string[];
  /** Applied before the server's own. */
  readonly parts: readonly ReloadPart[];
}

const EVENTS_MAX = 100;

export class Server {
  readonly identity: ServerIdentity;
  readonly keys = newServerKeys();
  readonly clients: ClientPort;
  readonly cluster: ClusterPort | null;
  readonly accounts: Accounts;
  state: LifeState = "starting";
  clientEndpoint: Endpoint | null = null;
  /** Of the second listener. */
  externalEndpoint: Endpoint | null = null;
  clusterEndpoint: Endpoint | null = null;
  readonly tls: PortTls;
  readonly events = new RecentEvents(EVENTS_MAX, systemClock);
  readonly startedMs = systemClock.nowMs();
  readonly users: ClientUsers;
  /** What the input of connections has brought out. */
  readonly faults = new Faults();
  /** What clients are told of this server. */
  readonly self = new SelfDescription(this);
  readonly reloads: Reload;
  /** Lines that the destination of the log did not take: whoever opened the log says so. */
  logLinesLost: () => number = () => 0;
  private readonly configWatch: ConfigWatch;
  monitor: MonitorPorts | null = null;
  /** null until the server starts. */
  system: SystemMembership | null = null;
  /** null: it keeps no streams. */
  jetStream: JetStreamPart | null = null;
  /** Where streams are kept; undefined: on the machine's. */
  readonly disk: Disk | undefined;
  readonly turn = new Turn(systemClock);
  private rebalancer: Rebalancer | null = null;
  private drainsUntil: DrainsUntil = "done";
  private readonly stopping = new AbortController();
  private monitorClosed: Promise<void> | undefined;
  readonly logger: Logger;
  private readonly readinessWatch: ReadinessWatch;
  /** nats-server's first client has this number too: smaller ones are its internal clients. */
  private nextId = 5;

  constructor(parts: ServerParts) {
    const { config } = parts;
    const logger = (this.logger = this.events.follow(parts.logger));
    limitSlab(slabBudgetBytes());
    this.tls = new PortTls(tlsSlice(config), systemClock, logger);
    const id = this.keys.signing.publicKey;
    this.identity = { id, name: config.server.name ?? parts.defaultName ?? id };
    this.accounts = new Accounts({
      clock: systemClock,
      random: systemRandom,
      serverHash: serverHash(this.identity.name),
      chores: this.turn.chores,
      work: this.turn.work,
      definition: accountsDefinition(config),
      defaultImports: systemImports,
    });
    this.users = new ClientUsers(clientUsersOptions(config), logger, this.self.forCallouts());
    this.accounts.onInterest = (account, change) => this.cluster?.tellInterest(account, change);
    this.disk = parts.disk;
    const shared = {
      accounts: this.accounts,
      turn: this.turn,
      clock: systemClock,
      logger,
      faults: this.faults,
    };
    const nextConnectionId = (): number => this.nextId++;
    this.clients = new ClientPort({
      ...shared,
      host: config.client.host,
      port: config.client.port,
      external: externalListener(config),
      maxConnections: config.client.maxConnections,
      limits: clientLimits(config),
      authenticator: this.users.authenticator,
      tls: this.tls.client,
      nextConnectionId,
      info: (context) => this.self.clientInfo(context),
      serverDetails: () => this.self.forAccounts(),
    });
    this.readinessWatch = this.watchReadiness(config.cluster.readinessWaitMs);
    this.cluster =
      config.cluster.port === null
        ? null
        : new ClusterPort({
            ...shared,
            ...clusterPortOptions(config, config.cluster.port, parts.ownDnsName ?? null),
            identity: this.identity,
            edge: SYSTEM_EDGE,
            tls: () => this.tls.cluster,
            nextConnectionId,
            ownConnectUrls: (side) => this.self.ownConnectUrls(side),
            onMembersChanged: () => this.membersChanged(),
            toldClients: () => this.rebalancer?.clientCount ?? null,
          });
    mappingsToSet(config.accounts, null)(this.accounts, this.cluster?.clusterName ?? "");
    this.reloads = reloadsOf(this, parts);
    this.configWatch = watchOf(this, logger);
  }

  private watchReadiness(waitMs: number): ReadinessWatch {
    const facts = (): ReadinessFacts => ({
      state: this.state,
      mesh: this.cluster?.snapshot() ?? null,
      sources: this.cluster?.discovery ?? [],
      faults: this.faults.count,
    });
    const isMeshComplete = (): boolean => this.cluster?.isMeshComplete ?? true;
    return new ReadinessWatch({ waitMs, clock: systemClock, logger: this.logger, facts, isMeshComplete });
  }

  /** As it is in force. */
  get config(): Config {
    return this.reloads.inForce.config;
  }

  /** Loads the configuration again, and makes the server what it says, or leaves everything as it is. */
  async reload(reason: ReloadReason): Promise<ReloadOutcome> {
    if (this.state === "stopped") return { kind: "refused", messages: ["the server has stopped"] };
    return this.reloads.run(reason);
  }

  /** Listens and joins the cluster. Rejects with the operating system's error; nothing is left open then. */
  async start(): Promise<void> {
    this.logStart();
    try {
      await this.startMonitoring();
      this.users.watch(() => this.clients.recheckGrants());
      this.configWatch.start();
      this.jetStream = await startJetStream(this);
      if (this.cluster !== null) this.clusterEndpoint = await this.cluster.meet();
      this.clientEndpoint = await this.clients.listen();
      this.externalEndpoint = await this.clients.listenOutside();
      this.cluster?.beginRoutes();
      this.logEndpoints(this.clientEndpoint);
    } catch (error) {
      this.stop();
      throw error;
    }
    this.become("ready");
    this.readinessWatch.begin();
    this.startRebalancing();
    if (this.cluster !== null) void this.warmUp();
  }

  /**
   * Whether this server should be given clients, and why not. `expect`: servers that have to be connected, this one included;
   * 0: whatever there is.
   */
  readiness(expect = 0): Readiness {
    return this.readinessWatch.judge(expect);
  }

  /**
   * Asks every server of the cluster, this one included: see ClusterQuery. `kind` is a "Z", such as "VARZ". Without a system account
   * nobody answers.
   */
  async clusterQuery(kind: string, timeoutMs: number, options: object = {}): Promise<ServerAnswer[]> {
    return this.system?.service?.clusterQuery(kind, timeoutMs, undefined, options) ?? [];
  }

  /** Where clients connect, as a URL. */
  get url(): string {
    assert(this.clientEndpoint !== null, "the server listens");
    const { host } = this.config.client;
    const isAny = host === "0.0.0.0" || host === "::";
    const name = isAny ? "127.0.0.1" : host;
    return `nats://${hostPort(name, this.clientEndpoint.port)}`;
  }

  /** Whether another server of the cluster stays, to which clients can move. */
  get hasRefuge(): boolean {
    return (this.cluster?.members.count ?? 0) > 0;
  }

  /** Leaves well: tells peers and clients, lets clients go one by one, then stops. */
  async lameDuck(until: DrainsUntil = "done"): Promise<void> {
    if (!mayFollow(this.state, "lame duck")) return;
    this.become("lame duck");
    this.drainsUntil = until;
    const { lameDuckDurationMs: durationMs, lameDuckGracePeriodMs: gracePeriodMs } = this.config.server;
    this.rebalancer?.[Symbol.dispose]();
    const connections = this.clients.sessions.size;
    const fields = { event: "lame_duck", durationMs, gracePeriodMs, connections };
    this.logger.info("Entering lame duck mode, stop accepting new clients", fields);
    this.system?.service?.lameDuck();
    this.cluster?.announceLameDuck();
    this.clients.sendInfoToAll();
    const { signal } = this.stopping;
    const routes = this.cluster?.table;
    await drainClients(this.clients, {
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
    if (this.state === "stopped") return;
    this.become("stopped");
    this.stopping.abort();
    this.rebalancer?.[Symbol.dispose]();
    this.logger.info("Initiating Shutdown...");
    this.system?.service?.[Symbol.dispose]();
    this.jetStream?.stop();
    this.clients.closeAll(SERVER_SHUTDOWN);
    this.cluster?.stop();
    this.readinessWatch[Symbol.dispose]();
    this.monitorClosed = this.connectionsEnded().then(() => this.monitor?.close());
    this.configWatch[Symbol.dispose]();
    this.users[Symbol.dispose]();
    this.accounts[Symbol.dispose]();
    this.tls[Symbol.dispose]();
    this.logger.info("Server Exiting..");
  }

  /** Resolves when every connection has ended. */
  async closed(): Promise<void> {
    await this.connectionsEnded();
    await this.monitorClosed;
  }

  private async connectionsEnded(): Promise<void> {
    await Promise.all([this.clients.wires.drained(), this.cluster?.wires.drained()]);
  }

  private become(state: LifeState): void {
    assert(mayFollow(this.state, state), `from ${this.state} to ${state}`);
    this.state = state;
    this.readinessWatch.judge();
  }

  private async startMonitoring(): Promise<void> {
    const { config, logger } = this;
    this.system = joinSystemAccount(this, logger);
    if (config.monitor.port === null && config.monitor.httpsPort === null && config.metrics.port === null)
      return;
    const { openMonitorPorts } = await import("./views/monitor-port.ts");
    this.monitor = await openMonitorPorts(this, this.system.source, logger);
  }

  private startRebalancing(): void {
    const { clients, cluster, logger } = this;
    if (cluster === null || !this.config.cluster.rebalances) return;
    const settings = rebalanceSettings(this.config);
    this.rebalancer = new Rebalancer({
      ...settings,
      clients,
      cluster,
      clock: systemClock,
      random: systemRandom,
      logger,
    });
    cluster.tellClientCount();
  }

  /** Clients of other members come when those leave, and are in a hurry. */
  private async warmUp(): Promise<void> {
    const limits = clientLimits(this.config);
    const info = (context: InfoContext): string => this.self.clientInfo(context);
    await warmUp({ limits, info, logger: this.logger, signal: this.stopping.signal });
  }

  private membersChanged(): void {
    const name = this.cluster?.clusterName ?? "";
    for (const account of this.accounts) account.mappings?.setCluster(name);
    this.system?.service?.membersChanged();
    this.clients.sendInfoToAll();
    // The mesh is in the middle of a step.
    if (this.isStranded()) queueMicrotask(() => this.isStranded() && this.stop());
  }

  /** It lets clients go to another member, and none is left. */
  private isStranded(): boolean {
    return this.state === "lame duck" && this.drainsUntil === "alone" && !this.hasRefuge;
  }

  /** null without monitoring. */
  get monitorPort(): number | null {
    return this.monitor?.monitorPort ?? null;
  }

  /** null without a port for metrics alone. */
  get metricsPort(): number | null {
    return this.monitor?.metricsPort ?? null;
  }

  get isMonitorSecure(): boolean {
    return this.config.monitor.httpsPort !== null;
  }

  /** Some clients have to present something; those of a no_auth_user need not. */
  get isAuthRequired(): boolean {
    return this.users.authenticator.hasSecrets;
  }

  private logEndpoints(clientEndpoint: Endpoint): void {
    const { logger, cluster, config, externalEndpoint, clusterEndpoint } = this;
    const { host, externalHost } = config.client;
    logger.info(`Listening for client connections on ${hostPort(host || "0.0.0.0", clientEndpoint.port)}`);
    if (externalEndpoint !== null) {
      const at = hostPort((externalHost ?? host) || "0.0.0.0", externalEndpoint.port);
      logger.info(`Listening for client connections from outside on ${at}`);
    }
    this.logTls();
    logger.info("Server is ready");
    if (cluster === null || clusterEndpoint === null) return;
    logger.info(`Cluster name is ${cluster.clusterName}`);
    logger.info(
      `Listening for route connections on ${hostPort(config.cluster.host || "0.0.0.0", clusterEndpoint.port)}`,
    );
  }

  private logTls(): void {
    const { client } = this.tls;
    this.tls.watchExpiry();
    if (client === null) return;
    this.logger.info(`TLS ${client.allowsPlain ? "available" : "required"} for client connections`);
    if (client.isFirst && client.fallbackMs === null) {
      this.logger.warn('Clients that are not using "TLS Handshake First" option will fail to connect');
    }
  }

  private logStart(): void {
    const { logger, identity } = this;
    logger.info("Starting shoal", { version: VERSION, natsLevel: NATS_LEVEL, node: process.version });
    logger.info(`  Name:     ${identity.name}`);
    logger.info(`  ID:       ${identity.id}`);
    logger.info(`Server id is ${identity.id}`, { event: "server_id", id: identity.id, name: identity.name });
  }
}
