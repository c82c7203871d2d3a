/**
 * The port of the other servers: carries out what the mesh decides, and tells it what happens. The mesh knows no sockets, the
 * sessions know no mesh; they meet here.
 */
import { beginChange, endChange } from "../../base/assert.ts";
import { systemRandom } from "../../base/random.ts";
import { addressKey } from "../../cluster/address.ts";
import { Dialer } from "./dialer.ts";
import type {
  AddressKey,
  Mesh,
  MeshAction,
  MeshEvent,
  MeshSnapshot,
  PeerAddress,
  ServerId,
} from "../../cluster/mesh-types.ts";
import { createMesh } from "../../cluster/mesh.ts";
import { GLOBAL_ACCOUNT, type Account } from "../../core/account.ts";
import type { InterestChange } from "../../core/local-interest.ts";
import type { DiscoverySnapshot } from "../../discovery/discovery.ts";
import { systemResolver } from "../../discovery/resolver.ts";
import type { ConnectVerdict, RouteCounters, RouteHost } from "../../links/route/host.ts";
import { RouteTable } from "../../links/route/route-table.ts";
import { RouteSession } from "../../links/route/session.ts";
import { TracedRouteSession } from "../../links/route/traced.ts";
import { routeLineMax } from "../../protocol/route-parser.ts";
import { readRouteConnect } from "../../protocol/route-info.ts";
import { OpenWires } from "../../transport/open-wires.ts";
import { listenTcp, type TcpListener } from "../../transport/tcp.ts";
import type { Endpoint, Wire } from "../../transport/wire.ts";
import { closeWords, strangerRefusal } from "./close-words.ts";
import type { ClusterPortOptions } from "./cluster-port-options.ts";
import { GossipInbox } from "./gossip-inbox.ts";
import { MemberWords } from "./member-words.ts";
import { logMeshFact } from "./mesh-log.ts";
import { MeshRecord } from "./mesh-record.ts";
import { ownAddresses } from "./own-addresses.ts";
import { applyRules, mustEnd, type LiveClusterOptions } from "./cluster-reload.ts";
import { meshOptionsOf } from "./mesh-setup.ts";
import { PeerDiscovery } from "./peer-discovery.ts";
import { PeerLedger } from "./peer-ledger.ts";
import { listening } from "../start-error.ts";
import { RouteSecurity } from "./route-security.ts";
import { announcement, isOfRoutePort, isPooled, routeInfoOf } from "./route-info-of.ts";
import { RouteWords } from "./route-words.ts";
import { TrafficLedger } from "../../links/trunk/traffic.ts";
import { Zones } from "./zones.ts";

export class ClusterPort {
  readonly sessions = new Map<number, RouteSession>();
  /** What crossed routes. Those of the pool carry the global account, and others that have no route of their own. */
  readonly traffic = new TrafficLedger(
    this.sessions,
    (session) => session.registration?.account ?? GLOBAL_ACCOUNT,
  );
  readonly wires = new OpenWires();
  readonly counters: RouteCounters = { slowConsumers: 0, staleConnections: 0 };
  readonly peers = new PeerLedger();
  readonly record: MeshRecord;
  private readonly words: RouteWords;
  private readonly pinnedAccounts: readonly string[];
  readonly table: RouteTable;
  readonly zones: Zones;
  readonly members = new MemberWords();
  private readonly options: ClusterPortOptions;
  private readonly host: RouteHost;
  private readonly dialer: Dialer;
  private readonly security: RouteSecurity;
  private readonly gossip: GossipInbox<RouteSession>;
  private readonly peerDiscovery: PeerDiscovery;
  private mesh: Mesh | null = null;
  private ownAddresses: readonly AddressKey[] = [];
  private listener: TcpListener | null = null;
  private wake: Disposable | null = null;
  private readonly events: MeshEvent[] = [];
  private readonly challenges = new Map<number, Disposable>();
  private isStepping = false;

  constructor(given: ClusterPortOptions) {
    const options = { ...given, permissions: { ...given.permissions } }; // reloads change them
    this.options = options;
    this.record = new MeshRecord(options.clock.nowMs());
    // The system account has a route of its own wherever there are pools, as nats-server does it.
    const system = options.accounts.system?.name;
    this.pinnedAccounts =
      options.poolSize > 0
        ? [...new Set([...options.pinnedAccounts, ...(system === undefined ? [] : [system])])]
        : [];
    this.table = new RouteTable(options.accounts);
    this.zones = new Zones(options.zone, options.queuePreference, options.accounts);
    this.words = new RouteWords(options, () => this.zones.own);
    this.gossip = new GossipInbox({
      read: (session, json) => session.readGossip(json),
      dropped: () => this.feed({ kind: "gossipDropped" }),
    });
    this.security = new RouteSecurity(options, this.wires);
    this.dialer = new Dialer(this.wires, {
      tls: () => this.security.forDials(),
      namesOf: (address) => this.security.namesOf(address),
      onConnected: (dialId, address, wire) => this.connected(dialId, address, wire),
      onFailed: (dialId, error, detail) => this.feed({ kind: "dialFailed", dialId, error, detail }),
    });
    this.peerDiscovery = new PeerDiscovery({
      ...options,
      random: systemRandom,
      onReport: (report) => this.feed({ kind: "sourceChanged", ...report }),
      createResolver: systemResolver,
      isMeshWhole: () => this.isMeshComplete && (this.mesh?.size().connected ?? 0) > 1,
      onOwnZone: (zone) => this.learnZone(zone),
    });
    this.host = {
      ...options,
      counters: this.counters,
      judgeConnect: (session, json) => this.judgeConnect(session, json),
      onHandshakeInfo: (session, info) => this.hearFirstInfo(session, info),
      onGossip: (session, json) => this.gossip.take(session, json),
      onLaterInfo: (session, info) => this.hearInfo(session, info),
      onFirstPong: (session) => this.feed({ kind: "routeConfirmed", connId: session.rid }),
      onClosed: (session) => this.forget(session),
    };
  }

  get clusterName(): string {
    return this.words.clusterName;
  }

  /** Listens, and begins to dial. Rejects with the operating system's error. */
  async start(): Promise<Endpoint> {
    const { options } = this;
    const { host, port } = options;
    const attempt = listenTcp(host, port, (socket) =>
      this.security.welcome(socket, (wire) => this.accept(wire)),
    );
    const tell = (reason: string): string => `Error listening on router port: ${port} - ${reason}`;
    this.listener = await listening(options, attempt, tell);
    const { endpoint } = this.listener;
    this.words.port = endpoint.port;
    this.ownAddresses = ownAddresses(host, endpoint.port, options.advertise);
    const meshOptions = meshOptionsOf(options, this.pinnedAccounts, this.ownAddresses);
    this.mesh = createMesh(meshOptions, systemRandom, options.clock.nowMs());
    return endpoint;
  }

  /** From now on; routes that stand follow, or end. */
  reconfigure(next: LiveClusterOptions): void {
    const { options, host, table } = this;
    const before = { ...options, permissions: { ...options.permissions } };
    Object.assign(options.permissions, next.permissions);
    Object.assign(host.limits, next.limits);
    Object.assign(options, { ...next, permissions: options.permissions, limits: options.limits });
    this.peerDiscovery.use(next);
    for (const session of [...this.sessions.values()]) {
      if (mustEnd(session, before, next))
        session.closeSaying("Authorization Violation", "Authentication Failure");
      else applyRules(session, table, before.permissions.import, next.permissions);
      session.send(this.words.infoLine());
    }
  }

  /** Begins to look for the other servers, and to dial them. */
  solicit(): void {
    this.peerDiscovery.start(this.ownAddresses);
  }

  /** What each source shows of the other servers, this one left out, and how it fares. */
  get discovery(): DiscoverySnapshot[] {
    return this.peerDiscovery.snapshot();
  }

  /** Client URLs of the other members. */
  otherConnectUrls(side: "inside" | "outside"): string[] {
    return this.members.all(side);
  }

  tellInterest(account: Account, change: InterestChange): void {
    this.table.tell(account, change);
  }

  /** Nobody is awaited. */
  get isMeshComplete(): boolean {
    return this.mesh?.isComplete() ?? false;
  }

  snapshot(): MeshSnapshot | null {
    return this.mesh?.snapshot(this.options.clock.nowMs()) ?? null;
  }

  /** Tells the other members that this one is going. */
  announceLameDuck(): void {
    this.words.isLameDuck = true;
    for (const session of this.table.onePerPeer()) session.send(this.words.infoLine());
  }

  tellClientCount(): void {
    for (const session of this.table.onePerPeer())
      if (session.peerInfo?.["shoal"] === true) session.send(this.words.infoLine());
  }

  /** The zone of this server has become known: the others are told. */
  learnZone(zone: string): void {
    // One that was configured counts more.
    if (this.options.zone !== "" || !this.zones.learn(zone, this.sessions.values())) return;
    this.options.logger.info(`Zone is ${zone}`);
    for (const session of this.table.onePerPeer()) session.send(this.words.infoLine());
  }

  stop(): void {
    if (!this.words.isLameDuck) this.announceLameDuck();
    this.listener?.close();
    this.peerDiscovery[Symbol.dispose]();
    this.feed({ kind: "stopped" });
    this.dialer.cancelAll();
    this.gossip.clear();
    this.wake?.[Symbol.dispose]();
    for (const session of [...this.sessions.values()]) session.close("Server Shutdown");
  }

  // ---- the mesh ----

  /** Events that come up while actions are carried out wait for their turn. */
  private feed(event: MeshEvent): void {
    this.events.push(event);
    this.record.fed(event);
    if (this.isStepping || this.mesh === null) return;
    this.isStepping = true;
    beginChange();
    for (let next = this.events.shift(); next !== undefined; next = this.events.shift()) {
      for (const action of this.mesh.step(next, this.options.clock.nowMs())) this.perform(action);
    }
    endChange();
    this.isStepping = false;
    this.record.stepped(this.mesh.isComplete(), this.options.clock.nowMs());
    this.scheduleWake(this.mesh);
  }

  private scheduleWake(mesh: Mesh): void {
    this.wake?.[Symbol.dispose]();
    const atMs = mesh.nextWakeMs();
    if (atMs === undefined) return;
    const delayMs = Math.max(0, atMs - this.options.clock.nowMs());
    this.wake = this.options.clock.setTimer(delayMs, () => this.feed({ kind: "tick" }));
  }

  private perform(action: MeshAction): void {
    switch (action.kind) {
      case "dial":
        this.options.logger.debug(
          `Trying to connect to route on ${addressKey(action.address.host, action.address.port)}`,
        );
        return this.dialer.dial(action.dialId, action.address, action.timeoutMs);
      case "cancelDial":
        return this.dialer.cancel(action.dialId);
      case "register":
        return this.register(action);
      case "close":
        return this.closeSession(action);
      case "challenge":
        return this.challenge(action);
      case "announce":
        return this.announce(action);
      case "adoptClusterName":
        this.words.clusterName = action.name;
        this.words.isNameDynamic = action.isDynamic;
        this.options.logger.info(`Cluster name updated to ${action.name}`);
        return this.options.onMembersChanged();
      case "fact":
        logMeshFact(this.options.logger, action.fact);
        this.record.hear(action.fact);
        if (action.fact.kind === "peerLeft") this.memberLeft(action.fact.id);
        return;
      case "upgrade":
        return; // of interest to the mesh alone
    }
  }

  private register(action: MeshAction & { kind: "register" }): void {
    const session = this.sessions.get(action.connId);
    if (session === undefined) return;
    const { peerId, peerName, slot } = action;
    if (action.sendInfo !== undefined) session.send(this.words.infoLine(action.sendInfo));
    this.zones.place(session);
    const account = slot.kind === "account" ? slot.account : null;
    session.register({ peerId, peerName, account, poolIndex: slot.kind === "pool" ? slot.index : 0 });
    const suffix = account === null ? "" : ` for account "${account}"`;
    session.log.debug(`Registering remote route "${peerId}"${suffix}`);
    this.peers.registered(session);
    const isNew = !this.table.hasPeer(peerId);
    this.table.add(session, action.noPool ? 1 : action.poolSize);
    if (action.sendInfo !== undefined) session.heartbeat.ask();
    if (!isNew) return;
    this.members.keep(peerId, session.peerInfo ?? {});
    this.options.onMembersChanged();
    // The INFO that the peer got when it dialled may be from before.
    if (this.zones.isLearned && session.direction === "accepted") session.send(this.words.infoLine());
  }

  /** The answer to PING may be behind much else: whatever comes in is a sign of life. */
  private challenge({ connId, withinMs }: MeshAction & { kind: "challenge" }): void {
    const { clock } = this.options;
    const session = this.sessions.get(connId);
    const sinceMs = clock.nowMs();
    session?.send("PING\r\n");
    if (session?.isOpen !== true) return;
    const judge = (): void =>
      this.feed({ kind: "challengeOver", connId, isAlive: session.lastActivityMs >= sinceMs });
    this.challenges.set(connId, clock.setTimer(withinMs, judge));
  }

  private closeSession(action: MeshAction & { kind: "close" }): void {
    const session = this.sessions.get(action.connId);
    if (session === undefined) return;
    const words = closeWords(action.reason, action.detail, session.direction);
    if (action.detail !== "") session.log.debug(action.detail);
    session.closeSaying(words.text, words.reason);
    // Those who crowd a port do not end their side, either.
    if (action.reason === "tooManyConnections") session.wire.destroy();
  }

  private announce(action: MeshAction & { kind: "announce" }): void {
    const lines = announcement(action, this.pinnedAccounts);
    const lengthMax = routeLineMax(this.options.limits);
    if (lines.some(({ length }) => length > lengthMax))
      return this.options.logger.warn("INFO is too long to be told on", { member: action.info.name });
    const [line = "", ...forAccounts] = lines;
    for (const connId of action.connIds) {
      const session = this.sessions.get(connId);
      session?.send(line);
      const listener = session?.peerInfo ?? {};
      if (isPooled(listener) && listener["shoal"] !== true) for (const one of forAccounts) session?.send(one);
    }
  }

  // ---- connections ----

  private accept(wire: Wire): void {
    const session = this.open(wire, "accepted");
    this.feed({ kind: "connAccepted", connId: session.rid, remoteIp: wire.remote.address });
    if (session.isOpen) session.open(this.words.infoLine());
  }

  private connected(dialId: number, address: PeerAddress, wire: Wire): void {
    const session = this.open(wire, "dialled");
    const isStranger = !this.security.isTrusted(wire.security, this.words.credentialsFor(address));
    const { address: remoteIp } = wire.remote;
    this.feed({ kind: "dialSucceeded", dialId, connId: session.rid, remoteIp, isStranger });
    if (session.isOpen) session.open(this.words.connectLine(address));
  }

  private open(wire: Wire, direction: "accepted" | "dialled"): RouteSession {
    const Session = this.options.logger.tracing ? TracedRouteSession : RouteSession;
    const session = new Session(this.host, wire, this.options.nextConnectionId(), direction);
    this.sessions.set(session.rid, session);
    return session;
  }

  private forget(session: RouteSession): void {
    if (this.sessions.delete(session.rid)) this.traffic.closed(session);
    this.challenges.get(session.rid)?.[Symbol.dispose]();
    this.challenges.delete(session.rid);
    this.peers.closed(session);
    this.table.remove(session);
    this.feed({ kind: "routeClosed", connId: session.rid, reason: session.closedFor });
  }

  private *routesOf(peerId: string): Generator<RouteSession> {
    for (const session of this.sessions.values()) {
      if (session.registration?.peerId === peerId) yield session;
    }
  }

  private judgeConnect(session: RouteSession, json: string): ConnectVerdict | null {
    const connect = readRouteConnect(json);
    if (connect === null)
      return { text: null, reason: "Parse Error", detail: "CONNECT is not the JSON it should be" };
    const refusal = strangerRefusal(connect) ?? this.security.refusalOf(connect, session.wire.security);
    if (refusal !== null) return refusal;
    const { serverId: peerId, cluster, clusterDynamic } = connect;
    const differs = cluster !== "" && cluster !== this.clusterName;
    if (!differs) return null;
    this.feed({ kind: "clusterNameHeard", connId: session.rid, peerId, cluster, clusterDynamic });
    // A dialler that gives way to our name says so in its INFO.
    if (cluster === this.clusterName || clusterDynamic) return null;
    const text = `Rejecting connection, cluster name "${connect.cluster}" does not match "${this.clusterName}"`;
    return { text, reason: "Cluster Name Conflict", detail: `from ${session.wire.remote.address}` };
  }

  private hearFirstInfo(session: RouteSession, info: Record<string, unknown>): void {
    if (isOfRoutePort(info))
      this.feed({ kind: "handshakeInfo", connId: session.rid, info: routeInfoOf(info) });
    else session.close("Incorrect Port");
  }

  /** A later INFO: the peer's own, or gossip about another server. */
  private hearInfo(session: RouteSession, info: Record<string, unknown>): void {
    const peerId = session.registration?.peerId;
    if (info["server_id"] !== peerId) {
      this.feed({ kind: "gossipReceived", connId: session.rid, info: routeInfoOf(info) });
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
    this.feed({ kind: "peerLeaving", connId });
    this.dropUrls(peerId);
  }

  private dropUrls(peerId: string): void {
    if (this.members.drop(peerId)) this.options.onMembersChanged();
  }
}
