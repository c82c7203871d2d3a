/**
 * Runs the mesh: feeds it with what happens, one event after the other, carries out what it decides, and wakes it when something is
 * due. The mesh knows no sockets, the sessions know no mesh; they meet here.
 *
 *     event --feed--> Mesh.step --actions--> perform: dial, register, close, challenge, announce, log
 *       ^                                       |
 *       '------ what that sets off waits -------'
 *
 * Invariant: the mesh is never in two steps at once. Bounds: those of the mesh; an action sets off at most one event.
 */
import { assert, halfChanged } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import type { Live } from "../../base/live.ts";
import type { Logger } from "../../base/logger.ts";
import { addressKey } from "../../cluster/address.ts";
import type {
  DialId,
  Mesh,
  MeshAction,
  MeshEvent,
  MeshSnapshot,
  PeerAddress,
  ServerId,
} from "../../cluster/mesh-types.ts";
import type { RouteTable } from "../../links/route/route-table.ts";
import type { RouteSession } from "../../links/route/session.ts";
import { serverLineMax } from "../../protocol/server-lines.ts";
import type { Wire } from "../../transport/wire.ts";
import { closeWords } from "./close-words.ts";
import type { ClusterSettings } from "./cluster-port-options.ts";
import type { MemberWords } from "./member-words.ts";
import { logMeshFact } from "./mesh-log.ts";
import { MeshRecord } from "./mesh-record.ts";
import type { PeerLedger } from "./peer-ledger.ts";
import { announcement, isPooled } from "./route-info-of.ts";
import type { RouteNetwork } from "./route-network.ts";
import type { RouteWords } from "./words.ts";
import type { Zones } from "./zones.ts";

export interface MeshRunnerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: Live<ClusterSettings>;
  readonly network: RouteNetwork;
  readonly pinnedAccounts: readonly string[];
  readonly sessions: ReadonlyMap<number, RouteSession>;
  readonly table: RouteTable;
  readonly words: RouteWords;
  readonly zones: Zones;
  readonly members: MemberWords;
  readonly peers: PeerLedger;
}

export interface MeshRunnerHost {
  onConnected(dialId: DialId, address: PeerAddress, wire: Wire): void;
  /** Members have come or gone, or the name of the cluster has changed: clients are told. */
  onMembersChanged(): void;
  onMemberLeft(id: ServerId): void;
}

export class MeshRunner implements Disposable {
  readonly record: MeshRecord;
  private readonly options: MeshRunnerOptions;
  private readonly host: MeshRunnerHost;
  private mesh: Mesh | null = null;
  private readonly events: MeshEvent[] = [];
  private readonly dials = new Map<DialId, Disposable>();
  private readonly challenges = new Map<number, Disposable>();
  private wake: Disposable | null = null;
  private isStepping = false;

  constructor(options: MeshRunnerOptions, host: MeshRunnerHost) {
    this.options = options;
    this.host = host;
    this.record = new MeshRecord(options.clock.nowMs());
  }

  /** Feeds events to this mesh. */
  start(mesh: Mesh): void {
    assert(this.mesh === null, "a mesh is started once");
    this.mesh = mesh;
  }

  /** Nobody is awaited. */
  get isComplete(): boolean {
    return this.mesh?.isComplete() ?? false;
  }

  /** Servers that are connected, this one included; 0 before the start. */
  get connected(): number {
    return this.mesh?.size().connected ?? 0;
  }

  snapshot(): MeshSnapshot | null {
    return this.mesh?.snapshot(this.options.clock.nowMs()) ?? null;
  }

  /** Events that come up while actions are carried out wait for their turn. */
  feed(event: MeshEvent): void {
    this.events.push(event);
    this.record.fed(event);
    if (this.isStepping || this.mesh === null) return;
    this.isStepping = true;
    try {
      for (let next = this.events.shift(); next !== undefined; next = this.events.shift()) {
        for (const action of this.mesh.step(next, this.options.clock.nowMs())) this.perform(action);
      }
    } catch (error) {
      throw halfChanged(error);
    }
    this.isStepping = false;
    this.record.stepped(this.mesh.isComplete(), this.options.clock.nowMs());
    this.scheduleWake(this.mesh);
  }

  /** A session has ended. */
  closed(session: RouteSession): void {
    this.challenges.get(session.rid)?.[Symbol.dispose]();
    this.challenges.delete(session.rid);
    this.feed({ kind: "routeClosed", connId: session.rid, reason: session.closedFor });
  }

  /** Ends all connections, and cancels dials and timers. */
  [Symbol.dispose](): void {
    this.feed({ kind: "stopped" });
    for (const dial of this.dials.values()) dial[Symbol.dispose]();
    this.dials.clear();
    this.wake?.[Symbol.dispose]();
    this.wake = null;
  }

  private scheduleWake(mesh: Mesh): void {
    this.wake?.[Symbol.dispose]();
    this.wake = null;
    const atMs = mesh.nextWakeMs();
    if (atMs === undefined) return;
    const delayMs = Math.max(0, atMs - this.options.clock.nowMs());
    this.wake = this.options.clock.setTimer(delayMs, () => this.feed({ kind: "tick" }));
  }

  private perform(action: MeshAction): void {
    const { logger, words } = this.options;
    switch (action.kind) {
      case "dial":
        return this.dial(action);
      case "cancelDial":
        this.dials.get(action.dialId)?.[Symbol.dispose]();
        this.dials.delete(action.dialId);
        return;
      case "register":
        return this.register(action);
      case "close":
        return this.close(action);
      case "challenge":
        return this.challenge(action);
      case "announce":
        return this.announce(action);
      case "adoptClusterName":
        words.clusterName = action.name;
        words.isNameDynamic = action.isDynamic;
        logger.info(`Cluster name updated to ${action.name}`);
        return this.host.onMembersChanged();
      case "fact":
        logMeshFact(logger, action.fact);
        this.record.hear(action.fact);
        if (action.fact.kind === "peerLeft") this.host.onMemberLeft(action.fact.id);
        return;
      case "upgrade":
        return; // Only the mesh uses this; no action here.
    }
  }

  private dial({ dialId, address, timeoutMs }: MeshAction & { kind: "dial" }): void {
    const { logger, network } = this.options;
    logger.debug(`Trying to connect to route on ${addressKey(address.host, address.port)}`);
    const dial = network.dial(address, timeoutMs, {
      connected: (wire) => {
        this.dials.delete(dialId);
        this.host.onConnected(dialId, address, wire);
      },
      failed: (error, detail) => {
        this.dials.delete(dialId);
        this.feed({ kind: "dialFailed", dialId, error, detail });
      },
    });
    assert(!this.dials.has(dialId), "the mesh gives each dial a number of its own");
    this.dials.set(dialId, dial);
  }

  private register(action: MeshAction & { kind: "register" }): void {
    const { sessions, words, zones, peers, table, members } = this.options;
    const session = sessions.get(action.connId);
    if (session === undefined) return;
    const { peerId, peerName, slot } = action;
    // The peer tells its clients of this server when it has it.
    if (action.sendInfo !== undefined) session.sendAtOnce(words.infoLine(action.sendInfo));
    zones.place(session);
    const account = slot.kind === "account" ? slot.account : null;
    session.register({ peerId, peerName, account, poolIndex: slot.kind === "pool" ? slot.index : 0 });
    const suffix = account === null ? "" : ` for account "${account}"`;
    session.log.debug(`Registering remote route "${peerId}"${suffix}`);
    peers.registered(session);
    const isNew = !table.hasPeer(peerId);
    // Before interest is told, which takes longer: clients here learn where else they can connect.
    if (isNew) {
      members.keep(peerId, session.peer.info ?? {});
      this.host.onMembersChanged();
    }
    table.add(session, action.noPool ? 1 : action.poolSize, () => {
      // The answer says that the peer has it all.
      if (action.sendInfo !== undefined && session.isOpen) session.heartbeat.ask();
    });
    // The INFO that the peer got when it dialled may be from before.
    if (isNew && zones.isLearned && session.direction === "accepted") session.send(words.infoLine());
  }

  /** The answer to PING may be behind much else: whatever comes in is a sign of life. */
  private challenge({ connId, withinMs }: MeshAction & { kind: "challenge" }): void {
    const { clock, sessions } = this.options;
    const session = sessions.get(connId);
    const sinceMs = clock.nowMs();
    session?.send("PING\r\n");
    if (session?.isOpen !== true) return;
    const judge = (): void =>
      this.feed({ kind: "challengeOver", connId, isAlive: session.lastActivityMs >= sinceMs });
    this.challenges.set(connId, clock.setTimer(withinMs, judge));
  }

  private close(action: MeshAction & { kind: "close" }): void {
    const session = this.options.sessions.get(action.connId);
    if (session === undefined) return;
    const words = closeWords(action.reason, action.detail, session.direction);
    if (action.detail !== "") session.log.debug(action.detail);
    session.closeSaying(words.text, words.reason);
    // Those who crowd a port do not end their side, either.
    if (action.reason === "tooManyConnections") session.wire.destroy();
  }

  private announce(action: MeshAction & { kind: "announce" }): void {
    const { sessions, settings, pinnedAccounts, logger } = this.options;
    const lines = announcement(action, pinnedAccounts);
    const lengthMax = serverLineMax(settings.current.limits);
    if (lines.some(({ length }) => length > lengthMax))
      return logger.warn("INFO is too long to be told on", { member: action.info.name });
    const [line = "", ...forAccounts] = lines;
    for (const connId of action.connIds) {
      const session = sessions.get(connId);
      session?.send(line);
      const listener = session?.peer.info ?? {};
      if (isPooled(listener) && listener["shoal"] !== true) for (const one of forAccounts) session?.send(one);
    }
  }
}
