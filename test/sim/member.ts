/**
 * A simulated server: executes what its mesh decides, as the dialer and the route sessions do in production, speaks the
 * handshake of the route protocol in its order, and has a minimal message layer (interest.ts) on top.
 */

import { addressKey } from "../../src/cluster/address.ts";
import type {
  ConnId,
  Mesh,
  MeshAction,
  MeshEvent,
  MeshFact,
  PeerAddress,
  RouteInfo,
} from "../../src/cluster/mesh-types.ts";
import { InterestLayer, type InterestMessage, type MemberTraits } from "./interest.ts";
import type { Connection, ConnectionHandler, Host, Network } from "./network.ts";
import type { Timeline } from "./timeline.ts";

export type Wire =
  | { readonly op: "CONNECT" }
  | { readonly op: "INFO"; readonly info: RouteInfo }
  | { readonly op: "PING" }
  | { readonly op: "PONG" }
  /** INFO with `ldm`. */
  | { readonly op: "LEAVING" }
  | InterestMessage;

interface Session {
  readonly connId: ConnId;
  readonly connection: Connection<Wire>;
  readonly dialled: boolean;
  peerId: string | undefined;
  infoSeen: boolean;
  registered: boolean;
  confirmed: boolean;
  heardMs: number;
}

export interface MemberIdentity extends MemberTraits {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  readonly shoal: boolean;
  /** Absent: that of the simulation. */
  readonly cluster?: string;
  /** Sends its INFO right after CONNECT, as servers without pooling do. */
  readonly infoAtOnce: boolean;
}

export class SimMember implements Host<Wire> {
  readonly identity: MemberIdentity;
  readonly id: string;
  readonly mesh: Mesh;
  readonly interest: InterestLayer;
  readonly facts: { readonly atMs: number; readonly fact: MeshFact }[] = [];
  readonly dialledKeys: { readonly atMs: number; readonly key: string }[] = [];
  alive = true;
  announced = 0;
  readonly #network: Network<Wire>;
  readonly #timeline: Timeline;
  readonly #sessions = new Map<ConnId, Session>();
  readonly #dials = new Map<number, { cancel(): void }>();
  #nextConnId = 1;
  #wakeMs = Number.POSITIVE_INFINITY;

  constructor(identity: MemberIdentity, id: string, mesh: Mesh, network: Network<Wire>, timeline: Timeline) {
    this.identity = identity;
    this.id = id;
    this.mesh = mesh;
    this.#network = network;
    this.#timeline = timeline;
    this.interest = new InterestLayer(identity, (connId, message) =>
      this.#sessions.get(connId)?.connection.send(message),
    );
  }

  get ip(): string {
    return this.identity.ip;
  }

  /** Which connection of the network this is; undefined once closed. */
  linkOf(connId: ConnId): number | undefined {
    return this.#sessions.get(connId)?.connection.linkId;
  }

  start(): void {
    this.#network.attach(this);
    this.#sleep();
  }

  setSource(source: string, origin: "explicit" | "discovered", peers: readonly PeerAddress[]): void {
    this.#step({ kind: "sourceChanged", source, origin, peers });
  }

  crash(): void {
    this.alive = false;
    this.#network.crash(this.ip);
    for (const dial of this.#dials.values()) dial.cancel();
    this.#sessions.clear();
  }

  /** Says good-bye, and closes what it has in good order. */
  leave(): void {
    for (const { registered, connection } of this.#sessions.values())
      if (registered) connection.send({ op: "LEAVING" });
    this.#step({ kind: "stopped" });
    this.alive = false;
    this.#network.detach(this.ip);
    for (const dial of this.#dials.values()) dial.cancel();
  }

  shutDown(): void {
    this.#step({ kind: "stopped" });
    this.crash();
  }

  accept(connection: Connection<Wire>, remoteIp: string): ConnectionHandler<Wire> {
    const session = this.#open(connection, false);
    connection.send({ op: "INFO", info: this.#ownInfo({}) });
    this.#step({ kind: "connAccepted", connId: session.connId, remoteIp });
    return this.#handler(session);
  }

  #open(connection: Connection<Wire>, dialled: boolean): Session {
    const connId = this.#nextConnId++;
    const session = {
      connId,
      connection,
      dialled,
      peerId: undefined,
      infoSeen: false,
      registered: false,
      confirmed: false,
      heardMs: this.#timeline.nowMs,
    };
    this.#sessions.set(connId, session);
    return session;
  }

  #handler(session: Session): ConnectionHandler<Wire> {
    return {
      received: (message) => {
        if (this.#sessions.has(session.connId)) this.#receive(session, message);
      },
      closed: (reason) => {
        if (!this.#sessions.delete(session.connId)) return;
        if (session.peerId !== undefined) this.interest.routeGone(session.peerId, session.connId);
        this.#step({ kind: "routeClosed", connId: session.connId, reason });
      },
    };
  }

  #receive(session: Session, message: Wire): void {
    session.heardMs = this.#timeline.nowMs;
    switch (message.op) {
      case "CONNECT":
        return;
      case "INFO":
        return this.#receiveInfo(session, message.info);
      case "LEAVING":
        return this.#step({ kind: "peerLeaving", connId: session.connId });
      case "PING":
        return session.connection.send({ op: "PONG" });
      case "PONG":
        if (session.dialled && session.registered && !session.confirmed) {
          session.confirmed = true;
          this.#step({ kind: "routeConfirmed", connId: session.connId });
        }
        return;
      case "RS+":
      case "RMSG":
        if (session.registered && session.peerId !== undefined) {
          this.interest.receive(session.peerId, session.connId, message);
        }
    }
  }

  #receiveInfo(session: Session, info: RouteInfo): void {
    const { connId } = session;
    if (!session.infoSeen) {
      session.infoSeen = true;
      session.peerId = info.id;
      this.#step({ kind: "handshakeInfo", connId, info });
    } else if (info.id !== session.peerId) {
      this.#step({ kind: "gossipReceived", connId, info });
    }
  }

  #step(event: MeshEvent): void {
    for (const action of this.mesh.step(event, this.#timeline.nowMs)) this.#execute(action);
    this.#sleep();
  }

  #sleep(): void {
    const dueMs = this.mesh.nextWakeMs();
    if (dueMs === undefined || dueMs >= this.#wakeMs) return;
    this.#wakeMs = dueMs;
    this.#timeline.at(dueMs, () => {
      if (!this.alive || this.#wakeMs !== dueMs) return;
      this.#wakeMs = Number.POSITIVE_INFINITY;
      this.#step({ kind: "tick" });
    });
  }

  #execute(action: MeshAction): void {
    switch (action.kind) {
      case "dial":
        return this.#dial(action);
      case "cancelDial":
        this.#dials.get(action.dialId)?.cancel();
        this.#dials.delete(action.dialId);
        return;
      case "register":
        return this.#register(action);
      case "challenge":
        return this.#challenge(action);
      case "close":
        return this.#close(action.connId);
      case "announce":
        return this.#announce(action);
      case "fact":
        this.facts.push({ atMs: this.#timeline.nowMs, fact: action.fact });
        return;
      case "upgrade":
      case "adoptClusterName":
        return;
    }
  }

  #dial(action: Extract<MeshAction, { kind: "dial" }>): void {
    const { dialId, address } = action;
    this.dialledKeys.push({ atMs: this.#timeline.nowMs, key: addressKey(address.host, address.port) });
    const dial = this.#network.dial(this.ip, address, action.timeoutMs, {
      connected: (connection, remoteIp) => {
        this.#dials.delete(dialId);
        if (!this.alive) return undefined;
        const session = this.#open(connection, true);
        connection.send({ op: "CONNECT" });
        if (this.identity.infoAtOnce) connection.send({ op: "INFO", info: this.#ownInfo({}) });
        this.#step({ kind: "dialSucceeded", dialId, connId: session.connId, remoteIp });
        return this.#handler(session);
      },
      failed: (error) => {
        this.#dials.delete(dialId);
        if (this.alive) this.#step({ kind: "dialFailed", dialId, error, detail: error });
      },
    });
    this.#dials.set(dialId, dial);
  }

  #register(action: Extract<MeshAction, { kind: "register" }>): void {
    const session = this.#sessions.get(action.connId);
    if (session === undefined) throw new Error(`register of the unknown connection ${action.connId}`);
    session.registered = true;
    const { sendInfo } = action;
    if (sendInfo !== undefined && !this.identity.infoAtOnce) {
      session.connection.send({ op: "INFO", info: this.#ownInfo(sendInfo) });
    }
    this.interest.routeRegistered(action.connId, action.peerId, action.slot, action.noPool);
    if (sendInfo !== undefined) session.connection.send({ op: "PING" });
  }

  #challenge({ connId, withinMs }: Extract<MeshAction, { kind: "challenge" }>): void {
    const session = this.#sessions.get(connId);
    if (session === undefined) return;
    const sinceMs = this.#timeline.nowMs;
    session.connection.send({ op: "PING" });
    this.#timeline.after(withinMs, () => {
      if (!this.alive || !this.#sessions.has(connId)) return;
      this.#step({ kind: "challengeOver", connId, isAlive: session.heardMs > sinceMs });
    });
  }

  #close(connId: ConnId): void {
    const session = this.#sessions.get(connId);
    if (session === undefined) return;
    this.#sessions.delete(connId);
    if (session.peerId !== undefined) this.interest.routeGone(session.peerId, connId);
    session.connection.close();
  }

  #announce(action: Extract<MeshAction, { kind: "announce" }>): void {
    const info = { ...action.info, ip: action.ip, gossipMode: action.gossipMode };
    this.announced += action.connIds.length;
    for (const connId of action.connIds) this.#sessions.get(connId)?.connection.send({ op: "INFO", info });
  }

  #ownInfo(fields: Partial<RouteInfo>): RouteInfo {
    return {
      id: this.id,
      name: this.identity.name,
      cluster: this.identity.cluster ?? "sim",
      clusterDynamic: false,
      host: "0.0.0.0",
      port: this.identity.port,
      ip: "",
      routePoolSize: Math.max(0, this.identity.poolSize),
      routePoolIdx: 0,
      routeAccount: "",
      gossipMode: 0,
      shoal: this.identity.shoal,
      raw: {},
      ...fields,
    };
  }
}
