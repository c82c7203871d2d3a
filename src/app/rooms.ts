/**
 * The rooms of one server, built from its configuration and wired: who talks to whom. What starts and stops, and in which order, is
 * in server.ts. What happens to a message is in `links` and `core`, to the cluster in `cluster`.
 */
import { systemClock } from "../base/clock.ts";
import { randomToken } from "../base/base62.ts";
import { liveCell, type LiveCell } from "../base/live.ts";
import type { Logger } from "../base/logger.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config/config.ts";
import { Accounts } from "../core/accounts.ts";
import { systemImports } from "../core/system-imports.ts";
import { podOfDnsName, type StatefulPod } from "../discovery/stateful-set.ts";
import { Life } from "../health/lifecycle.ts";
import { ReadinessWatch } from "../health/readiness-watch.ts";
import { Faults } from "../links/trunk/faults.ts";
import { Turn } from "../links/trunk/turn.ts";
import { RecentEvents } from "../log/recent-events.ts";
import { ClientPort } from "../ports/client/client-port.ts";
import { ClientUsers } from "../ports/client/client-users.ts";
import { ClusterPort } from "../ports/cluster/cluster-port.ts";
import { SYSTEM_EDGE } from "../ports/cluster/system-edge.ts";
import { WEBSOCKET } from "../ports/entrance.ts";
import { allAddresses } from "../ports/leaf/addresses.ts";
import { dialLeaf } from "../ports/leaf/dial.ts";
import { LeafPort } from "../ports/leaf/leaf-port.ts";
import type { Company } from "../jetstream/group/group.ts";
import { S2Wires } from "../transport/s2-wire.ts";
import { PortTls } from "../ports/port-tls.ts";
import { WebSocketPort, type WebSocketSettings } from "../ports/websocket/websocket-port.ts";
import type { ServerIdentity } from "../protocol/info.ts";
import { limitSlab } from "../slab/chunks.ts";
import type { Disk } from "../store/disk.ts";
import type { JetStreamPart } from "./jetstream.ts";
import { openOperator, type OperatorRooms } from "./operator.ts";
import { newServerKeys, serverHash } from "./process/identity.ts";
import { slabBudgetBytes } from "./process/memory.ts";
import type { ConnectionsElsewhere } from "../system/connections-elsewhere.ts";
import type { Rebalancer } from "./rebalancer.ts";
import type { ConfigInForce, ReloadRecord } from "./reload.ts";
import { accountsDefinition, mappingsToSet } from "./slices/accounts.ts";
import { clientUsersOptions } from "./slices/authorization.ts";
import { clientLimits, externalListener, tlsSlice } from "./slices/client.ts";
import { clusterPortOptions } from "./slices/cluster.ts";
import { leafSettings } from "./slices/leafnodes.ts";
import { webSocketLimits, webSocketSettings } from "./slices/websocket.ts";
import type { ListeningAt, MonitorPorts, SystemMembership } from "./views/opened.ts";
import { SelfDescription } from "./views/self-description.ts";

export interface RoomsOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** Digest of the configuration file, as monitoring shows it. */
  readonly configDigest?: string;
  /** Where none is configured; absent: the id. */
  readonly defaultName?: string | null;
  /** Name in DNS that leads to this server alone: for routes over TLS where none is configured, since certificates have names. */
  readonly ownDnsName?: string | null;
  /** Where streams are kept; absent: on the machine's. */
  readonly disk?: Disk | undefined;
  /** Absent: shoals alone; nats-servers with JetStream are refused as members. */
  readonly company?: Company | undefined;
  /** Lines that the destination of the log did not take; absent: it takes all. */
  readonly logLinesLost?: () => number;
  /** Whether the process is the server's own, so that it prepares for its first clients; absent: it is not. */
  readonly warmsUp?: boolean;
}

const EVENTS_MAX = 100;
/** As long as those of nats-server. */
const LOOP_TOKEN_LENGTH = 22;

export class Rooms {
  readonly startedMs = systemClock.nowMs();
  readonly keys = newServerKeys();
  readonly identity: ServerIdentity;
  readonly logger: Logger;
  readonly disk: Disk | undefined;
  readonly company: Company;
  /** null: this server runs in no pod of a StatefulSet. */
  readonly pod: StatefulPod | null;
  readonly logLinesLost: () => number;
  readonly warmsUp: boolean;
  readonly inForce: LiveCell<ConfigInForce>;
  readonly reloadRecord = liveCell<ReloadRecord>({ succeeded: 0, refused: 0, failure: null, waiting: [] });
  readonly life = new Life(() => void this.readiness.judge());
  readonly readiness: ReadinessWatch;
  readonly events = new RecentEvents(EVENTS_MAX, systemClock);
  /** What the input of connections has brought out. */
  readonly faults = new Faults();
  readonly turn = new Turn(systemClock);
  readonly s2 = new S2Wires();
  readonly tls: PortTls;
  readonly accounts: Accounts;
  /** null: no operator is configured. */
  readonly operator: OperatorRooms | null;
  readonly users: ClientUsers;
  readonly clients: ClientPort;
  readonly cluster: ClusterPort | null;
  /** null: none is configured. */
  readonly webSocket: WebSocketPort | null;
  readonly webSocketSettings: LiveCell<WebSocketSettings>;
  readonly leafNodes: LeafPort;
  /** What clients are told of this server. */
  readonly self = new SelfDescription(this);
  // These exist once the server has started; null: not yet, or not configured.
  readonly listening = liveCell<ListeningAt>({
    client: null,
    external: null,
    cluster: null,
    webSocket: null,
    leafNodes: null,
  });
  readonly monitor = liveCell<MonitorPorts | null>(null);
  readonly system = liveCell<SystemMembership | null>(null);
  readonly elsewhere = liveCell<ConnectionsElsewhere | null>(null);
  readonly jetStream = liveCell<JetStreamPart | null>(null);
  readonly rebalancer = liveCell<Rebalancer | null>(null);
  /** nats-server's first client has this number too: smaller ones are its internal clients. */
  private nextId = 5;

  constructor(options: RoomsOptions, onMembersChanged: () => void) {
    const { config, logger, configDigest, defaultName, disk, logLinesLost } = options;
    limitSlab(slabBudgetBytes());
    this.logger = this.events.follow(logger);
    this.disk = disk;
    this.company = options.company ?? "shoals";
    this.pod = podOfDnsName(options.ownDnsName ?? null);
    this.warmsUp = options.warmsUp ?? false;
    this.logLinesLost = logLinesLost ?? ((): number => 0);
    this.inForce = liveCell({ config, digest: configDigest ?? "", loadedMs: this.startedMs });
    this.tls = new PortTls(tlsSlice(config), systemClock, this.logger);
    const id = this.keys.signing.publicKey;
    this.identity = { id, name: config.server.name ?? defaultName ?? id };
    this.accounts = this.openAccounts(config);
    const callouts = this.self.forCallouts();
    this.operator = openOperator(config, {
      callouts,
      accounts: this.accounts,
      logger: this.logger,
      clusterName: () => this.cluster?.clusterName ?? "",
      resolverTls: () => this.tls.resolver,
    });
    this.users = new ClientUsers(
      clientUsersOptions(config),
      this.logger,
      callouts,
      this.operator?.jwt ?? null,
    );
    this.clients = this.openClientPort(config);
    this.readiness = this.watchReadiness(config.cluster.readinessWaitMs);
    this.cluster = this.openClusterPort(options, onMembersChanged);
    this.webSocketSettings = liveCell(webSocketSettings(config));
    this.webSocket = this.openWebSocketPort(config);
    this.leafNodes = this.openLeafPort(config);
    mappingsToSet(config, null)(this.accounts, this.cluster?.clusterName ?? "");
  }

  private openAccounts(config: Config): Accounts {
    const accounts = new Accounts({
      clock: systemClock,
      random: systemRandom,
      serverHash: serverHash(this.identity.name),
      chores: this.turn.chores,
      work: this.turn.work,
      definition: accountsDefinition(config),
      defaultImports: systemImports,
    });
    accounts.onInterest = (account, change) => {
      this.cluster?.tellInterest(account, change);
      this.leafNodes.feeds.localChanged(account, change);
    };
    accounts.onRemoteInterest = (account, interest, members) =>
      this.leafNodes.feeds.remoteChanged(account, interest, members);
    return accounts;
  }

  private openClientPort(config: Config): ClientPort {
    return new ClientPort({
      ...this.shared(),
      host: config.client.host,
      port: config.client.port,
      external: externalListener(config),
      maxConnections: config.client.maxConnections,
      limits: clientLimits(config),
      authenticator: this.users.authenticator,
      webSocket: {
        limits: webSocketLimits(config),
        authenticator: this.users.webSocketAuthenticator,
      },
      tls: () => this.tls.client,
      info: (context) => this.self.clientInfo(context),
      serverDetails: () => this.self.forAccounts(),
    });
  }

  private openClusterPort(options: RoomsOptions, onMembersChanged: () => void): ClusterPort | null {
    const { config, ownDnsName } = options;
    if (config.cluster.port === null) return null;
    return new ClusterPort({
      ...this.shared(),
      ...clusterPortOptions(config, config.cluster.port, ownDnsName ?? null),
      ...(this.company === "nats-servers" ? { keepsStreams: false } : {}),
      identity: this.identity,
      edge: SYSTEM_EDGE,
      tls: () => this.tls.cluster,
      ownConnectUrls: (side) => (side === "leaf" ? this.self.ownLeafUrls() : this.self.ownConnectUrls(side)),
      onMembersChanged,
      toldClients: () => this.rebalancer.current?.clientCount ?? null,
    });
  }

  private openWebSocketPort({ websocket: { host, port }, leafNodes }: Config): WebSocketPort | null {
    if (port === null) return null;
    return new WebSocketPort({
      host,
      port,
      settings: this.webSocketSettings,
      tls: () => this.tls.websocket,
      clock: systemClock,
      logger: this.logger,
      onClient: (wire, presented, forwardedFor) =>
        this.clients.takeOver(wire, { entrance: WEBSOCKET, presented, forwardedFor }),
      onLeaf: leafNodes.port === null ? null : (wire) => this.leafNodes.accept(wire, "websocket"),
    });
  }

  private openLeafPort(config: Config): LeafPort {
    const { host, port } = config.leafNodes;
    const leafNodes = new LeafPort({
      ...this.shared(),
      listen: port === null ? null : { host, port },
      settings: leafSettings(config),
      authenticator: this.users.leafAuthenticator,
      random: systemRandom,
      tls: () => this.tls.leafnodes,
      remoteTls: (index) => this.tls.leafRemotes[index]!,
      lookup: allAddresses,
      dial: dialLeaf,
      facts: () => this.self.forLeafNodes(),
      info: () => this.self.leafInfo(),
      hasAccount: (name) => this.operator?.has(name) ?? true,
      isAccountOver: (name) => this.operator?.book.current(name)?.isOver ?? false,
      newLoopSubject: () => `$LDS.${randomToken(systemRandom, LOOP_TOKEN_LENGTH)}`,
      tellRoutes: (account, change, leafCluster) =>
        this.cluster?.table.tellOfLeaves(account, change, leafCluster),
    });
    if (this.cluster !== null) this.cluster.table.leaves = leafNodes.feeds;
    return leafNodes;
  }

  /** What both ports work with. */
  private shared() {
    const { accounts, turn, logger, faults, s2 } = this;
    return { accounts, turn, clock: systemClock, logger, faults, s2, nextConnectionId: () => this.nextId++ };
  }

  private watchReadiness(waitMs: number): ReadinessWatch {
    return new ReadinessWatch({
      waitMs,
      clock: systemClock,
      logger: this.logger,
      facts: () => ({
        state: this.life.state,
        mesh: this.cluster?.snapshot() ?? null,
        sources: this.cluster?.discovery ?? [],
        streams: this.jetStream.current?.standing ?? null,
        faults: this.faults.count,
      }),
      isMeshComplete: () => this.cluster?.isMeshComplete ?? true,
    });
  }
}
