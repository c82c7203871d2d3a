/**
 * The port of the other servers: keeps their sessions, and what they say of themselves. What the mesh decides is carried out by
 * mesh-runner.ts, who may join is decided by admission.ts, what this server says is in words.ts.
 */
import { liveCell, type LiveCell } from "../../base/live.ts";
import type { AddressKey, MeshSnapshot, PeerAddress, ServerId } from "../../cluster/mesh-types.ts";
import type { Account } from "../../core/account.ts";
import { GLOBAL_ACCOUNT } from "../../subject/account-names.ts";
import type { InterestChange } from "../../core/local-interest.ts";
import type { DiscoverySnapshot } from "../../discovery/discovery.ts";
import type { RouteHost } from "../../links/route/host.ts";
import { RouteTable } from "../../links/route/route-table.ts";
import type { RemoteInterest } from "../../core/subscription.ts";
import { routeSnapshot, type RouteSnapshot } from "../../links/route/snapshot.ts";
import { RouteSession } from "../../links/route/session.ts";
import { TrafficLedger } from "../../links/trunk/traffic.ts";
import { SERVER_SHUTDOWN, type CloseCounters } from "../../protocol/close-cause.ts";
import { OpenWires } from "../../transport/open-wires.ts";
import type { Endpoint, Wire } from "../../transport/wire.ts";
import { listening } from "../start-error.ts";
import { Admission } from "./admission.ts";
import type { ClusterPortOptions, ClusterSettings } from "./cluster-port-options.ts";
import { compressible } from "./compressible.ts";
import { applyRules, mustEnd } from "./cluster-reload.ts";
import { GossipInbox } from "./gossip-inbox.ts";
import { MemberWords, type ClientUrls } from "./member-words.ts";
import type { MeshRecord } from "./mesh-record.ts";
import { MeshRunner, type MeshRunnerOptions } from "./mesh-runner.ts";
import { meshOptionsOf } from "./mesh-setup.ts";
import { ownAddresses } from "./own-addresses.ts";
import { PeerDiscovery } from "./peer-discovery.ts";
import { PeerLedger } from "./peer-ledger.ts";
import { isOfRoutePort, routeInfoOf } from "./route-info-of.ts";
import { RouteGate } from "./route-gate.ts";
import type { RouteListener, RouteNetwork } from "./route-network.ts";
import { RouteWords } from "./words.ts";
import { Zones } from "./zones.ts";

/** A connection to another server as monitoring looks at it. */
export interface OpenRoute {
  readonly snapshot: RouteSnapshot;
  /** What the peer is interested in, by account. */
  readonly interests: () => Iterable<readonly [account: string, interest: RemoteInterest]>;
}

export class ClusterPort {
  readonly sessions = new Map<number, RouteSession>();
  /** What crossed routes. Those of the pool carry the global account, and others that have no route of their own. */
  readonly traffic = new TrafficLedger(
    this.sessions,
    (session) => session.registration?.account ?? GLOBAL_ACCOUNT,
  );
  readonly wires = new OpenWires();
  readonly counters: CloseCounters = { slowConsumers: 0, slowConsumersByDeadline: 0, staleConnections: 0 };
  readonly peers = new PeerLedger();
  readonly table: RouteTable;
  readonly zones: Zones;
  readonly members = new MemberWords();
  /** The last connection to a server has ended; its name. */
  onPeerLost: (name: string) => void = () => {};
  private readonly options: ClusterPortOptions;
  private readonly settings: LiveCell<ClusterSettings>;
  private readonly pinnedAccounts: readonly string[];
  private readonly words: RouteWords;
  private readonly host: RouteHost<RouteSession>;
  readonly network: RouteNetwork;
  private readonly admission: Admission;
  private readonly runner: MeshRunner;
  private readonly gossip: GossipInbox<RouteSession>;
  private readonly peerDiscovery: PeerDiscovery;
  private ownAddresses: readonly AddressKey[] = [];
  private listener: RouteListener | null = null;
  private readonly gate = new RouteGate();
  private isStopped = false;

  constructor(options: ClusterPortOptions) {
    const { edge } = options;
    this.options = options;
    const settings = (this.settings = liveCell(options.settings));
    this.pinnedAccounts = pinnedAccountsOf(options);
    this.table = new RouteTable(options.accounts, options.turn.chores);
    this.zones = new Zones(options.zone, options.queuePreference, options.accounts);
    this.words = new RouteWords(options, settings, () => this.zones.own);
    this.gossip = new GossipInbox({
      read: (session, json) => session.readGossip(json),
      dropped: () => this.runner.feed({ kind: "gossipDropped" }),
      nextRound: (work) => edge.nextRound(work),
    });
    const tls = (): ReturnType<ClusterPortOptions["tls"]> => options.tls();
    const { clock, logger } = options;
    this.network = edge.createNetwork({ clock, logger, tls, settings, wires: this.wires });
    this.admission = new Admission(settings, {
      tls,
      clusterName: () => this.words.clusterName,
      onOtherName: (connId, said) => this.runner.feed({ kind: "clusterNameHeard", connId, ...said }),
    });
    this.runner = new MeshRunner(
      { ...this.forRunner(), clock, logger },
      {
        onConnected: (dialId, address, wire) => this.connected(dialId, address, wire),
        onMembersChanged: () => options.onMembersChanged(),
        onMemberLeft: (id) => this.memberLeft(id),
      },
    );
    this.peerDiscovery = new PeerDiscovery(settings, {
      ...options,
      onReport: (report) => this.runner.feed({ kind: "sourceChanged", ...report }),
      isMeshWhole: () => this.isMeshComplete && this.runner.connected > 1,
      onOwnZone: (zone) => this.learnZone(zone),
    });
    this.host = this.routeHost();
  }

  private forRunner(): Omit<MeshRunnerOptions, "clock" | "logger"> {
    const { settings, network, pinnedAccounts, sessions, table, words, zones, members, peers } = this;
    return { settings, network, pinnedAccounts, sessions, table, words, zones, members, peers };
  }

  private routeHost(): RouteHost<RouteSession> {
    const { options, settings, counters } = this;
    return {
      accounts: options.accounts,
      turn: options.turn,
      clock: options.clock,
      logger: options.logger,
      noHeaders: options.noHeaders,
      faults: options.faults,
      counters,
      limits: {
        get current() {
          return settings.current.limits;
        },
      },
      get permissions() {
        return settings.current.permissions;
      },
      compression: () => settings.current.compression,
      agreementLine: (compression) => this.words.infoLine({ compression }),
      judgeConnect: (session, json) => this.admission.judge(session, json),
      onHandshakeInfo: (session, info) => this.hearFirstInfo(session, info),
      onGossip: (session, json) => this.gossip.take(session, json),
      onLaterInfo: (session, info) => this.hearInfo(session, info),
      takesInterest: (session, told) => this.table.takesInterest(session, told),
      onFirstPong: (session) => this.runner.feed({ kind: "routeConfirmed", connId: session.rid }),
      onClosed: (session) => this.forget(session),
    };
  }

  get clusterName(): string {
    return this.words.clusterName;
  }

  /**
   * Listens, dials, and greets the present members, so that their clients learn of this server as soon as it lets clients in:
   * what is new to a process takes its time. This server's INFO is kept back until `beginRoutes`.
   */
  async meet(): Promise<Endpoint> {
    this.holdRoutes();
    const endpoint = await this.start();
    this.solicit();
    const { promise, resolve } = Promise.withResolvers<void>();
    const { edge } = this.options;
    // A connection takes one round of the event loop, and the first word on it another.
    edge.nextRound(() => edge.nextRound(resolve));
    await promise;
    return endpoint;
  }

  /** Listens. Rejects with the operating system's error. */
  async start(): Promise<Endpoint> {
    const { host, port } = this.options;
    const { promise, resolve, reject } = Promise.withResolvers<Endpoint>();
    this.network.listen(host, port, {
      onListening: (listener) => {
        this.listensBy(listener);
        resolve(listener.endpoint);
      },
      onFailed: reject,
      onWire: (wire) => this.accept(wire),
    });
    const tell = (reason: string): string => `Error listening on router port: ${port} - ${reason}`;
    return listening(this.options, promise, tell);
  }

  /** Servers can connect: from now on there is a mesh. */
  private listensBy(listener: RouteListener): void {
    const { options } = this;
    const { edge, clock } = options;
    const { port } = listener.endpoint;
    this.listener = listener;
    this.words.port = port;
    this.ownAddresses = ownAddresses(options.host, port, options.advertise);
    const meshOptions = meshOptionsOf(options, this.pinnedAccounts, this.ownAddresses);
    this.runner.start(edge.createMesh(meshOptions, edge.random, clock.nowMs()));
  }

  /** From now on; routes that stand follow, or end. */
  reconfigure(next: ClusterSettings): void {
    const { settings, table } = this;
    const before = settings.current;
    settings.current = next;
    this.peerDiscovery.follow();
    for (const session of [...this.sessions.values()]) {
      if (session.compression.mustBeginAgain(session.heartbeat.roundTripMs))
        session.closeSaying(null, "Compression Changed");
      else if (mustEnd(session, before, next))
        session.closeSaying("Authorization Violation", "Authentication Failure");
      else applyRules(session, table, before.permissions.import, next.permissions);
      session.send(this.words.infoLine());
    }
  }

  /** Begins to look for the other servers, and to dial them. */
  solicit(): void {
    this.peerDiscovery.start(this.ownAddresses);
  }

  /** Clients cannot connect yet: until `beginRoutes` this server's INFO is kept back. */
  holdRoutes(): void {
    this.gate.hold();
  }

  beginRoutes(): void {
    this.gate.open();
  }

  /** What each source shows of the other servers, this one left out, and how it fares. */
  get discovery(): DiscoverySnapshot[] {
    return this.peerDiscovery.snapshot();
  }

  /** Client URLs of the other members. */
  otherConnectUrls(side: keyof ClientUrls): string[] {
    return this.members.all(side);
  }

  /** Where leaf nodes reach the other members. */
  otherLeafUrls(): string[] {
    return this.members.all("leaf");
  }

  tellInterest(account: Account, change: InterestChange): void {
    this.table.tell(account, change);
  }

  /** Nobody is awaited. */
  get isMeshComplete(): boolean {
    return this.runner.isComplete;
  }

  /** What the mesh went through since the start. */
  get record(): MeshRecord {
    return this.runner.record;
  }

  snapshot(): MeshSnapshot | null {
    return this.runner.snapshot();
  }

  /** Tells the other members that this one is going. */
  announceLameDuck(): void {
    this.words.isLameDuck = true;
    for (const session of this.table.onePerPeer()) session.send(this.words.infoLine());
  }

  tellClientCount(): void {
    for (const session of this.table.onePerPeer())
      if (session.peer.info?.["shoal"] === true) session.send(this.words.infoLine());
  }

  /** The zone of this server has become known: the others are told. */
  learnZone(zone: string): void {
    // One that was configured counts more.
    if (this.options.zone !== "" || !this.zones.learn(zone, this.sessions.values())) return;
    this.options.logger.info(`Zone is ${zone}`);
    for (const session of this.table.onePerPeer()) session.send(this.words.infoLine());
  }

  stop(): void {
    this.isStopped = true;
    if (!this.words.isLameDuck) this.announceLameDuck();
    this.listener?.close();
    this.peerDiscovery[Symbol.dispose]();
    this.runner[Symbol.dispose]();
    this.gate.close();
    this.gossip.clear();
    for (const session of [...this.sessions.values()]) session.close(SERVER_SHUTDOWN);
  }

  // ---- connections ----

  private accept(wire: Wire): void {
    this.gate.pass(wire, () => this.greet(wire));
  }

  private greet(wire: Wire): void {
    const session = this.open(wire, "accepted");
    this.runner.feed({ kind: "connAccepted", connId: session.rid, remoteIp: wire.remote.address });
    if (session.isOpen) session.open(this.words.infoLine());
  }

  private connected(dialId: number, address: PeerAddress, wire: Wire): void {
    const session = this.open(wire, "dialled");
    const isStranger = !this.admission.isTrusted(wire.security, this.words.credentialsFor(address));
    const { address: remoteIp } = wire.remote;
    this.runner.feed({ kind: "dialSucceeded", dialId, connId: session.rid, remoteIp, isStranger });
    if (session.isOpen) session.open(this.words.connectLine(address));
  }

  private open(wire: Wire, direction: "accepted" | "dialled"): RouteSession {
    const { options, settings, host } = this;
    const through = compressible(wire, direction, options.s2, settings.current.compression);
    const session = new RouteSession(host, through, options.nextConnectionId(), direction);
    this.sessions.set(session.rid, session);
    return session;
  }

  private forget(session: RouteSession): void {
    if (this.sessions.delete(session.rid)) this.traffic.closed(session);
    this.peers.closed(session);
    this.table.remove(session);
    this.runner.closed(session);
    // Also one that never became a member; while this server stops, nobody leaves.
    const { registration } = session;
    if (registration === null || this.isStopped || this.table.hasPeer(registration.peerId)) return;
    this.dropUrls(registration.peerId);
    this.onPeerLost(registration.peerName);
  }

  /** The connections that the mesh has taken up, as monitoring looks at them. */
  *connections(): Generator<OpenRoute> {
    for (const session of this.sessions.values()) {
      const snapshot = routeSnapshot(session);
      if (snapshot !== null) yield { snapshot, interests: () => session.interests.withAccounts() };
    }
  }

  private *routesOf(peerId: string): Generator<RouteSession> {
    for (const session of this.sessions.values()) {
      if (session.registration?.peerId === peerId) yield session;
    }
  }

  private hearFirstInfo(session: RouteSession, info: Record<string, unknown>): void {
    if (!isOfRoutePort(info)) return session.closeSaying(null, "Incorrect Port");
    this.gate.pass(session.wire, () =>
      this.runner.feed({ kind: "handshakeInfo", connId: session.rid, info: routeInfoOf(info) }),
    );
  }

  /** A later INFO: the peer's own, or gossip about another server. */
  private hearInfo(session: RouteSession, info: Record<string, unknown>): void {
    const peerId = session.registration?.peerId;
    if (info["server_id"] !== peerId) {
      this.runner.feed({ kind: "gossipReceived", connId: session.rid, info: routeInfoOf(info) });
    } else if (peerId !== undefined) {
      if (session.hearRules(info)) this.table.tellAll(session);
      if (info["ldm"] === true) this.hearGoodBye(session.rid, peerId);
      else if (this.members.keep(peerId, info)) this.options.onMembersChanged();
      this.zones.hear(this.routesOf(peerId), info);
    }
  }

  private memberLeft(id: ServerId): void {
    this.dropUrls(id);
    this.peerDiscovery.hasten();
  }

  private hearGoodBye(connId: number, peerId: string): void {
    this.runner.feed({ kind: "peerLeaving", connId });
    this.dropUrls(peerId);
  }

  private dropUrls(peerId: string): void {
    if (this.members.drop(peerId)) this.options.onMembersChanged();
  }
}

/** As in nats-server, the system account has its own route wherever there are pools. */
function pinnedAccountsOf({ poolSize, pinnedAccounts, accounts }: ClusterPortOptions): readonly string[] {
  if (poolSize <= 0) return [];
  const system = accounts.system?.name;
  return [...new Set([...pinnedAccounts, ...(system === undefined ? [] : [system])])];
}
